"""A recording is played to plug-ins, and what they answer is compared with what was answered."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ocpp_twisted import v16, v201
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFault,
    CallTimedOut,
    ConfigurationError,
    ErrorCode,
    InvalidResponse,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugin import ActionPlugin, after, on, on_result
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.recording.lines import Line, encode
from ocpp_twisted.recording.redaction import Pseudonyms
from ocpp_twisted.recording.tap import Tap
from ocpp_twisted.records import Transaction
from ocpp_twisted.replay import Report, replay
from ocpp_twisted.replay.comparison import difference
from tests.support import HEARTBEAT, MemoryTransport, environment

ROOT = Path(__file__).resolve().parents[1]
#: 2026-01-02T03:04:05Z
NOON = 1767323045.0
START = (
    '[2,"s","StartTransaction",'
    '{"connectorId":1,"idTag":"T","meterStart":0,"timestamp":"2026-01-01T00:00:00Z"}]'
)
STOP = (
    '[2,"e","StopTransaction",'
    '{"transactionId":%d,"meterStop":1,"timestamp":"2026-01-01T00:00:00Z"}]'
)


class Recorder:
    """A server that is recorded.

    :ivar data: the lines of the recording.
    """

    def __init__(
        self,
        plugin: ActionPlugin,
        clock: Clock | None = None,
        quirks: Quirks | None = None,
        **more: Any,
    ) -> None:
        self.clock = clock if clock is not None else Clock()
        self.clock.advance(NOON)
        self.data: list[bytes] = []
        self.server = CentralSystem([plugin], self.clock, quirks=quirks)
        self.tap = Tap(
            self.server,
            lambda line: self.data.append(encode(line)),
            now=self.clock.seconds,
            **more,
        )

    def online(self, charge_point: str = "CP1", version: str = "1.6") -> Any:
        self.transport = MemoryTransport()
        return self.tap.connection_made(Identity(charge_point), f"ocpp{version}", self.transport)

    def event(self, event: Any, **more: Any) -> None:
        self.data.append(encode(Line(time="2026-01-02T03:04:05.000Z", event=event, **more)))

    def called(self) -> str:
        """The message id of the last message, which is a CALL."""
        message_type, message_id, *_ = json.loads(self.transport.sent[-1])
        assert message_type == 2
        return str(message_id)


class Tags(ActionPlugin):
    """Accepts the tags that it is told."""

    name = "tags"

    def __init__(self, *tags: str) -> None:
        self.tags = tags

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point, request):
        status = "Accepted" if request.idTag in self.tags else "Invalid"
        return v16.AuthorizeResponse(
            idTagInfo=v16.IdTagInfo(status=v16.AuthorizationStatus(status))
        )


class Asker(LocalPlugin):
    """Calls each charge point that has booted, and keeps what it hears."""

    def __init__(self, asks: bool = True, action: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.asks, self.heard = asks, []

    @after(v16.BootNotificationRequest)
    def booted(self, charge_point, request, response):
        if self.asks:
            charge_point.call(v16.GetConfigurationRequest()).addErrback(self.heard.append)

    @on_result(v16.GetConfigurationRequest, v16.ResetRequest)
    def hears(self, charge_point, request, outcome):
        self.heard.append(outcome)


class Remembering(LocalPlugin):
    """Still knows at its end what it has kept; gives out other ids than a new one."""

    transactions: tuple[Transaction, ...] = ()

    def start(self, caller, config):
        super().start(caller, config)
        self.new_id()

    def stop(self):
        self.list_transactions().addCallback(lambda page: setattr(self, "transactions", page.items))
        return super().stop()


BOOT = '[2,"b","BootNotification",{"chargePointModel":"m","chargePointVendor":"v"}]'


class ReplayTestCase(SynchronousTestCase):
    def played(self, data: list[bytes], *plugins: ActionPlugin, **more: Any) -> Report:
        return self.successResultOf(replay(data, plugins, **more))

    def same(self, data: list[bytes], *plugins: ActionPlugin, **more: Any) -> Report:
        report = self.played(data, *plugins, **more)
        self.assertEqual(report.differences, [], str(report))
        self.assertEqual(report.notes, [])
        return report


class AnswerTests(ReplayTestCase):
    def test_the_same_answers(self) -> None:
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        for message in (BOOT, HEARTBEAT, "nonsense", '[2,"x","Nothing",{}]', '[2,"y","Reset",{}]'):
            recorder.clock.advance(1)
            charge_point.receive(message.encode())
        charge_point.lost("the end")
        report = self.same(recorder.data, LocalPlugin())
        self.assertEqual((report.connections, report.compared, report.lines), (1, 4, 11))

    def test_another_answer(self) -> None:
        recorder = Recorder(Tags("T"))
        recorder.online().receive(b'[2,"a","Authorize",{"idTag":"T"}]')
        report = self.played(recorder.data, Tags())
        (found,) = report.differences
        self.assertEqual(
            (found.where, found.charge_point, found.action, found.place),
            ("line 3", "CP1", "Authorize", "$[2].idTagInfo.status"),
        )
        self.assertEqual(found.recorded, '[3,"a",{"idTagInfo":{"status":"Accepted"}}]')
        self.assertEqual(found.now, '[3,"a",{"idTagInfo":{"status":"Invalid"}}]')
        self.assertIn("1 differences: 3 lines, 1 connections, 1 messages", str(report))
        ignored = self.played(recorder.data, Tags(), ignored=["status"])
        self.assertEqual(ignored.differences, [])

    def test_an_error_instead(self) -> None:
        recorder = Recorder(Tags("T"))
        recorder.online().receive(b'[2,"a","Authorize",{"idTag":"T"}]')
        (found,) = self.played(recorder.data, LocalPluginWithout()).differences
        self.assertIn("NotSupported", found.now)

    def test_no_answer_then_and_none_now(self) -> None:
        never = Later(lambda: Deferred())
        at_once = Later(lambda: None)
        for then, now, recorded in ((never, at_once, "no answer"), (at_once, never, "[3,")):
            recorder = Recorder(then)
            charge_point = recorder.online()
            charge_point.receive(HEARTBEAT.encode())
            charge_point.lost("the end")
            (found,) = self.played(recorder.data, now).differences
            self.assertEqual(found.action, "Heartbeat")
            self.assertTrue(found.recorded.startswith(recorded), found)

    def test_answers_on_the_test_clock(self) -> None:
        def later(clock: Clock) -> Later:
            return Later(lambda: deferLater(clock, 7, lambda: None))

        clock = Clock()
        recorder = Recorder(later(clock), clock)
        charge_point = recorder.online()
        charge_point.receive(HEARTBEAT.encode())
        recorder.clock.advance(7)
        charge_point.lost("the end")
        clock = Clock()
        self.same(recorder.data, later(clock), clock=clock)
        self.assertAlmostEqual(clock.seconds(), NOON + 7, 2)

    def test_an_answer_that_is_later_now(self) -> None:
        clock = Clock()
        recorder = Recorder(Later(lambda: deferLater(clock, 1, lambda: None)), clock)
        charge_point = recorder.online()
        charge_point.receive(HEARTBEAT.encode())
        clock.advance(1)
        clock.advance(9)
        charge_point.lost("the end")
        clock = Clock()
        self.same(recorder.data, Later(lambda: deferLater(clock, 2, lambda: None)), clock=clock)

    def test_the_clock_goes_from_one_thing_to_the_next(self) -> None:
        clock, times = Clock(), []

        def tick() -> None:
            times.append(round(clock.seconds() - NOON))
            if len(times) < 5:
                clock.callLater(2, tick)

        def started() -> None:
            clock.callLater(2, tick)

        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        charge_point.receive(HEARTBEAT.encode())
        recorder.clock.advance(9)
        charge_point.lost("the end")
        self.same(recorder.data, Later(started), clock=clock)
        self.assertEqual(times, [2, 4, 6, 8])

    def test_a_handler_that_is_too_slow(self) -> None:
        never = Later(lambda: Deferred())
        recorder = Recorder(never)
        charge_point = recorder.online()
        charge_point.receive(HEARTBEAT.encode())
        for _ in range(700):
            recorder.clock.advance(0.1)
        charge_point.lost("the end")
        self.assertIn(b"InternalError", recorder.data[2])
        self.same(recorder.data, never)

    def test_transaction_ids_are_translated(self) -> None:
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        charge_point.receive(START.encode())
        (answer,) = recorder.transport.sent
        number = json.loads(answer)[2]["transactionId"]
        charge_point.receive((STOP % number).encode())
        plugin = Remembering()
        self.same(recorder.data, plugin)
        (transaction,) = plugin.transactions
        self.assertNotEqual(transaction.transactionId, number)
        self.assertEqual(transaction.meterStop, 1)

    def test_transaction_ids_that_do_not_agree(self) -> None:
        """The recorded server knew the retry of a StartTransaction; this one does not."""
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        charge_point.receive(START.encode())
        charge_point.receive(START.replace('"s"', '"again"').encode())
        numbers = iter([5, 6])

        class Forgetful(LocalPlugin):
            def start_transaction(self, charge_point, request):
                return v16.StartTransactionResponse(
                    transactionId=next(numbers),
                    idTagInfo=v16.IdTagInfo(status=v16.AuthorizationStatus.Invalid),
                )

        (found,) = self.played(recorder.data, Forgetful()).differences
        self.assertEqual(found.place, "$[2].transactionId")

    def test_hidden_id_tokens(self) -> None:
        recorder = Recorder(LocalPlugin(), pseudonym=Pseudonyms())
        recorder.online().receive(b'[2,"a","Authorize",{"idTag":"T"}]')
        recorder.online("CP2", "2.0.1").receive(
            b'[2,"a","Authorize",{"idToken":{"idToken":"T","type":"Central"}}]'
        )
        self.assertNotIn(b'"T"', b"".join(recorder.data))
        self.same(recorder.data, LocalPlugin())

    def test_hidden_errors_are_the_same_as_any(self) -> None:
        recorder = Recorder(LocalPlugin())
        recorder.online().receive(b'[2,"a","Authorize",{"password":"x"}]')
        self.assertIn(b'"***",{}]', recorder.data[-1])
        self.same(recorder.data, LocalPlugin())

    def test_hidden_details_are_the_same_as_any(self) -> None:
        class Refusing(ActionPlugin):
            name = "refusing"

            @on(v16.ChangeConfigurationRequest)
            def change(self, charge_point, request):
                raise CallFault(ErrorCode.SECURITY_ERROR, "no", {"because": request.value})

        recorder = Recorder(Refusing())
        recorder.online().receive(b'[2,"a","ChangeConfiguration",{"key":"Password","value":"x"}]')
        self.assertIn(b'"SecurityError","***",{}]', recorder.data[-1])
        self.same(recorder.data, Refusing())

    def test_closing(self) -> None:
        class Strict(LocalPlugin):
            def charge_point_online(self, charge_point):
                charge_point.close(1008, "no")

        recorder = Recorder(Strict())
        recorder.online().lost("we closed with 1008")
        self.same(recorder.data, Strict())
        (found,) = self.played(recorder.data, LocalPlugin()).differences
        self.assertEqual((found.recorded, found.now), ("closed with 1008", "it stays open"))

    def test_a_newer_connection_and_the_end_of_the_server(self) -> None:
        recorder = Recorder(LocalPlugin())
        old = recorder.online()
        new = recorder.online()
        old.lost("replaced")
        recorder.server.stop(1)
        new.lost("we closed with 1001")
        self.assertEqual(self.same(recorder.data, LocalPlugin()).connections, 2)


class CallTests(ReplayTestCase):
    def test_a_call_that_the_plugin_makes_again_itself(self) -> None:
        recorder = Recorder(Asker())
        charge_point = recorder.online()
        charge_point.receive(BOOT.encode())
        charge_point.receive(f'[3,"{recorder.called()}",{{"unknownKey":["a"]}}]'.encode())
        charge_point.lost("the end")
        plugin = Asker()
        report = self.same(recorder.data, plugin)
        self.assertEqual((report.called, report.compared), (0, 2))
        self.assertEqual(plugin.heard, [v16.GetConfigurationResponse(unknownKey=["a"])])

    def test_answers_that_are_no_json_or_too_short(self):
        """They are answers all the same: the call of now ends where that of then did."""
        for answer in (
            '[3,"%s",{"listVersion":1e400}]',
            '[3,"%s",{"listVersion":',
            '[3,"%s",' + "[" * 5000 + "]" * 5000 + "]",
            '[3,"%s"]',
            '[4,"%s","GenericError","no",{"a":-1e400}]',
        ):
            recorder = Recorder(Asker())
            charge_point = recorder.online()
            charge_point.receive(BOOT.encode())
            charge_point.receive((answer % recorder.called()).encode())
            charge_point.receive(HEARTBEAT.encode())
            plugin = Asker()
            self.same(recorder.data, plugin)
            caller, listener = plugin.heard
            self.assertIs(caller.value, listener, answer)
            self.assertIsInstance(listener, InvalidResponse)

    def test_a_call_between_two_milliseconds(self) -> None:
        class Timed(LocalPlugin):
            def __init__(self, clock: Clock) -> None:
                super().__init__()
                self.clock = clock

            def charge_point_online(self, charge_point):
                self.clock.callLater(1.0007, self.asks, charge_point)

            def asks(self, charge_point):
                charge_point.call(v16.ClearCacheRequest()).addErrback(lambda failure: None)

        clock = Clock()
        recorder = Recorder(Timed(clock), clock)
        recorder.online()
        clock.advance(1.0007)
        clock = Clock()
        report = self.same(recorder.data, Timed(clock), clock=clock)
        self.assertEqual((report.called, report.compared), (0, 1))

    def test_a_call_that_the_plugin_does_not_make(self) -> None:
        recorder = Recorder(Asker())
        charge_point = recorder.online()
        charge_point.receive(BOOT.encode())
        charge_point.receive(f'[3,"{recorder.called()}",{{}}]'.encode())
        plugin = Asker(asks=False)
        self.assertEqual(self.same(recorder.data, plugin).called, 1)
        self.assertEqual(plugin.heard, [v16.GetConfigurationResponse()])

    def test_calls_that_time_out_or_fail(self) -> None:
        recorder = Recorder(Asker(asks=False))
        charge_point = recorder.online()
        late = recorder.server.call("CP1", v16.ResetRequest(type=v16.ResetType.Soft), timeout=5)
        first = recorder.called()
        error = recorder.server.call("CP1", v16.ResetRequest(type=v16.ResetType.Hard))
        for _ in range(60):
            recorder.clock.advance(0.1)
        self.failureResultOf(late, CallTimedOut)
        charge_point.receive(f'[4,"{recorder.called()}","GenericError","no",{{}}]'.encode())
        self.failureResultOf(error, CallErrorReceived)
        charge_point.receive(f'[3,"{first}",{{"status":"Accepted"}}]'.encode())  # too late
        plugin = Asker(asks=False)
        self.assertEqual(self.same(recorder.data, plugin).called, 2)
        refused, accepted = plugin.heard
        self.assertEqual((refused.code, accepted.status), ("GenericError", "Accepted"))

    def test_a_call_that_was_not_made_then(self) -> None:
        """It is refused, so that those that were recorded have their turn."""
        recorder = Recorder(Asker(asks=False))
        charge_point = recorder.online()
        charge_point.receive(BOOT.encode())
        recorder.server.call("CP1", v16.ResetRequest(type=v16.ResetType.Soft))
        charge_point.receive(f'[3,"{recorder.called()}",{{"status":"Accepted"}}]'.encode())
        charge_point.lost("the end")
        plugin = Asker()
        report = self.played(recorder.data, plugin)
        (found,) = report.differences
        self.assertEqual((found.action, found.recorded), ("GetConfiguration", "no such call"))
        self.assertEqual(report.called, 1)
        self.assertEqual(plugin.heard[-1].status, "Accepted")

    def test_a_call_that_was_not_made_then_and_nothing_after_it(self) -> None:
        recorder = Recorder(Asker(asks=False))
        charge_point = recorder.online()
        charge_point.receive(BOOT.encode())
        charge_point.lost("the end")
        (found,) = self.played(recorder.data, Asker()).differences
        self.assertEqual(found.action, "GetConfiguration")

    def test_secrets_in_calls(self) -> None:
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        recorder.server.call("CP1", v16.ChangeConfigurationRequest(key="Password", value="x"))
        charge_point.receive(f'[3,"{recorder.called()}",{{"status":"Accepted"}}]'.encode())
        self.assertEqual(self.same(recorder.data, LocalPlugin()).called, 1)

    def test_transaction_ids_in_calls(self) -> None:
        recorder = Recorder(LocalPlugin(now=lambda: datetime(2026, 1, 1, tzinfo=UTC)))
        charge_point = recorder.online()
        charge_point.receive(START.encode())
        number = json.loads(recorder.transport.sent[-1])[2]["transactionId"]
        recorder.server.call("CP1", v16.RemoteStopTransactionRequest(transactionId=number))
        charge_point.receive(f'[3,"{recorder.called()}",{{"status":"Accepted"}}]'.encode())
        heard = []

        class Listener(Remembering):
            @on_result(v16.RemoteStopTransactionRequest)
            def stopped(self, charge_point, request, outcome):
                heard.append(request.transactionId)

        plugin = Listener()
        self.same(recorder.data, plugin)
        self.assertEqual(heard, [plugin.transactions[0].transactionId])


class DifferenceTests(SynchronousTestCase):
    def test_values(self) -> None:
        for recorded, now, place in (
            ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, None),
            ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "$.a[1].b"),
            ({"a": 1}, {"a": 1, "b": 2}, "$.b"),
            ({"a": 1, "b": 2}, {"a": 1}, "$.b"),
            ({"t": 1}, {"t": 2}, None),
            ({"t": 1}, {}, "$.t"),
            ([1], [1, 2], "$"),
            (1, True, "$"),
            ("ftp://***@host/", "ftp://user:x@host/", None),
            ("ftp://***@host/", "ftp://user:x@other/", "$"),
            ("***", "", None),
        ):
            self.assertEqual(difference(recorded, now, {"t"}), place)


class HalfTests(ReplayTestCase):
    """Recordings that begin late, end early, or have a hole."""

    def recorded(self) -> list[bytes]:
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        charge_point.receive(HEARTBEAT.encode())
        charge_point.receive(BOOT.encode())
        charge_point.lost("the end")
        return recorder.data

    def test_the_beginning_is_not_there(self) -> None:
        for missing in (1, 2, 3):
            report = self.played(self.recorded()[missing:], LocalPlugin())
            self.assertEqual(report.differences, [])
            self.assertEqual(report.notes, ["line 1: this connection began before the recording"])

    def test_the_end_is_not_there(self) -> None:
        whole = self.recorded()
        for kept in range(1, len(whole)):
            self.same(whole[:kept], LocalPlugin())
        report = self.played([*whole[:3], whole[3][:40]], LocalPlugin())
        self.assertEqual(report.differences, [])
        self.assertEqual(
            report.notes, ["line 4: this is no line of a recording, or the half of one"]
        )

    def test_a_gap(self) -> None:
        for cut in (2, 3, 4):
            recorder = Recorder(LocalPlugin())
            recorder.data = self.recorded()
            recorder.event("gap", lost=1)
            recorder.data[cut - 1 :] = [recorder.data[-1], *recorder.data[cut:-1]]
            report = self.played(recorder.data, LocalPlugin())
            self.assertEqual(report.differences, [], str(report))
            self.assertIn("lines are missing here", report.notes[0])

    def test_a_server_that_was_killed_and_started_again(self) -> None:
        data = self.recorded()[:-1]
        recorder = Recorder(LocalPlugin())
        recorder.event("start")
        plugin = Tally()
        report = self.played([*recorder.data, *data, *recorder.data, *data], plugin)
        self.assertEqual(report.differences, [])
        self.assertEqual(report.connections, 2)
        self.assertEqual(len(report.notes), 1)
        self.assertEqual(
            plugin.offline, ["the recorded server has ended", "the recording has ended"]
        )

    def test_what_cannot_be_played(self) -> None:
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        charge_point.receive(b'{"password":1}')
        recorder.event("in", connection=9, charge_point="CP9", version="3.0", text="x")
        report = self.played(recorder.data, LocalPlugin())
        self.assertEqual(report.differences, [])
        self.assertEqual(
            report.notes,
            [
                "line 2: a message was withheld: it is not played",
                "line 3: OCPP '3.0' is not spoken here: the line is passed over",
            ],
        )

    def test_the_answer_to_what_was_withheld_is_not_compared(self) -> None:
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        charge_point.receive(b'[2,"x","Authorize",{"password":"hush"')
        charge_point.receive(HEARTBEAT.encode())
        self.assertIn(b'[4,"x","FormationViolation"', b"".join(recorder.data))
        report = self.played(recorder.data, LocalPlugin())
        self.assertEqual(report.differences, [], str(report))
        self.assertEqual(report.compared, 1)

    def test_time_that_goes_back(self) -> None:
        data = self.recorded()
        data[2] = data[2].replace(b"2026", b"2025")
        self.same(data, LocalPlugin())

    def test_nothing(self) -> None:
        self.assertEqual(self.played([], LocalPlugin()).lines, 0)


class Tally(LocalPlugin):
    def __init__(self) -> None:
        super().__init__()
        self.offline: list[str] = []

    def charge_point_offline(self, charge_point, reason, seconds):
        self.offline.append(reason)


class LocalPluginWithout(ActionPlugin):
    name = "nothing"


class Later(ActionPlugin):
    """Answers Heartbeats when it is told."""

    name = "later"

    def __init__(self, wait: Callable[[], Deferred[Any] | None]) -> None:
        self.wait = wait

    @on(v16.HeartbeatRequest, v201.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        answer = v16.HeartbeatResponse(currentTime=datetime.now(UTC))
        waiting = self.wait()
        return answer if waiting is None else waiting.addCallback(lambda _: answer)


class RealTimeTests(TestCase):
    timeout = 20

    def recorded(self) -> list[bytes]:
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        charge_point.receive(HEARTBEAT.encode())
        charge_point.lost("the end")
        return recorder.data

    async def test_a_handler_with_a_thread(self) -> None:
        plugin = Later(lambda: deferToThread(lambda: None))
        report = await replay(self.recorded(), [plugin], reactor=reactor)
        self.assertEqual((report.differences, report.compared), ([], 1))

    async def test_patience_has_an_end(self) -> None:
        plugin = Later(lambda: Deferred())
        report = await replay(self.recorded(), [plugin], reactor=reactor, patience=0.01)
        (found,) = report.differences
        self.assertEqual(found.now, "no answer")
        self.assertEqual(report.notes, ["line 3: no answer came within 0.01 s of real time"])

    async def test_a_plugin_that_cannot_start(self) -> None:
        with self.assertRaises(ConfigurationError):
            await replay([], [LocalPlugin()], plugin_config={"local": {"nonsense": 1}})


class CommandTests(SynchronousTestCase):
    def run_with(self, *arguments: Any) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "ocpp_twisted.replay", *map(str, arguments)],
            cwd=self.folder,
            env=environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        recorder = Recorder(LocalPlugin())
        charge_point = recorder.online()
        charge_point.receive(HEARTBEAT.encode())
        recorder.clock.advance(1)
        charge_point.receive(BOOT.encode())
        charge_point.lost("the end")
        self.data = recorder.data

    def test_several_files_and_no_difference(self) -> None:
        (self.folder / "a").write_bytes(b"".join(self.data[3:]))
        (self.folder / "a.1").write_bytes(b"".join(self.data[:3]))
        code, out, err = self.run_with("a", "a.1")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(
            out, "0 differences: 6 lines, 1 connections, 2 messages compared, 0 calls made again\n"
        )

    def test_a_difference(self) -> None:
        path = self.folder / "a"
        path.write_bytes(b"".join(self.data).replace(b'"interval":300', b'"interval":60'))
        code, out, _ = self.run_with("a")
        self.assertEqual(code, 1)
        self.assertIn("line 5: CP1 BootNotification at $[2].interval\n  recorded: [3,", out)
        self.assertEqual(self.run_with("a", "--ignore", "interval")[0], 0)

    def test_what_cannot_be_used(self) -> None:
        (self.folder / "b").write_text("nonsense\n")
        for arguments, sentence in (
            (["nowhere"], "nowhere cannot be read: No such file or directory"),
            (["b"], "there is no line of a recording in it"),
            (["b", "--action-plugin", "none-such"], "there is no action plug-in 'none-such'"),
            (["b", "--nonsense"], "unrecognized arguments"),
        ):
            code, _, err = self.run_with(*arguments)
            self.assertEqual(code, 2, err)
            self.assertIn(sentence, err)
            self.assertNotIn("Traceback", err)
