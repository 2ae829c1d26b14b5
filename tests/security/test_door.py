"""The doorkeeper: who comes in under which security profile, and what the others are told."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any, ClassVar

from twisted.cred.checkers import (
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.identity import Identity
from ocpp_twisted.security.door import Doorkeeper
from ocpp_twisted.security.handshake import Handshake, Refused, SecurityProfile
from ocpp_twisted.security.passwords import Passwords
from ocpp_twisted.security.records import DoorRecord, MemoryDoorRecords

NONE, BASIC, TLS_BASIC, CERTIFICATE = SecurityProfile
CP1 = Identity("CP1")
KEY = bytes.fromhex("0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF")  # OCPP-J 1.6, section 6.2
CHALLENGE = (("WWW-Authenticate", 'Basic realm="OCPP", charset="UTF-8"'),)


def basic(user: str | bytes, password: str | bytes) -> str:
    """A header Authorization."""
    user, password = (each.encode() if isinstance(each, str) else each for each in (user, password))
    return f"Basic {b64encode(user + b':' + password).decode()}"


class DoorTestCase(SynchronousTestCase):
    options: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        self.checked = 0

        def run(job, whose):
            self.checked += 1
            return maybeDeferred(job)

        self.passwords = Passwords(run)
        self.records = MemoryDoorRecords(Passwords())
        self.door = Doorkeeper(self.records, self.passwords, **self.options)

    def asks(self, profile, authorization="", identity=CP1, **more) -> Deferred:
        return self.door.admit(
            Handshake(identity=identity, profile=profile, authorization=authorization, **more)
        )

    def comes_in(self, *arguments, **more) -> None:
        self.assertIsNone(self.successResultOf(self.asks(*arguments, **more)))

    def refused(self, *arguments, **more) -> tuple[int, str]:
        """The status, and what the log gets."""
        self.refusal = self.failureResultOf(self.asks(*arguments, **more), Refused).value
        return self.refusal.status, self.refusal.detail

    def record(self, identity=CP1) -> DoorRecord:
        return self.successResultOf(self.records.door(identity))

    def enter(self, password: bytes = KEY, identity=CP1) -> None:
        self.successResultOf(self.records.set_password(identity, password))


class NothingToProveTests(DoorTestCase):
    def test_whoever_comes(self) -> None:
        self.comes_in(NONE)
        self.comes_in(NONE, basic("other", "password"))
        self.assertEqual((self.record(), self.checked), (DoorRecord(), 0))

    def test_the_records_are_away(self) -> None:
        self.records.door = lambda identity: fail(RecordsUnavailable("the disk is full"))
        for profile in (NONE, BASIC):
            self.assertEqual(self.refused(profile), (503, ""))
            self.assertEqual(self.refusal.headers, (("Retry-After", "10"),))
            self.assertNotIn("disk", self.refusal.reason)

    def test_where_nobody_has_to_prove_anything_they_are_not_needed(self) -> None:
        self.records.door = lambda identity: fail(RecordsUnavailable("the disk is full"))
        self.door = Doorkeeper(self.records, self.passwords, records_needed=False)
        self.comes_in(NONE)
        self.assertEqual(self.refused(BASIC), (503, ""))


class PasswordTests(DoorTestCase):
    def test_the_right_one(self) -> None:
        self.enter()
        self.comes_in(BASIC, basic("CP1", KEY))
        self.comes_in(BASIC, basic("CP1", KEY).replace("Basic ", "basic  "))
        self.comes_in(BASIC, "Basic Q1AxOgABAgMEBQYH////////////////")

    def test_the_hexadecimal_digits_instead(self) -> None:
        self.enter()
        self.comes_in(BASIC, basic("CP1", KEY.hex()))
        self.comes_in(BASIC, basic("CP1", KEY.hex().upper()))

    def test_colons(self) -> None:
        for id_ in ("DE:1:2", "DE:1"):
            self.enter(b"2:p", Identity(id_))
            self.comes_in(BASIC, basic(id_, "2:p"), identity=Identity(id_))
        self.enter(b"p", Identity("DE:1"))
        self.assertEqual(self.refused(BASIC, basic("DE:1:2", "p"), Identity("DE:1"))[0], 401)

    def test_ids_and_passwords_that_are_not_ascii(self) -> None:
        identity = Identity("S\u00fcd")
        self.enter(b"\xff\0", identity)
        for encoding in ("utf-8", "latin-1"):
            self.comes_in(BASIC, basic("S\u00fcd".encode(encoding), b"\xff\0"), identity)
        greek = Identity("\u03a9a")
        self.enter(b"p", greek)
        self.comes_in(BASIC, basic("\u03a9a", "p"), greek)
        self.assertEqual(self.refused(BASIC, basic("?a", "p"), greek)[0], 401)

    def test_none_or_a_wrong_one(self) -> None:
        self.enter()
        for authorization, detail in (
            ("", "it has sent no password"),
            (basic("CP1", "wrong"), "the password is wrong"),
            (basic("CP1", ""), "its password is empty"),
            (basic("CP2", KEY), "the user name is not its id"),
            (basic("CP", KEY), "the user name is not its id"),
            (basic("CP1Invalid", KEY), "the user name is not its id"),
            ("Basic %%%", "its header Authorization is not as it should be: Basic, then base64"),
            ("Basic", "the user name is not its id"),
            ("Bearer x", "its header Authorization is not as it should be: Basic, then base64"),
        ):
            self.assertEqual(self.refused(BASIC, authorization), (401, detail))
            self.assertEqual(
                (self.refusal.headers, self.refusal.reason),
                (CHALLENGE, "the charge point's id and its password are needed"),
            )
        self.assertEqual(self.record().profile, NONE)

    def test_another_charge_points(self) -> None:
        self.enter()
        self.enter(b"other", Identity("CP1", "depot"))
        self.assertEqual(self.refused(BASIC, basic("CP1", KEY), Identity("CP1", "depot"))[0], 401)

    def test_it_is_not_known(self) -> None:
        self.assertEqual(self.refused(BASIC, basic("CP1", KEY)), (404, ""))
        self.assertEqual((self.refused(BASIC), self.checked), ((404, ""), 0))

    def test_it_has_none(self) -> None:
        self.successResultOf(self.records.allow_profile(CP1, NONE))
        self.assertEqual(self.refused(BASIC, basic("CP1", KEY)), (401, "it has no password here"))

    def test_back_again(self) -> None:
        self.enter()
        for _ in range(3):
            self.comes_in(BASIC, basic("CP1", KEY))
        self.assertEqual(self.checked, 1)
        self.enter(b"changed")
        self.assertEqual(self.refused(BASIC, basic("CP1", KEY))[0], 401)

    def test_it_goes_away_meanwhile(self) -> None:
        self.enter()
        forgotten = []
        self.door = Doorkeeper(
            self.records, Passwords(lambda job, whose: Deferred(forgotten.append))
        )
        asked = self.asks(BASIC, basic("CP1", KEY))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(len(forgotten), 1)


class TwoPasswordsTests(DoorTestCase):
    """One in force, others perhaps (A01)."""

    def setUp(self) -> None:
        super().setUp()
        self.enter(b"old")
        for perhaps in (b"first", b"second"):
            self.successResultOf(self.records.expect_password(CP1, perhaps))

    def good(self) -> list[str]:
        record, found = self.record(), []
        for password in ("old", "first", "second"):
            if self.successResultOf(Passwords().fitting(password.encode(), record.passwords)):
                found.append(password)
        return found

    def test_the_old_one_is_used(self) -> None:
        self.comes_in(BASIC, basic("CP1", "old"))
        self.assertEqual(self.good(), ["old", "first", "second"])

    def test_the_first_is_used(self) -> None:
        self.comes_in(BASIC, basic("CP1", "first"))
        self.assertEqual(self.good(), ["first", "second"])
        self.assertEqual(self.refused(BASIC, basic("CP1", "old"))[0], 401)

    def test_the_second_is_used(self) -> None:
        self.comes_in(BASIC, basic("CP1", "second"))
        self.assertEqual(self.good(), ["second"])

    def test_one_is_refused(self) -> None:
        self.successResultOf(self.records.password_refused(CP1, b"first"))
        self.successResultOf(self.records.password_refused(CP1, b"old"))  # it is in force
        self.assertEqual(self.good(), ["old", "second"])

    def test_so_many_are_kept(self) -> None:
        for number in range(3):
            self.successResultOf(self.records.expect_password(CP1, b"%d" % number))
        self.assertEqual(self.good(), ["old", "second"])
        self.assertEqual(len(self.record().passwords), 5)

    def test_a_new_one_is_entered(self) -> None:
        self.enter(b"new")
        self.assertEqual(self.good(), [])
        self.comes_in(BASIC, basic("CP1", "new"))

    def test_they_are_not_shown(self) -> None:
        self.assertNotIn("scrypt", repr(self.record()))


class ProfileTests(DoorTestCase):
    def test_it_only_goes_up(self) -> None:
        self.enter()
        self.comes_in(NONE)
        self.comes_in(BASIC, basic("CP1", KEY))
        self.assertEqual(self.refused(NONE)[0], 403)
        self.comes_in(TLS_BASIC, basic("CP1", KEY))
        self.assertEqual(
            self.refused(BASIC, basic("CP1", KEY)),
            (
                403,
                "it has used security profile 2, and comes with 1: an operator can allow that",
            ),
        )
        self.assertEqual(self.record().profile, TLS_BASIC)

    def test_who_proves_nothing_does_not_raise_it(self) -> None:
        self.enter()
        self.refused(TLS_BASIC, basic("CP1", "wrong"))
        self.comes_in(NONE)

    def test_an_operator_allows_a_lower_one(self) -> None:
        self.enter()
        self.comes_in(TLS_BASIC, basic("CP1", KEY))
        self.successResultOf(self.records.allow_profile(CP1, BASIC))
        self.comes_in(BASIC, basic("CP1", KEY))
        self.assertEqual(self.refused(NONE)[0], 403)


class NamesBinding:
    """Who is named, by a certificate or a proxy, is who it is; a test needs no certificate."""

    def fault(self, certificate, identity, serial_number):
        return "" if certificate in (identity.id, serial_number) else f"it is for {certificate}"

    def names_fault(self, names, identity, serial_number):
        return "" if identity.id in names else f"it is for {names}"


class CertificateTests(DoorTestCase):
    options: ClassVar[dict[str, Any]] = {"binding": NamesBinding()}

    def test_its_own(self) -> None:
        self.comes_in(CERTIFICATE, certificate="CP1")
        self.assertEqual(self.record().profile, CERTIFICATE)
        self.assertEqual(self.refused(NONE)[0], 403)

    def test_by_its_serial_number(self) -> None:
        self.records._records[CP1] = DoorRecord(serial_number="S1")
        self.comes_in(CERTIFICATE, certificate="S1")

    def test_from_a_proxy(self) -> None:
        self.comes_in(CERTIFICATE, names=["CP1"], certificate="the proxy")
        self.assertEqual(
            self.refused(CERTIFICATE, names=["CP2"], certificate="CP1"), (403, "it is for ['CP2']")
        )

    def test_none_or_another(self) -> None:
        for certificate, detail in ((None, "it has no client certificate"), ("X", "it is for X")):
            asked = self.refused(CERTIFICATE, basic("CP1", KEY), certificate=certificate)
            self.assertEqual(asked, (403, detail))
        self.assertEqual(self.record().profile, NONE)

    def test_no_rule(self) -> None:
        self.door = Doorkeeper(self.records, self.passwords)
        self.assertEqual(self.refused(CERTIFICATE, certificate="CP1")[0], 403)


class CheckersTests(DoorTestCase):
    """The usual checkers of twisted.cred."""

    def ask(self, *checkers) -> None:
        self.door = Doorkeeper(self.records, self.passwords, checkers)

    def test_in_memory(self) -> None:
        self.ask(InMemoryUsernamePasswordDatabaseDontUse(CP1=b"secret"))
        self.comes_in(TLS_BASIC, basic("CP1", "secret"))
        self.assertEqual(self.record().profile, TLS_BASIC)
        self.assertEqual(self.refused(TLS_BASIC, basic("CP1", "wrong"))[0], 401)

    def test_who_is_unknown_may_be_known_to_one(self) -> None:
        self.ask(InMemoryUsernamePasswordDatabaseDontUse(CP1=b"secret"))
        self.assertEqual(self.refused(BASIC, identity=Identity("CP9"))[0], 401)

    def test_a_file(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"CP1:secret\nCP2:\xff\n")
        self.ask(FilePasswordDB(str(path)))
        self.comes_in(BASIC, basic("CP1", "secret"))
        self.comes_in(BASIC, basic("CP2", b"\xff"), identity=Identity("CP2"))
        self.assertEqual(self.refused(BASIC, basic("CP1", b"\xff"))[0], 401)

    def test_in_their_order(self) -> None:
        self.enter(b"one")
        self.ask(
            InMemoryUsernamePasswordDatabaseDontUse(CP1=b"two"),
            InMemoryUsernamePasswordDatabaseDontUse(CP1=b"three"),
        )
        for password in ("one", "two", "three"):
            self.comes_in(BASIC, basic("CP1", password))
        self.assertEqual(self.refused(BASIC, basic("CP1", "four"))[0], 401)

    def test_one_that_fails(self) -> None:
        @implementer(ICredentialsChecker)
        class Failing:
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials):
                credentials.password.decode("ascii")
                raise AssertionError(credentials.password)

        self.ask(Failing(), InMemoryUsernamePasswordDatabaseDontUse(CP1=b"\xffsecret"))
        with capturedLogs() as events:
            self.comes_in(BASIC, basic("CP1", b"\xffsecret"))
        self.assertIn("UnicodeDecodeError", str(events))
        self.assertNotIn("secret", str(events))


class KnownOnlyTests(DoorTestCase):
    options: ClassVar[dict[str, Any]] = {"known_only": True, "binding": NamesBinding()}

    def test_who_is_not_entered(self) -> None:
        for profile in SecurityProfile:
            self.assertEqual(self.refused(profile, certificate="CP1"), (404, ""))
        self.successResultOf(self.records.allow_profile(CP1, NONE))  # known, and not entered
        self.assertEqual(self.refused(NONE), (404, ""))

    def test_who_is_entered(self) -> None:
        self.enter()
        self.comes_in(NONE)
        self.comes_in(BASIC, basic("CP1", KEY))
        self.comes_in(CERTIFICATE, certificate="CP1")


class HideUnknownTests(DoorTestCase):
    options: ClassVar[dict[str, Any]] = {"hide_unknown": True, "binding": NamesBinding()}

    def test_a_password_is_checked_all_the_same(self) -> None:
        self.enter(identity=Identity("CP2"))
        answers, hashes = [], []
        fitting = self.passwords.fitting

        def watched(password, known, whose):
            hashes.append([each.split("$")[1] for each in known])
            return fitting(password, known, whose)

        self.patch(self.passwords, "fitting", watched)
        for identity in (CP1, Identity("CP2")):
            self.refused(BASIC, basic(identity.id, "wrong"), identity)
            answers.append((self.refusal.status, self.refusal.reason, self.refusal.headers))
        self.assertEqual(answers[0], answers[1])
        self.assertEqual((answers[0][0], self.checked), (401, 2))
        self.assertEqual(hashes, [["ln=12,r=8,p=1"]] * 2)

    def test_without_a_password(self) -> None:
        self.assertEqual(self.refused(BASIC)[0], 401)


class HideUnknownAndKnownOnlyTests(DoorTestCase):
    options: ClassVar[dict[str, Any]] = {
        "hide_unknown": True,
        "known_only": True,
        "binding": NamesBinding(),
    }

    def test_who_is_not_entered(self) -> None:
        self.assertEqual(self.refused(BASIC, basic("CP1", KEY))[0], 401)
        self.assertEqual(self.refused(CERTIFICATE, certificate="CP1")[0], 403)
        self.assertEqual(self.refused(NONE)[0], 404)  # there is nothing else to be wrong

    def test_who_is_known_to_a_checker_only(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(CP1=b"secret")
        self.door = Doorkeeper(self.records, self.passwords, [checker], **self.options)
        self.assertEqual(self.refused(BASIC, basic("CP1", "secret"))[0], 401)
