"""Who is let in, who waits in line, who is turned away; counted, and told within bounds."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.security.proxies import Proxies, network
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.websocket.crowding import Addresses, Closing, most_connections
from ocpp_twisted.websocket.limited import Limited
from ocpp_twisted.websocket.server import OCPPServerFactory, WebSocketOptions
from ocpp_twisted.websocket.turnstile import Line, Turnstile
from tests.support import Transport, connect, request, until, upgraded


class Socket(Transport):
    """A socket in memory that reads nothing while it is paused, and whose peer may hang up."""

    def __init__(self, address: Any) -> None:
        super().__init__(peerAddress=address)
        self._ours, self._theirs = socket.socketpair()
        self._unread: list[bytes] = []

    def fileno(self) -> int:
        return self._ours.fileno()

    def comes(self, data: bytes) -> None:
        self._unread.append(data)
        self.deliver()

    def deliver(self) -> None:
        while self._unread and self.producerState == "producing":
            self.protocol.dataReceived(self._unread.pop(0))

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.deliver()

    def hang_up(self) -> None:
        self._theirs.close()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class TurnstileTestCase(SynchronousTestCase):
    options = WebSocketOptions()
    secure = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.system = CentralSystem([], self.clock)
        self.factory = OCPPServerFactory(self.system, self.clock, self.options)
        self.turnstile = Turnstile(self.factory, self.factory, self.secure)
        self.number = 0

    def comes(self, host: str = "192.0.2.1", says: bool = True) -> Socket | None:
        """A charge point of its own connects; None if it is hung up on at once."""
        self.number += 1
        address = IPv4Address("TCP", host, 50000)
        protocol = self.turnstile.buildProtocol(address)
        if protocol is None:
            return None
        made = Socket(address)
        self.addCleanup(made.close)
        made.protocol = protocol
        protocol.makeConnection(made)
        if says:
            made.comes(request(f"/CP{self.number}"))
        return made

    def online(self) -> list[int]:
        return sorted(int(identity.id[2:]) for identity in self.system.charge_points)

    @property
    def limited(self) -> dict[str, int]:
        return dict(self.factory.counts.limited)


class LineTests(TurnstileTestCase):
    options = WebSocketOptions(max_handshakes=40)

    def test_as_many_as_the_rate_allows_begin_at_once(self) -> None:
        for _ in range(45):
            self.comes()
        self.assertEqual(self.online(), list(range(1, 41)))
        self.assertEqual(len(self.factory.line), 5)
        self.assertEqual(self.limited, {})

    def test_the_others_follow_in_their_order_and_at_the_rate(self) -> None:
        for _ in range(120):
            self.comes()
        self.clock.pump([0.02] * 50)
        self.assertIn(len(self.online()), (79, 80))
        self.assertEqual(self.online(), list(range(1, len(self.online()) + 1)))
        self.clock.pump([0.02] * 55)
        self.assertEqual(len(self.online()), 120)
        self.assertEqual(self.clock.getDelayedCalls(), [self.factory.keepalive._loop.call])

    def test_a_late_look_lets_in_a_few_only(self) -> None:
        for _ in range(120):
            self.comes()
        self.clock.advance(20)
        self.assertEqual(len(self.online()), 41)

    def test_they_wait_while_passwords_are_checked(self) -> None:
        busy = True
        self.factory.line = Line(self.clock, 40, lambda: busy)
        for _ in range(3):
            self.comes()
        self.clock.pump([0.02] * 10)
        self.assertEqual(self.online(), [])
        busy = False
        self.clock.pump([0.02] * 10)
        self.assertEqual(self.online(), [1, 2, 3])

    def test_nothing_is_read_from_those_who_wait(self) -> None:
        for _ in range(41):
            last = self.comes()
        self.assertEqual(last.producerState, "paused")
        self.assertEqual(last.value(), b"")

    def test_the_handshake_has_its_time_from_its_turn_on(self) -> None:
        for _ in range(40 + 40 * 25):
            last = self.comes(says=False)
        self.clock.pump([0.02] * 1252)
        self.assertEqual(len(self.factory.line), 0)
        self.assertFalse(last.aborted)
        self.clock.advance(15)
        self.assertFalse(last.aborted)
        self.clock.advance(6)
        self.assertTrue(last.aborted)

    def test_who_has_gone_costs_no_turn(self) -> None:
        sockets = [self.comes() for _ in range(100)]
        for gone in sockets[40:90]:
            gone.hang_up()
        self.clock.pump([0.02] * 2)
        self.assertEqual(self.online()[40:], [91])
        self.assertTrue(sockets[50].aborted)

    def test_who_is_lost_leaves_the_line(self) -> None:
        lost = [self.comes() for _ in range(50)][45]
        lost.protocol.connectionLost()
        self.assertEqual(len(self.factory.line), 9)
        self.clock.pump([0.02] * 50)
        self.assertNotIn(46, self.online())

    def test_the_line_is_bounded_and_who_comes_then_is_told_to_come_back(self) -> None:
        for _ in range(40 + 40 * 30):
            self.comes()
        answers = []
        for _ in range(200):
            late = self.comes()
            if late is not None:
                answers.append(late.value())
                self.assertTrue(late.disconnecting)
        self.assertEqual(len(answers), 64)  # they have not gone yet
        self.assertEqual(len(self.factory.line), 1200)
        for answer in answers:
            self.assertTrue(answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n"))
        times = {int(re.search(rb"Retry-After: (\d+)\r\n", each)[1]) for each in answers}
        self.assertGreater(len(times), 10)
        self.assertTrue(times <= set(range(5, 61)))
        self.assertEqual(self.limited, {"max-handshakes": 200})

    def test_who_is_told_and_says_nothing_is_dropped(self) -> None:
        for _ in range(40 + 40 * 30):
            self.comes()
        silent = self.comes(says=False)
        self.clock.advance(5)
        self.assertTrue(silent.aborted)

    def test_who_has_waited_too_long_is_told_to_come_back(self) -> None:
        last = [self.comes() for _ in range(100)][-1]
        self.clock.advance(31)  # something has held up the process
        self.clock.pump([0.02])
        self.assertIn(b"503", last.value())
        self.assertEqual(len(self.factory.line), 0)

    def test_all_who_wait_are_dropped_when_the_server_stops(self) -> None:
        waiting = [self.comes() for _ in range(50)][40:]
        self.factory.accepting = False
        self.factory.drop_all()
        self.assertTrue(all(each.aborted for each in waiting))
        for each in waiting:
            each.protocol.connectionLost()
        self.assertEqual(len(self.factory.line), 0)

    def test_nobody_comes_in_when_the_server_is_stopping(self) -> None:
        last = [self.comes() for _ in range(50)][-1]
        self.factory.accepting = False
        self.clock.pump([0.02] * 50)
        self.assertTrue(last.aborted)
        self.assertIsNone(self.comes())


class SecureTests(TurnstileTestCase):
    """Over TLS nobody can be told anything before TLS has cost its price."""

    options = WebSocketOptions(max_handshakes=1, max_connections=40, max_connections_per_address=40)
    secure = True

    def test_who_is_too_many_is_hung_up_on(self) -> None:
        for _ in range(31):
            self.assertIsNotNone(self.comes())
        self.assertIsNone(self.comes())
        self.assertEqual(self.limited, {"max-handshakes": 1})


class ConnectionsTests(TurnstileTestCase):
    options = WebSocketOptions(max_connections=3, max_connections_per_address=3)

    def test_in_all(self) -> None:
        sockets = [self.comes() for _ in range(4)]
        self.assertEqual(self.online(), [1, 2, 3])
        self.assertIn(b"503", sockets[3].value())
        self.assertEqual(self.limited, {"max-connections": 1})

    def test_who_has_gone_makes_room(self) -> None:
        first, *_ = [self.comes() for _ in range(3)]
        first.protocol.connectionLost()
        self.comes()
        self.assertEqual(self.online(), [2, 3, 4])

    def test_as_many_as_there_are_files(self) -> None:
        self.assertGreater(most_connections(), 50)
        factory = OCPPServerFactory(self.system, self.clock)
        self.assertEqual(factory.most, most_connections())


class GreedyAddressTests(TurnstileTestCase):
    options = WebSocketOptions(max_connections=8, max_handshakes=10)

    def test_one_address_does_not_take_all(self) -> None:
        for _ in range(6):
            self.comes()
        self.comes("192.0.2.2")
        self.assertEqual(self.online(), [1, 2, 3, 4, 7])


class AddressTests(TurnstileTestCase):
    options = WebSocketOptions(
        max_connections_per_address=2,
        proxies=Proxies(networks=[network("10.0.0.0/8")]),
        max_handshakes=4,
    )

    def test_by_address(self) -> None:
        sockets = [self.comes() for _ in range(3)]
        self.comes("192.0.2.2")
        self.assertEqual(self.online(), [1, 2, 4])
        self.assertIn(b"503", sockets[2].value())
        self.assertEqual(self.limited, {"max-connections-per-address": 1})
        sockets[0].protocol.connectionLost()
        self.comes()
        self.assertEqual(self.online(), [2, 4, 5])

    def test_those_in_line_count(self) -> None:
        for _ in range(4):
            self.comes("127.0.0.1")
        waiting = [self.comes() for _ in range(2)]
        self.assertIn(b"503", self.comes().value())
        self.clock.pump([0.25] * 3)
        self.assertEqual(self.online(), [1, 2, 3, 4, 5, 6])
        waiting[0].protocol.connectionLost()
        self.comes()
        self.clock.pump([0.25] * 3)
        self.assertEqual(self.online()[4:], [6, 8])

    def test_this_machine_and_proxies_are_not_counted_themselves(self) -> None:
        for host in ("127.0.0.1", "10.0.0.1") * 2:
            self.comes(host)
        self.clock.advance(1)
        for host in ("127.0.0.1", "10.0.0.1") * 2:
            self.comes(host)
        self.assertEqual(len(self.online()), 8)

    def test_behind_a_proxy_it_is_the_address_that_the_proxy_tells(self) -> None:
        answers = []
        for number in range(3):
            proxied = self.comes("10.0.0.1", says=False)
            head = request(f"/CP{number}", extra=["X-Forwarded-For: 192.0.2.7"])
            proxied.comes(head)
            answers.append(proxied)
        self.assertEqual(self.online(), [0, 1])
        self.assertIn(b"HTTP/1.1 503 ", answers[2].value())
        self.assertIn(b"\r\nRetry-After: ", answers[2].value())
        self.assertEqual(self.limited, {"max-connections-per-address": 1})
        for each in answers:
            each.protocol.connectionLost()
        self.assertEqual(self.factory.addresses._sockets, {})

    def test_what_is_one_address(self) -> None:
        addresses = Addresses(2, self.options.proxies)
        for host, origin in {
            "192.0.2.1": "192.0.2.1",
            "::ffff:192.0.2.1": "192.0.2.1",
            "2001:db8::1": "2001:db8::/64",
            "2001:db8::ffff:0:1": "2001:db8::/64",
            "2001:db8:0:1::1": "2001:db8:0:1::/64",
            "::1": "",
            "127.0.0.5": "",
            "10.9.9.9": "",
            "a local socket": "",
        }.items():
            self.assertEqual(addresses.origin(host), origin, host)

    def test_a_local_socket(self) -> None:
        self.assertIsNotNone(self.turnstile.buildProtocol(UNIXAddress(b"/tmp/x")))
        self.assertIsNotNone(self.turnstile.buildProtocol(IPv6Address("TCP", "::1", 1)))


class LoopTests(TurnstileTestCase):
    """A peer that opens and closes in a loop, and never ends a closing, collects no sockets."""

    def closing(self, number: int) -> list[Socket]:
        sockets = []
        for _ in range(number):
            self.number = 0
            sockets.append(self.comes())  # each replaces the one before
        return sockets

    def test_the_oldest_that_close_are_dropped(self) -> None:
        sockets = self.closing(10)
        self.assertEqual([each.aborted for each in sockets], [True] * 5 + [False] * 5)
        self.assertEqual(self.limited, {"max-closing-per-id": 5})
        self.assertEqual(self.online(), [1])

    def test_nothing_of_them_is_kept(self) -> None:
        for each in self.closing(10):
            each.protocol.connectionLost()
        self.assertEqual(self.factory.closing._sockets, {})
        self.assertEqual(self.factory.addresses._sockets, {})
        self.assertEqual(self.factory.open, set())

    def test_who_answers_is_none_of_them(self) -> None:
        for each in self.closing(5)[:4]:
            each.protocol.connectionLost()
        self.closing(4)
        self.assertEqual(self.limited, {})

    def test_each_socket_counts_once(self) -> None:
        closing, hurried = Closing(1), []

        class Slow:
            def hurry(self) -> None:
                hurried.append(self)

        first, second = Slow(), Slow()
        closing.begins("CP1", first)
        closing.begins("CP1", first)
        closing.begins("CP2", second)
        self.assertEqual(hurried, [])


class LimitedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.limited = Limited(self.clock)

    def lines(self, *who: str) -> int:
        with capturedLogs() as logs:
            for each in who:
                self.limited.count("max-connections", each, "turned away")
        return len(logs)

    def test_a_line_a_minute_for_each(self) -> None:
        self.assertEqual(self.lines("a", "a", "b", "a"), 2)
        self.clock.advance(59)
        self.assertEqual(self.lines("a"), 0)
        self.clock.advance(1)
        self.assertEqual(self.lines("a"), 1)
        self.assertEqual(self.limited.counts, {"max-connections": 6})

    def test_however_many_they_are(self) -> None:
        self.assertEqual(self.lines(*map(str, range(5000))), 101)
        self.assertEqual(len(self.limited._told), 100)
        self.assertEqual(self.limited.counts, {"max-connections": 5000})


class RealTests(TestCase):
    """On real sockets."""

    @inlineCallbacks
    def server(self, **options: Any) -> Any:
        settings = Settings(
            ws=["haproxy:tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1"],
            wss=["tcp:0:interface=127.0.0.1"],
            data_directory=Path(self.mktemp()),
            websocket=WebSocketOptions(
                proxies=Proxies(networks=[network("127.0.0.1")]), close_timeout=0.1, **options
            ),
            grace=0.1,
        )
        server = Server(settings, reactor)
        yield server.startService()
        self.addCleanup(server.stopService)
        return server, [address.port for address in server.addresses]

    @inlineCallbacks
    def test_who_waits_comes_in_by_every_way(self) -> Any:
        server, (proxied, plain, secure) = yield self.server(max_handshakes=4)
        for _ in range(4):
            yield upgraded(reactor, plain)
        clients = []
        for port, tls, before in (
            (proxied, False, b"PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n"),
            (plain, False, b""),
            (secure, True, b""),
        ):
            client = yield connect(reactor, port, tls)
            client.transport.write(before + request(f"/CP{port}"))
            clients.append(client)
        self.assertEqual(len(server.central_system.charge_points), 1)
        yield until(lambda: len(server.central_system.charge_points) == 4, reactor)
        peers = {each.peer for each in server.central_system.charge_points.values()}
        self.assertIn("192.0.2.9:1", peers)
        for client in clients:
            yield until(lambda client=client: b"HTTP/1.1 101 " in client.received, reactor)

    @inlineCallbacks
    def test_the_address_is_the_one_that_the_proxy_protocol_tells(self) -> Any:
        _, (proxied, _, _) = yield self.server(max_connections_per_address=1)
        for number, status in ((1, b"HTTP/1.1 101 "), (2, b"HTTP/1.1 503 ")):
            client = yield connect(reactor, proxied)
            head = b"PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n" + request(f"/CP{number}")
            client.transport.write(head)
            yield until(lambda client=client: b"\r\n\r\n" in client.received, reactor)
            self.assertTrue(client.received.startswith(status), client.received)

    @inlineCallbacks
    def test_too_many(self) -> Any:
        _, (_, plain, secure) = yield self.server(max_connections=1)
        yield upgraded(reactor, plain)
        late = yield connect(reactor, plain)
        late.transport.write(request("/CP2"))
        yield late.over
        self.assertTrue(late.received.startswith(b"HTTP/1.1 503 "), late.received)
        secret = yield connect(reactor, secure, tls=True)
        yield secret.over
        self.assertEqual(secret.received, b"")
