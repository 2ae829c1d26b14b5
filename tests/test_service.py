"""The whole server in this process, on real sockets: it starts, serves, and stops."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from twisted.internet import defer, error, reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from ocpp_twisted import v16
from ocpp_twisted.errors import ConfigurationError, ConnectionLost
from ocpp_twisted.interfaces import IActiveCallPlugin, IStopsLast
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.recording.file import Recording
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.websocket.certificates import TLSFiles
from ocpp_twisted.websocket.server import WebSocketOptions
from tests.support import HEARTBEAT, close_frame, connect, frame, request, until, upgraded

TIME = v16.HeartbeatResponse(currentTime=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
TIME_RESULT = '[3,"h1",{"currentTime":"2026-01-02T03:04:05Z"}]'
RESET = v16.ResetRequest(type="Soft")
ANYWHERE = "tcp:0:interface=127.0.0.1"


class Time(ActionPlugin):
    name = "time"

    def __init__(self) -> None:
        self.happened = []

    def start(self, caller, config):
        self.happened.append(("start", dict(config)))

    def stop(self):
        self.happened.append("stop")

    def charge_point_offline(self, charge_point, reason, seconds):
        self.happened.append(reason)

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point, request):
        return TIME


@implementer(IActiveCallPlugin)
class Commander:
    name = "commander"

    def start(self, caller, config):
        self.caller = caller

    def stop(self):
        pass


@implementer(IStopsLast)
class Last(Commander):
    def __init__(self, happened) -> None:
        self.stopping = lambda: happened.append("stopping")
        self.stop = lambda: happened.append("stop last")


class ServerTestCase(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.plugin, self.commander = Time(), Commander()

    def server(self, **more) -> Server:
        more.setdefault("ws", [ANYWHERE])
        more.setdefault("action_plugins", [self.plugin])
        more.setdefault("active_plugins", [self.commander])
        server = Server(Settings(**more), reactor)
        self.addCleanup(lambda: server.stopService() if server.running else None)
        return server

    async def started(self, **more) -> list[int]:
        self.running = self.server(**more)
        await self.running.startService()
        return [address.port for address in self.running.addresses]

    async def stops_with(self, *clients) -> None:
        """The server stops, its clients answer its closing."""
        stopped = self.running.stopService()
        for client in clients:
            await until(lambda client=client: 1001 in client.hears(), reactor)
            client.transport.write(close_frame(1001))
            await client.over
        await stopped


class ServeTests(ServerTestCase):
    async def test_several_sockets_of_both_kinds(self) -> None:
        ports = await self.started(
            ws=[ANYWHERE, ANYWHERE], wss=[ANYWHERE, ANYWHERE], data_directory=Path(self.mktemp())
        )
        self.assertEqual(len(set(ports)), 4)
        clients = []
        for number, port in enumerate(ports):
            client = await upgraded(reactor, port, tls=number >= 2, target=f"/ocpp/CP{number}")
            client.transport.write(frame(HEARTBEAT))
            await until(client.hears, reactor)
            self.assertEqual(client.hears(), [TIME_RESULT])
            clients.append(client)
        self.assertEqual(len(self.running.central_system.charge_points), 4)
        await self.stops_with(*clients)

    async def test_a_unix_socket(self) -> None:
        path = Path(mkdtemp(dir=gettempdir())) / "ocpp"
        server = self.server(ws=[f"unix:{path}"])
        with capturedLogs() as logs:
            await server.startService()
        self.assertIn(str(path), logs[-1]["addresses"])
        self.assertTrue(path.is_socket())
        await server.stopService()

    async def test_an_active_plugin_calls(self) -> None:
        (port,) = await self.started()
        client = await upgraded(reactor, port)
        result = self.commander.caller.call("CP1", RESET)
        (call,) = await until(client.hears, reactor)
        client.transport.write(frame(f'[3,"{json.loads(call)[1]}",{{"status":"Accepted"}}]'))
        self.assertEqual((await result).status, "Accepted")
        await self.stops_with(client)

    async def test_a_recording(self) -> None:
        path = Path(self.mktemp())
        recording = Recording(path=path, charge_points=["CP1"], hide_id_tokens=True)
        (port,) = await self.started(recording=recording)
        clients = []
        for target in ("/ocpp/CP1", "/ocpp/CP2"):
            client = await upgraded(reactor, port, target=target)
            client.transport.write(frame('[2,"a","Authorize",{"idTag":"secret"}]'))
            await until(client.hears, reactor)
            clients.append(client)
        await self.stops_with(*clients)
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        events = ["settings", "start", "online", "in", "out", "close", "offline"]
        self.assertEqual([line["event"] for line in lines], events)
        self.assertEqual(lines[0]["settings"]["action_plugins"], ["time"])
        self.assertEqual({line["charge_point"] for line in lines[2:]}, {"CP1"})
        self.assertNotIn("secret", str(lines))

    async def test_a_recording_that_cannot_be_written(self) -> None:
        server = self.server(recording=Recording(path=Path(self.mktemp()) / "no" / "where"))
        with self.assertRaises(ConfigurationError):
            await server.startService()
        self.assertEqual(self.plugin.happened, [])

    async def test_one_line_says_what_has_started(self) -> None:
        with capturedLogs() as logs:
            ws, wss = await self.started(wss=[ANYWHERE], data_directory=Path(self.mktemp()))
        ours = [log for log in logs if log["log_namespace"] == "ocpp_twisted.service"]
        development, started = ours
        self.assertEqual(development["log_level"], LogLevel.warn)
        self.assertIn("FOR DEVELOPMENT ONLY", development["log_format"])
        self.assertEqual(started["versions"], "1.6, 2.0, 2.0.1, 2.1")
        self.assertEqual(started["addresses"], f"ws://127.0.0.1:{ws}, wss://127.0.0.1:{wss}")
        self.assertEqual((started["action"], started["active"]), ("time", "commander"))
        await self.running.stopService()

    async def test_plugins_get_their_configuration(self) -> None:
        await self.started(plugin_config={"time": {"zone": "UTC"}})
        await self.running.stopService()
        self.assertEqual(self.plugin.happened, [("start", {"zone": "UTC"}), "stop"])

    async def test_nobody_comes_in_before_the_plugins_have_started(self) -> None:
        ready: Deferred[None] = Deferred()
        self.plugin.start = lambda caller, config: ready
        server = self.server(wss=[ANYWHERE], data_directory=Path(self.mktemp()))
        server.privilegedStartService()
        started = server.startService()
        ws, wss = (address.port for address in server.addresses)
        for port, tls in ((ws, False), (wss, True)):
            client = await connect(reactor, port, tls)
            await client.over
        self.assertNoResult(started)
        ready.callback(None)
        await started
        client = await upgraded(reactor, wss, tls=True)
        self.running = server
        await self.stops_with(client)


class FailureTests(ServerTestCase):
    async def fails(self, **more) -> str:
        server = self.server(**more)
        error = await self.assertFailure(server.startService(), ConfigurationError)
        await server.stopService()
        return str(error)

    async def test_a_port_that_is_in_use(self) -> None:
        (port,) = await self.started()
        text = await self.fails(ws=[f"tcp:{port}:interface=127.0.0.1"])
        self.assertIn(f"cannot listen for ws on tcp:{port}:interface=127.0.0.1: ", text)
        self.assertIn("Address already in use; choose another port", text)
        self.assertEqual(self.plugin.happened, [("start", {})])
        await self.running.stopService()

    async def test_a_plugin_that_cannot_start(self) -> None:
        def start(caller, config):
            raise ValueError("no database")

        self.commander.start = start
        self.assertEqual(
            await self.fails(), "plug-in 'commander' cannot start: ValueError: no database"
        )

    async def test_only_what_has_started_is_stopped(self) -> None:
        def start(caller, config):
            raise ValueError("no database")

        self.plugin.start = start
        await self.fails()
        self.assertEqual(self.plugin.happened, [])

    async def test_both_at_once_leave_nothing_unhandled(self) -> None:
        (port,) = await self.started()

        def start(caller, config):
            raise ValueError("no database")

        self.commander.start = start
        await self.fails(ws=[f"tcp:{port}:interface=127.0.0.1"])
        await self.running.stopService()

    async def test_it_leaves_nothing_bound(self) -> None:
        (taken,) = await self.started()
        await self.fails(ws=[ANYWHERE, f"tcp:{taken}:interface=127.0.0.1"])
        await self.running.stopService()
        happened: list[str] = []

        def start(caller, config):
            happened.extend(f"{address.host}:{address.port}" for address in server.addresses)
            raise ValueError("no database")

        self.commander.start = start
        server = self.server()
        await self.assertFailure(server.startService(), ConfigurationError)
        (address,) = happened
        self.assertEqual(server.addresses, [])
        await self.assertFailure(
            connect(reactor, int(address.split(":")[1])), error.ConnectionRefusedError
        )
        self.assertEqual(self.plugin.happened[-2:], [("start", {}), "stop"])

    def test_a_certificate_that_cannot_be_read(self) -> None:
        files = TLSFiles(pairs=[(Path("nowhere.pem"), Path("nowhere.key"))])
        error = self.assertRaises(
            ConfigurationError, Server, Settings(wss=[ANYWHERE], tls=files), reactor
        )
        self.assertIn("cannot read the certificate nowhere.pem", str(error))


class StopTests(ServerTestCase):
    async def test_an_open_call_is_still_answered(self) -> None:
        answer: Deferred[v16.HeartbeatResponse] = Deferred()
        asked = []
        self.plugin.heartbeat = lambda charge_point, request: asked.append(request) or answer
        (port,) = await self.started()
        client = await upgraded(reactor, port)
        client.transport.write(frame(HEARTBEAT))
        await until(lambda: asked, reactor)
        stopped = self.running.stopService()
        answer.callback(TIME)
        await until(lambda: 1001 in client.hears(), reactor)
        self.assertEqual(client.hears(), [TIME_RESULT, 1001])
        client.transport.write(close_frame(1001))
        await stopped
        self.assertEqual(
            self.plugin.happened[1:],
            ["we closed with 1001: the central system stops", "stop"],
        )

    async def test_a_peer_that_answers_nothing_does_not_hold_it(self) -> None:
        (port,) = await self.started(grace=0.1, websocket=WebSocketOptions(close_timeout=0.2))
        client = await upgraded(reactor, port)
        waiting = self.assertFailure(self.running.central_system.call("CP1", RESET), ConnectionLost)
        await self.running.stopService()
        await waiting
        await client.over

    async def test_a_peer_that_says_goodbye_and_then_nothing_does_not_hold_it(self) -> None:
        for tls in (False, True):
            *_, port = await self.started(
                wss=[ANYWHERE],
                data_directory=Path(self.mktemp()),
                websocket=WebSocketOptions(close_timeout=0.2),
            )
            client = await upgraded(reactor, port if tls else self.running.addresses[0].port, tls)
            client.transport.write(close_frame())
            client.transport.pauseProducing()
            await until(lambda: not self.running.central_system.charge_points, reactor)
            client.transport.abortConnection()
            await self.running.stopService()

    async def test_who_is_not_through_the_handshake_is_sent_away(self) -> None:
        (port,) = await self.started(grace=5)
        inside = await upgraded(reactor, port)
        outside = await connect(reactor, port)
        outside.transport.write(b"GET ")
        await until(lambda: self.running._factory.countConnections == 2, reactor)
        stopped = self.running.stopService()
        outside.transport.write(request(target="/ocpp/CP2")[4:])
        await until(lambda: outside.received, reactor)
        self.assertTrue(outside.received.startswith(b"HTTP/1.1 503 "), outside.received)
        inside.transport.write(close_frame(1001))
        await stopped
        await outside.over

    async def test_who_stops_last_is_told_first(self) -> None:
        happened = self.plugin.happened
        self.commander.stop = lambda: happened.append("stop commander")
        (port,) = await self.started(active_plugins=[Last(happened), self.commander])
        await self.stops_with(await upgraded(reactor, port))
        self.assertEqual(
            happened[1:],
            [
                "stopping",
                "stop commander",
                "we closed with 1001: the central system stops",
                "stop last",
                "stop",
            ],
        )

    async def test_who_fails_when_it_is_told_does_not_hold_it(self) -> None:
        last = Last(self.plugin.happened)
        last.stopping = None
        await self.started(active_plugins=[last])
        await self.running.stopService()
        self.assertEqual(self.plugin.happened[1:], ["stop last", "stop"])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    async def test_twice(self) -> None:
        ready: Deferred[None] = Deferred()
        (port,) = await self.started()
        client = await upgraded(reactor, port)
        self.plugin.stop = lambda: ready
        first, second = self.running.stopService(), self.running.stopService()
        client.transport.write(close_frame(1001))
        await client.over
        self.assertNoResult(first)
        self.assertNoResult(second)
        ready.callback(None)
        await first
        await second
        await self.running.stopService()

    async def test_a_plugin_that_never_stops_does_not_hold_it(self) -> None:
        for plugin in (self.plugin, self.commander):
            (port,) = await self.started(grace=0.1)
            client = await upgraded(reactor, port)
            plugin.stop = Deferred
            stopped = self.running.stopService()
            await until(lambda client=client: 1001 in client.hears(), reactor)
            client.transport.write(close_frame(1001))
            await client.over
            await stopped
            self.assertEqual(len(self.flushLoggedErrors(defer.TimeoutError)), 1)
            del plugin.stop

    async def test_no_socket_stays_open(self) -> None:
        (port,) = await self.started(grace=5, websocket=WebSocketOptions(close_timeout=60))
        half = await connect(reactor, port)
        half.transport.write(b"GET ")
        stranger = await upgraded(reactor, port, subprotocols="ocpp9.9")
        await until(lambda: 1002 in stranger.hears(), reactor)
        await self.running.stopService()
        self.assertEqual(self.running._factory.open, set())
        await half.over
        await stranger.over

    async def test_no_socket_stays_in_the_handshake_of_tls(self) -> None:
        (port,) = await self.started(ws=[], wss=[ANYWHERE], data_directory=Path(self.mktemp()))
        half = await connect(reactor, port)
        half.transport.write(b"\x16\x03\x01")
        await until(lambda: self.running._factory.open, reactor)
        await self.running.stopService()
        await half.over


class StopWhileStartingTests(ServerTestCase):
    """The server is stopped while a plug-in is still starting."""

    async def starting(self, **more) -> Server:
        self.ready: Deferred[None] = Deferred()
        self.commander.start = lambda caller, config: self.ready
        self.commander.stop = lambda: self.plugin.happened.append("never started")
        server = self.server(**more)
        self.starts = server.startService()
        self.assertNoResult(self.starts)
        return server

    async def test_what_has_started_is_stopped(self) -> None:
        server = await self.starting()
        (address,) = server.addresses
        stopped = server.stopService()
        await self.assertFailure(self.starts, CancelledError)
        await stopped
        self.assertEqual(server.addresses, [])
        self.assertEqual(self.plugin.happened, [("start", {}), "stop"])
        await self.assertFailure(connect(reactor, address.port), error.ConnectionRefusedError)

    async def test_a_plugin_that_stops_slowly_is_waited_for(self) -> None:
        slow: Deferred[None] = Deferred()
        self.plugin.stop = lambda: slow
        server = await self.starting()
        stopped = server.stopService()
        failed = self.assertFailure(self.starts, CancelledError)
        self.assertNoResult(stopped)
        await until(lambda: not server._started, reactor)
        self.assertNoResult(stopped)
        slow.callback(None)
        await stopped
        await failed

    async def test_a_start_that_is_a_coroutine(self) -> None:
        server = self.server()
        never: Deferred[None] = Deferred()

        async def start(caller, config):
            await never

        self.commander.start = start
        starts = server.startService()
        stopped = server.stopService()
        await self.assertFailure(starts, CancelledError)
        await stopped
        self.assertEqual(self.plugin.happened, [("start", {}), "stop"])

    async def test_a_plugin_that_takes_no_notice(self) -> None:
        async def start(caller, config):
            try:
                await self.ready
            except CancelledError:
                self.plugin.happened.append("no notice")

        server = self.server(active_plugins=[self.commander, Commander()])
        self.ready = Deferred()
        self.commander.start = start
        self.commander.stop = lambda: self.plugin.happened.append("stop commander")
        starts = server.startService()
        stopped = server.stopService()
        await self.assertFailure(starts, CancelledError)
        await stopped
        self.assertEqual(
            self.plugin.happened, [("start", {}), "no notice", "stop commander", "stop"]
        )
        self.assertFalse(server._factory.accepting)

    async def test_while_a_start_that_has_failed_is_being_undone(self) -> None:
        slow: Deferred[None] = Deferred()
        self.plugin.stop = lambda: slow
        server = await self.starting()
        self.ready.errback(ValueError("no database"))
        failed = self.assertFailure(self.starts, ConfigurationError)
        await until(lambda: not server._started, reactor)
        stopped = server.stopService()
        self.assertNoResult(stopped)
        slow.callback(None)
        await stopped
        await failed
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_it_can_start_again(self) -> None:
        server = await self.starting()
        stopped = server.stopService()
        await self.assertFailure(self.starts, CancelledError)
        await stopped
        self.commander.start = lambda caller, config: None
        await server.startService()
        self.running = server
        client = await upgraded(reactor, server.addresses[0].port)
        await self.stops_with(client)
