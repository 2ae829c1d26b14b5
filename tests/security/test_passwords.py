"""Passwords: what is kept of them, when they fit, and that a storm of them stops nobody."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from functools import partial
from threading import Event, get_ident, get_native_id

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ocpp_twisted.security.handshake import Refused
from ocpp_twisted.security.passwords import NOBODYS, Passwords, Workers, hashed, matches
from tests.support import until

KEY = bytes.fromhex("0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF")  # OCPP-J 1.6, section 6.2


class HashTests(SynchronousTestCase):
    def test_text(self) -> None:
        self.assertRegex(
            hashed(b"p"), r"^scrypt\$ln=12,r=8,p=1\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=$"
        )
        self.assertNotEqual(hashed(b"p"), hashed(b"p"))

    def test_any_bytes(self) -> None:
        for password in (KEY, b"\xff\0:", "p\u00e4ss".encode(), "p\u00e4ss".encode("latin-1")):
            self.assertTrue(matches(password, hashed(password)))
            self.assertFalse(matches(password + b"x", hashed(password)))

    def test_hexadecimal_digits_are_the_bytes_for_which_they_stand(self) -> None:
        digits = KEY.hex().encode()
        for kept in (KEY, digits, digits.upper()):
            for sent in (KEY, digits, digits.upper()):
                self.assertTrue(matches(sent, hashed(kept)), (sent, kept))
        self.assertFalse(matches(b"abc", hashed(b"ABC")))  # an odd number of them is a text

    def test_rfc_7914(self) -> None:
        """The second vector of section 12: another cost than ours."""
        digest = bytes.fromhex(
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        )
        salt, text = b64encode(b"NaCl").decode(), b64encode(digest).decode()
        known = f"scrypt$ln=10,r=8,p=16${salt}${text}"
        self.assertTrue(matches(b"password", known))
        self.assertFalse(matches(b"Password", known))

    def test_what_costs_too_much_is_not_tried(self) -> None:
        salt_and_hash = hashed(b"p").split("$", 2)[2]
        for cost in ("ln=20,r=8,p=1", "ln=12,r=99,p=99", "ln=0,r=8,p=1", "ln=12,r=0,p=1"):
            self.assertRaises(ValueError, matches, b"p", f"scrypt${cost}${salt_and_hash}")
        self.assertRaises(ValueError, matches, b"p", "p")


class FittingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.run = 0

        def run(job, whose):
            self.run += 1
            return maybeDeferred(job)

        self.passwords = Passwords(run, most_remembered=2)
        self.known = [hashed(b"old"), hashed(b"new")]

    def fitting(self, password, known=None) -> str:
        return self.successResultOf(self.passwords.fitting(password, known or self.known))

    def test_which(self) -> None:
        self.assertEqual(self.fitting(b"old"), self.known[0])
        self.assertEqual(self.fitting(b"new"), self.known[1])
        self.assertEqual(self.fitting(b"no"), "")
        self.assertEqual(self.fitting(b"", [NOBODYS]), "")

    def test_one_that_fitted_costs_nothing_again(self) -> None:
        for _ in range(3):
            self.fitting(b"new")
        self.assertEqual(self.run, 1)

    def test_one_that_did_not_fit_is_tried_again(self) -> None:
        for _ in range(3):
            self.fitting(b"no")
        self.assertEqual(self.run, 3)

    def test_it_is_not_remembered_for_another_hash_of_the_same_password(self) -> None:
        self.fitting(b"new")
        self.assertEqual(self.fitting(b"new", [hashed(b"changed")]), "")
        self.assertEqual(self.run, 2)

    def test_so_many_are_remembered(self) -> None:
        third = hashed(b"third")
        self.fitting(b"old")
        self.fitting(b"new")
        self.fitting(b"old")  # now "new" was not asked for longest
        self.fitting(b"third", [third])
        self.assertEqual(self.run, 3)
        self.fitting(b"old")
        self.assertEqual(self.run, 3)
        self.fitting(b"new")
        self.assertEqual(self.run, 4)

    def test_no_password_is_kept(self) -> None:
        self.fitting(b"new")
        self.assertNotIn("new", repr(vars(self.passwords)))


class WorkersTests(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.workers = Workers(reactor, threads=2, most_waiting=3)
        self.gate = Event()
        self.addCleanup(self.workers.stop)
        self.addCleanup(self.gate.set)

    async def test_not_in_the_reactors_thread(self) -> None:
        self.assertNotEqual(await self.workers.run(get_ident), get_ident())

    async def test_the_reactors_thread_goes_first(self) -> None:
        priority = await self.workers.run(lambda: os.getpriority(os.PRIO_PROCESS, get_native_id()))
        here = os.getpriority(os.PRIO_PROCESS, get_native_id())
        self.assertGreater(priority, here if sys.platform == "linux" and here < 19 else here - 1)

    async def test_an_exception(self) -> None:
        done = self.workers.run(lambda: matches(b"p", "x"))
        await self.assertFailure(done, ValueError)

    async def test_the_reactor_goes_on_meanwhile(self) -> None:
        passwords = Passwords(Workers(reactor, 2, 100).run)
        known = hashed(b"p")
        done, turns = gatherResults([passwords.fitting(b"x", [known]) for _ in range(20)]), []

        def turn() -> bool:
            turns.append(done.called)
            return done.called

        await until(turn, reactor)
        self.assertGreater(turns.count(False), 2)

    async def test_the_line_is_bounded(self) -> None:
        jobs = [self.workers.run(self.gate.wait) for _ in range(5)]  # two of them are running
        refused = self.failureResultOf(self.workers.run(self.gate.wait), Refused).value
        self.assertEqual((refused.status, refused.headers), (503, (("Retry-After", "10"),)))
        self.gate.set()
        self.assertEqual(await gatherResults(jobs), [True] * 5)

    async def test_all_take_turns(self) -> None:
        ran = []
        held = [self.workers.run(self.gate.wait) for _ in range(2)]
        for job in (1, 2):
            held.append(self.workers.run(partial(ran.append, f"1.{job}"), "192.0.2.1"))
        held.append(self.workers.run(partial(ran.append, "2"), "192.0.2.2"))
        self.workers._threads = 1  # so that the order can be told
        self.gate.set()
        await gatherResults(held)
        self.assertEqual(ran, ["1.1", "2", "1.2"])

    async def test_who_has_most_waiting_is_refused(self) -> None:
        held = [self.workers.run(self.gate.wait) for _ in range(2)]
        flood = [self.workers.run(self.gate.wait, "192.0.2.1") for _ in range(6)]
        for each in flood[3:]:
            self.failureResultOf(each, Refused)
        other = self.workers.run(self.gate.wait, "192.0.2.2")
        self.failureResultOf(flood[2], Refused)
        ours = self.workers.run(self.gate.wait)
        self.failureResultOf(flood[1], Refused)
        late = self.workers.run(self.gate.wait, "192.0.2.3")  # all have one: who comes is refused
        self.failureResultOf(late, Refused)
        self.gate.set()
        self.assertEqual(await gatherResults([*held, flood[0], other, ours]), [True] * 5)
        self.assertFalse(self.workers._lines or self.workers._waiting)

    async def test_who_goes_away_leaves_the_line(self) -> None:
        ran = []
        jobs = [self.workers.run(self.gate.wait) for _ in range(2)]
        waiting = [self.workers.run(lambda: ran.append(1)) for _ in range(3)]
        for each in waiting:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        last = self.workers.run(lambda: ran.append(2))
        jobs[0].cancel()  # it is running: nobody waits for it any more
        self.failureResultOf(jobs[0], CancelledError)
        self.gate.set()
        await last
        self.assertEqual(ran, [2])

    async def test_stop(self) -> None:
        jobs = [self.workers.run(self.gate.wait) for _ in range(3)]
        self.gate.set()
        self.workers.stop()
        self.failureResultOf(jobs[2], CancelledError)
        await gatherResults(jobs[:2])
