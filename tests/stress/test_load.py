"""The charge points of a load, message by message, on a clock."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import CannotConnect
from tests.stress.support import Loaded, ServersEnd

ACCEPTED = {"status": "Accepted", "currentTime": "2026-01-02T03:04:05Z", "interval": 300}


class LoadTestCase(SynchronousTestCase):
    def loaded(self, measure: bool = True, **more: object) -> ServersEnd:
        """A load whose one charge point is connected; it begins to send."""
        self.all = Loaded(**more)
        end = self.all.doors.lets_in()
        if measure:
            self.all.load.measure()
            self.all.passes(0.01)
        return end

    def finishes(self) -> None:
        """The load comes to its end, and then the books balance."""
        self.all.load.stop()
        self.all.passes(6)
        self.successResultOf(self.all.load.finished)
        tally = self.all.tally
        self.assertEqual(tally.due, tally.answered + tally.failed.total())
        self.assertEqual(tally.answered, tally.latency.count)
        self.assertEqual(tally.answered, tally.service.count)


class AnswerTests(LoadTestCase):
    def test_a_request_in_its_turn_and_its_answer(self) -> None:
        end = self.loaded()
        first = end.answers()
        self.assertEqual(first[:1] + first[2:], [2, "Heartbeat", {}])
        self.all.passes(0.9)
        self.assertEqual(end.hears(), [])
        self.all.passes(0.1)
        second = end.answers()
        self.assertNotEqual(first[1], second[1])
        tally = self.all.tally
        self.assertEqual((tally.sent, tally.answered, tally.failed.total()), (2, 2, 0))
        self.assertTrue(tally.faultless)

    def test_the_time_until_the_answer(self) -> None:
        end = self.loaded()
        self.all.passes(0.25)
        end.answers()
        self.assertApproximates(self.all.tally.latency.maximum, 250_000, 11_000)
        self.assertApproximates(self.all.tally.service.maximum, 250_000, 11_000)

    def test_who_waits_for_an_answer_has_waited_since_the_request_was_due(self) -> None:
        end = self.loaded()
        self.all.passes(3.5)
        end.answers()  # to the first; three more have been due since
        self.assertEqual(self.all.tally.due, 4)
        for _ in range(3):
            end.answers()  # at once
        self.assertEqual(end.hears(), [])
        tally = self.all.tally
        self.assertEqual((tally.sent, tally.answered), (4, 4))
        self.assertApproximates(tally.service.total, 3_500_000, 60_000)
        self.assertApproximates(tally.latency.total, (3.5 + 2.5 + 1.5 + 0.5) * 1e6, 60_000)

    def test_one_call_at_a_time(self) -> None:
        end = self.loaded(rate=50.0)
        self.all.passes(2)
        self.assertEqual(len(end.hears()), 1)

    def test_an_answer_may_be_written_in_any_way(self) -> None:
        end = self.loaded()
        for form in ('[3, "%s", {}]', ' [ 3 ,\n"%s",{"currentTime":"]"} ] ', '[3,"%s",{"a":[]}]'):
            (call,) = end.hears()
            end.receiver.receive((form % call[1]).encode())
            self.all.passes(1)
        self.assertEqual((self.all.tally.answered, self.all.tally.failed.total()), (3, 0))

    def test_an_answer_to_nothing(self) -> None:
        end = self.loaded()
        (call,) = end.hears()
        end.says(3, call[1] + "1", {})
        end.says(3, call[1][:-1], {})
        end.says(4, "other", "GenericError", "", {})
        self.assertEqual((self.all.tally.answered, self.all.tally.unexpected), (0, 3))
        end.says(3, call[1], {})
        end.says(3, call[1], {})
        self.assertEqual((self.all.tally.answered, self.all.tally.unexpected), (1, 4))
        self.assertFalse(self.all.tally.faultless)

    def test_an_answer_that_is_cut_off(self) -> None:
        end = self.loaded()
        (call,) = end.hears()
        end.receiver.receive(f'[3,"{call[1]}",{{}}'.encode())
        self.assertEqual((self.all.tally.answered, self.all.tally.unreadable), (0, 1))

    def test_a_call_error_is_a_failure_with_its_code(self) -> None:
        end = self.loaded()
        for form in ([4, "InternalError", "sorry", {}], [4, "InternalError", ""]):
            (call,) = end.hears()
            end.says(form[0], call[1], *form[1:])
            self.all.passes(1)
        self.assertEqual(self.all.tally.failed, {"CALLERROR InternalError": 2})
        self.assertEqual(len(end.hears()), 1, "it goes on")

    def test_no_answer_in_time(self) -> None:
        end = self.loaded(rate=0.5)
        (call,) = end.hears()
        self.all.passes(7)
        self.assertEqual(self.all.tally.failed, {"no answer in time": 1})
        end.says(3, call[1], {})  # too late
        self.assertEqual((self.all.tally.answered, self.all.tally.unexpected), (0, 1))
        self.assertEqual(len(end.hears()), 1, "the next one has been sent")
        self.finishes()

    def test_a_mix_in_its_order(self) -> None:
        end = self.loaded(kind="mix")
        actions = []
        for _ in range(5):
            actions.append(end.answers()[2])
            self.all.passes(1)
        turns = ["MeterValues", "Heartbeat", "MeterValues", "StatusNotification"] * 3
        self.assertIn(" ".join(actions), " ".join(turns))

    def test_ids_are_those_of_one_run_and_short(self) -> None:
        end = self.loaded(run="01234567", first=2, step=3, connections=3)
        self.all.passes(1)
        call = end.answers()
        self.assertTrue(re.fullmatch(r"01234567-2-[0-9a-f]+", call[1]), call)

    def test_several_processes_take_turns(self) -> None:
        for first in (0, 1):
            end = self.loaded(measure=False, first=first, step=2, connections=4)
            self.all.load.measure()
            self.all.passes(0.1)
            self.assertEqual(len(end.hears()), 1 - first)
            self.all.passes(0.2)
            self.assertEqual(len(end.hears()), first)


class EndTests(LoadTestCase):
    def test_after_its_time_it_waits_for_the_last_answers(self) -> None:
        end = self.loaded(duration=2.0)
        end.answers()
        self.all.passes(1)
        end.answers()
        self.all.passes(0.98)
        self.assertNoResult(self.all.load.finished)
        self.all.passes(0.1)
        self.successResultOf(self.all.load.finished)
        tally = self.all.tally
        self.assertEqual((tally.due, tally.answered, tally.answered_in_time), (2, 2, 2))
        self.assertApproximates(tally.seconds, 2.0, 0.02)

    def test_a_late_answer_counts_but_not_for_the_rate(self) -> None:
        end = self.loaded(duration=1.0)
        self.all.passes(3)
        self.assertNoResult(self.all.load.finished)
        end.answers()
        self.all.passes(0.1)
        self.successResultOf(self.all.load.finished)
        self.assertEqual((self.all.tally.answered, self.all.tally.answered_in_time), (1, 0))

    def test_what_has_no_answer_in_the_end_has_failed(self) -> None:
        self.loaded(duration=3.0, timeout=2.0)
        self.all.passes(10)
        self.successResultOf(self.all.load.finished)
        tally = self.all.tally
        self.assertEqual((tally.due, tally.answered, tally.failed.total()), (3, 0, 3))

    def test_what_was_never_sent_has_failed(self) -> None:
        end = self.loaded(rate=10.0, duration=1.0)
        self.all.passes(10)
        self.assertEqual(self.all.tally.sent, 2)
        self.assertEqual(
            self.all.tally.failed,
            {"no answer in time": 2, "never sent: the one before had no answer": 8},
        )
        self.assertEqual(len(end.hears()), 2)

    def test_stopped_early(self) -> None:
        end = self.loaded()
        self.all.passes(3.2)
        for _ in range(4):
            end.answers()
        self.finishes()
        self.assertEqual((self.all.tally.due, self.all.tally.answered), (4, 4))
        self.assertApproximates(self.all.tally.seconds, 3.2, 0.05)
        self.all.load.stop()  # again: nothing happens

    def test_stopped_before_it_has_begun(self) -> None:
        self.loaded(measure=False)
        self.finishes()
        self.assertEqual(self.all.tally.due, 0)

    def test_it_says_goodbye(self) -> None:
        end = self.loaded(connections=2)
        self.all.passes(0.01)
        self.finishes()
        self.assertIsNone(end.closed)
        closed = self.all.load.close()
        self.assertEqual(end.closed, (1000, "the load has ended"))
        late = self.all.doors.lets_in()  # whose handshake was still going on
        self.assertEqual(late.closed, (1000, "the load has ended"))
        self.all.passes(1)
        self.successResultOf(closed)
        self.assertEqual(self.all.tally.lost, {})
        self.assertEqual(self.all.doors.waiting, [])
        self.assertEqual(self.all.clock.getDelayedCalls(), [])


class ConnectionTests(LoadTestCase):
    def test_where_to(self) -> None:
        self.all = Loaded(
            connections=7,
            first=1,
            step=2,
            urls=["ws://127.0.0.1:9000/ocpp", "ws://127.0.0.1:9001/"],
            sources=["127.0.0.2", "127.0.0.3", "127.0.0.4"],
            prefix="a/b ",
            password="secret",
        )
        self.all.passes(0.1)
        targets = [target for target, _, _ in self.all.doors.waiting]
        self.assertEqual(
            [(target.url, target.source) for target in targets],
            [
                ("ws://127.0.0.1:9001/a%2Fb%201", "127.0.0.3"),
                ("ws://127.0.0.1:9001/a%2Fb%203", "127.0.0.2"),
                ("ws://127.0.0.1:9001/a%2Fb%205", "127.0.0.4"),
            ],
        )
        self.assertEqual(targets[0].password, b"secret")

    def test_ids_of_a_file(self) -> None:
        path = self.mktemp()
        Path(path).write_text("one\n\n two \nthree\nfour\nfive\n", encoding="utf-8")
        self.all = Loaded(connections=4, first=1, step=2, ids=path)
        self.all.passes(0.1)
        self.assertEqual([target.id for target, _, _ in self.all.doors.waiting], ["two", "four"])

    def test_as_many_on_their_way_as_two_seconds_bring(self) -> None:
        self.all = Loaded(connections=50, ramp=10.0)
        self.all.passes(10)
        self.assertEqual(len(self.all.doors.waiting), 20)
        for _ in range(15):
            self.all.doors.lets_in()
            self.all.doors.refuses(CannotConnect("no"))
            self.all.passes(0.2)
        self.all.passes(5)
        self.assertEqual(self.all.tally.settled, 30)
        self.assertEqual(len(self.all.doors.waiting), 20)

    def test_refused_and_again_later(self) -> None:
        self.all = Loaded()
        (target, _, _) = self.all.doors.waiting[0]
        self.all.doors.refuses(CannotConnect(f"{target.url}: it answers 503 Busy", 503))
        self.assertEqual(self.all.tally.refused, {"it answers 503 Busy": 1})
        self.assertEqual(self.all.tally.settled, 1)
        self.all.passes(0.9)
        self.assertEqual(self.all.doors.waiting, [])
        self.all.passes(1.2)
        self.all.doors.lets_in()
        tally = self.all.tally
        self.assertEqual((tally.open, tally.opened, tally.reopened, tally.settled), (1, 1, 0, 1))

    def test_it_waits_longer_each_time(self) -> None:
        self.all = Loaded()
        waits = []
        for _ in range(4):
            self.all.doors.refuses(CannotConnect("no"))
            begun = self.all.clock.seconds()
            while not self.all.doors.waiting:
                self.all.passes(0.01)
            waits.append(self.all.clock.seconds() - begun)
        for wait, least in zip(waits, (1, 2, 4, 8), strict=True):
            self.assertTrue(least <= wait <= least + 1.1, waits)

    def test_as_long_as_the_server_wants(self) -> None:
        self.all = Loaded()
        self.all.doors.refuses(CannotConnect("no", 503, 20.0))
        self.all.passes(19)
        self.assertEqual(self.all.doors.waiting, [])
        self.all.passes(2)
        self.assertEqual(len(self.all.doors.waiting), 1)

    def test_a_connection_is_lost_with_a_request_open(self) -> None:
        end = self.loaded()
        self.all.passes(2.5)
        end.hangs_up("the server has crashed")
        tally = self.all.tally
        self.assertEqual((tally.open, tally.lost), (0, {"the server has crashed": 1}))
        self.assertEqual(tally.failed, {"connection lost": 3})
        self.all.passes(1)
        self.assertEqual(self.all.tally.failed["not connected when due"], 1)
        self.all.passes(1.5)
        end = self.all.doors.lets_in()
        self.assertEqual((self.all.tally.open, self.all.tally.reopened), (1, 1))
        self.all.passes(1)
        end.answers()
        self.finishes()

    def test_the_server_begins_to_close(self) -> None:
        end = self.loaded()
        end.receiver.closing()
        self.assertEqual(self.all.tally.failed, {"connection lost": 1})
        end.hears()
        self.all.passes(1.5)
        self.assertEqual(end.hears(), [])
        end.hangs_up("the central system closed with 1001")
        self.assertEqual(self.all.tally.lost, {"the central system closed with 1001": 1})
        self.assertEqual(self.all.tally.open, 0)

    def test_nobody_comes_again_after_the_end(self) -> None:
        end = self.loaded()
        self.all.load.stop()
        end.hangs_up()
        self.all.passes(10)
        self.assertEqual(self.all.doors.waiting, [])
        self.finishes()


class BootTests(LoadTestCase):
    def test_it_boots_first(self) -> None:
        end = self.loaded(measure=False, boot=True)
        self.assertEqual(self.all.tally.open, 0)
        call = end.answers(ACCEPTED)
        self.assertEqual(call[2], "BootNotification")
        tally = self.all.tally
        self.assertEqual((tally.open, tally.opened, tally.settled), (1, 1, 1))
        self.assertEqual((tally.sent, tally.answered), (0, 0), "it is not measured")

    def test_not_again_after_a_reconnect(self) -> None:
        end = self.loaded(measure=False, boot=True)
        end.answers(ACCEPTED)
        end.hangs_up()
        self.all.passes(3)
        end = self.all.doors.lets_in()
        self.assertEqual(end.hears(), [])
        self.assertEqual((self.all.tally.open, self.all.tally.reopened), (1, 1))

    def test_who_is_not_accepted_asks_again_after_the_interval(self) -> None:
        end = self.loaded(measure=False, boot=True)
        end.answers({**ACCEPTED, "status": "Pending", "interval": 20})
        self.assertEqual(end.closed, (1000, "BootNotification is not accepted"))
        self.assertEqual(self.all.tally.refused, {"BootNotification: Pending": 1})
        self.assertEqual((self.all.tally.open, self.all.tally.lost), (0, {}))
        self.all.passes(19)
        self.assertEqual(self.all.doors.waiting, [])
        self.all.passes(3)
        self.all.doors.lets_in().answers(ACCEPTED)
        self.assertEqual((self.all.tally.open, self.all.tally.opened), (1, 1))

    def refused(self, why: str) -> None:
        self.assertEqual(self.all.tally.refused, {f"BootNotification: {why}": 1})
        self.assertEqual((self.all.tally.settled, self.all.tally.open), (1, 0))
        self.assertEqual((self.all.tally.lost, self.all.tally.failed), ({}, {}))

    def test_a_call_error(self) -> None:
        end = self.loaded(measure=False, boot=True)
        (call,) = end.hears()
        end.says(4, call[1], "SecurityError", "", {})
        self.refused("CALLERROR SecurityError")

    def test_no_answer(self) -> None:
        end = self.loaded(measure=False, boot=True)
        self.all.passes(7)
        self.refused("no answer in time")
        self.assertIsNotNone(end.closed)

    def test_an_answer_that_is_none(self) -> None:
        end = self.loaded(measure=False, boot=True)
        end.answers({"currentTime": "2026"})
        self.refused("its answer cannot be read: Object missing required field `status`")

    def test_the_connection_ends(self) -> None:
        end = self.loaded(measure=False, boot=True)
        end.hangs_up()
        self.refused("the connection ended before its answer")

    def test_until_then_its_turns_fail(self) -> None:
        end = self.loaded(boot=True)
        self.assertEqual(self.all.tally.failed, {"not connected when due": 1})
        end.answers(ACCEPTED)
        self.all.passes(1)
        self.assertEqual(end.answers()[2], "Heartbeat")


class ServersCallTests(LoadTestCase):
    """What the server asks is answered, in the form of the version."""

    def answer(self, version: str, *call: object) -> list[object]:
        end = self.loaded(measure=False, version=version)
        end.says(*call)
        self.assertEqual(self.all.tally.called, 1)
        self.assertEqual(self.all.tally.unexpected, 0)
        return end.hears()

    def test_an_action_that_is_known(self) -> None:
        for version in ("1.6", "2.0.1", "2.1"):
            self.assertEqual(
                self.answer(version, 2, "c1", "ClearCache", {}),
                [[4, "c1", "NotSupported", "ClearCache is not supported here", {}]],
            )

    def test_an_action_that_is_not(self) -> None:
        for version in ("1.6", "2.0.1"):
            ((kind, message_id, code, _, _),) = self.answer(version, 2, "c1", "Dance", {})
            self.assertEqual((kind, message_id, code), (4, "c1", "NotImplemented"))

    def test_a_send_is_not_answered(self) -> None:
        self.assertEqual(self.answer("2.1", 6, "s1", "NotifyPeriodicEventStream", {}), [])

    def test_what_is_no_ocpp(self) -> None:
        for version, replies in (("1.6", []), ("2.0.1", [[4, "-1", "RpcFrameworkError"]])):
            end = self.loaded(measure=False, version=version)
            end.receiver.receive(b"\x00nonsense")
            self.assertEqual(self.all.tally.unreadable, 1)
            self.assertEqual([reply[:3] for reply in end.hears()], replies)

    def test_in_between_its_own(self) -> None:
        end = self.loaded()
        (call,) = end.hears()
        end.says(2, call[1], "ClearCache", {})
        self.assertEqual(end.hears()[0][:3], [4, call[1], "NotSupported"])
        end.says(3, call[1], {})
        self.assertEqual((self.all.tally.answered, self.all.tally.called), (1, 1))
