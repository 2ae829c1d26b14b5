"""The WebSocket client against real servers, ours and odd ones, on the loopback."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ocpp_twisted.errors import CannotConnect, ConfigurationError
from ocpp_twisted.interfaces import IMessageReceiver
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.security.handshake import Refused
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.websocket.certificates import TLSFiles
from ocpp_twisted.websocket.client import Dialer
from ocpp_twisted.websocket.client_tls import ClientTLS
from ocpp_twisted.websocket.options import WebSocketOptions
from ocpp_twisted.websocket.server import OCPPServerFactory
from ocpp_twisted.websocket.target import Target
from tests.certificates import Authority, pem, rsa_key
from tests.support import no_sockets, until
from tests.websocket.handshakes import accept, header
from tests.websocket.test_fastpath import Echo

ANYWHERE = "tcp:0:interface=127.0.0.1"


@implementer(IMessageReceiver)
class Client:
    """A charge point's end that keeps what it gets."""

    registered = True

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.lost_because = ""

    def opened(self, subprotocol: str, transport: Any) -> Client:
        self.subprotocol = subprotocol
        self.transport = transport
        return self

    def receive(self, data: bytes) -> None:
        self.received.append(data)

    def closing(self) -> None:
        """Nothing to end here."""

    def lost(self, reason: str) -> None:
        self.lost_because = reason


class TargetTests(SynchronousTestCase):
    def test_the_id_is_the_last_part(self) -> None:
        target = Target(url="wss://csms.example/ocpp/a%20b%2Fc?x=1")
        self.assertEqual((target.id, target.host, target.port), ("a b/c", "csms.example", 443))
        self.assertEqual(target.resource, "/ocpp/a%20b%2Fc?x=1")

    def test_it_is_made_of_a_base_and_an_id(self) -> None:
        target = Target.at("ws://[::1]:9000/ocpp/", "ä:/1")
        self.assertEqual(target.url, "ws://[::1]:9000/ocpp/%C3%A4%3A%2F1")
        self.assertEqual((target.id, target.host, target.port), ("ä:/1", "::1", 9000))

    def test_what_is_no_target(self) -> None:
        for url in (
            "http://csms/CP1",
            "csms:9000/CP1",
            "ws://csms/",
            "ws://csms",
            "ws:///CP1",
            "ws://csms:99999/CP1",
            "ws://csms:x/CP1",
            "ws://csms/CP1#a",
            "ws://csms/%00",
            "ws://csms/" + "x" * 256,
            "ws://CP1:secret@csms/CP1",
        ):
            error = self.assertRaises(ConfigurationError, Target, url=url)
            self.assertNotIn("secret", str(error))

    def test_a_password_is_bytes_and_not_shown(self) -> None:
        target = Target.at("ws://csms", "a:b", password=b"\xff\x00")
        pair = b64encode(b"a:b:\xff\x00").decode()
        self.assertEqual(target.request_headers, {"Authorization": f"Basic {pair}"})
        self.assertNotIn("xff", repr(target))

    def test_security_profiles(self) -> None:
        tls = ClientTLS(cert=Path("c"), key=Path("k"))
        targets = [
            Target.at("ws://csms", "1"),
            Target.at("ws://csms", "1", b"p"),
            Target.at("wss://csms", "1", b"p"),
            Target.at("wss://csms", "1", tls=tls),
        ]
        self.assertEqual([each.security_profile for each in targets], [0, 1, 2, 3])


class ClientTestCase(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.dialer = Dialer(reactor, open_timeout=5)
        self.client = Client()
        self.addCleanup(until, lambda: no_sockets(reactor), reactor)

    async def connects(
        self, url: str, *subprotocols: str, dialer: Dialer | None = None, **more: Any
    ) -> Client:
        """Connect; it is closed when the test is over."""
        target = Target(url=url, **more)
        offered = subprotocols or ("ocpp1.6",)
        await (dialer or self.dialer).connect(target, offered, self.client.opened)
        self.addCleanup(self.gone)
        return self.client

    def gone(self) -> None:
        self.client.transport.close(1000, "")

    async def refused(self, url: str, *subprotocols: str, **more: Any) -> CannotConnect:
        """The error with which it cannot connect."""
        try:
            await self.connects(url, *subprotocols, **more)
        except CannotConnect as error:
            return error
        raise AssertionError("it has been let in")


class OurServerTests(ClientTestCase):
    def serve(self, **options: Any) -> str:
        self.owner = Echo()
        factory = OCPPServerFactory(self.owner, reactor, WebSocketOptions(**options))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"ws://127.0.0.1:{port.getHost().port}"

    async def test_messages_go_both_ways(self) -> None:
        client = await self.connects(f"{self.serve()}/ocpp/CP1", "ocpp2.0.1", "ocpp1.6")
        self.assertEqual(client.subprotocol, "ocpp1.6")
        for size in (2, 125, 126, 65535, 70_000):
            message = b"x" * size
            client.transport.send_message(message)
            await until(lambda: client.received, reactor)
            self.assertEqual(client.received.pop(), b"heard " + message)

    async def test_a_name_is_looked_up(self) -> None:
        url = self.serve().replace("127.0.0.1", "localhost")
        await self.connects(f"{url}/ocpp/CP1")

    async def test_the_first_that_both_speak(self) -> None:
        url = self.serve()
        self.owner.subprotocols = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
        client = await self.connects(f"{url}/CP1", "ocpp3", "ocpp2.0.1", "ocpp1.6")
        self.assertEqual(client.subprotocol, "ocpp2.0.1")

    async def test_no_common_version(self) -> None:
        error = await self.refused(f"{self.serve()}/CP1", "ocpp2.0.1")
        self.assertIn("none of the versions that were offered (ocpp2.0.1)", str(error))

    async def test_a_status_is_told(self) -> None:
        error = await self.refused(f"{self.serve()}/no/such/path/CP1")
        self.assertEqual(error.status, 404)
        self.assertIn("it answers 404 Not Found", str(error))

    async def test_when_to_come_again_is_told(self) -> None:
        class Closed:
            busy = False

            def admit(self, handshake: object) -> None:
                raise Refused(503, "later", [("Retry-After", "17")])

        error = await self.refused(f"{self.serve(doorkeeper=Closed())}/CP1")
        self.assertEqual((error.status, error.retry_after), (503, 17.0))

    async def test_it_closes(self) -> None:
        client = await self.connects(f"{self.serve()}/CP1")
        client.transport.close(1000, "good night")
        await until(lambda: client.lost_because and self.owner.lost_because, reactor)
        self.assertEqual(client.lost_because, "we closed with 1000: good night")
        self.assertEqual(self.owner.lost_because, "the charge point closed with 1000: good night")

    async def test_it_is_closed(self) -> None:
        client = await self.connects(f"{self.serve()}/CP1")
        self.owner.transport.close(1001, "gone home")
        await until(lambda: client.lost_because, reactor)
        self.assertEqual(client.lost_because, "the central system closed with 1001: gone home")

    async def test_a_server_that_is_gone_without_a_word(self) -> None:
        dialer = Dialer(reactor, ping_interval=0.2, ping_timeout=0.2)
        client = await self.connects(f"{self.serve()}/CP1", dialer=dialer)
        self.owner.transport.transport.pauseProducing()
        await until(lambda: client.lost_because, reactor)
        self.assertEqual(client.lost_because, "nothing was heard after a ping")
        self.owner.transport.transport.resumeProducing()

    async def test_a_charge_point_may_want_pings_of_its_own(self) -> None:
        dialer = Dialer(reactor, ping_interval=60, ping_timeout=0.2)
        others = [Client(), Client()]
        url = f"{self.serve()}/CP1"
        for client, interval in zip(others, (0.0, None), strict=True):
            target = Target(url=url, ping_interval=interval)
            await dialer.connect(target, ["ocpp1.6"], client.opened)
        client = Client()
        await dialer.connect(Target(url=url, ping_interval=0.2), ["ocpp1.6"], client.opened)
        self.owner.transport.transport.pauseProducing()
        await until(lambda: client.lost_because, reactor)
        self.assertEqual(client.lost_because, "nothing was heard after a ping")
        self.owner.transport.transport.resumeProducing()
        for each in others:
            self.assertEqual(each.lost_because, "")
            each.transport.close(1000, "")
        await until(lambda: all(each.lost_because for each in others), reactor)

    async def test_many_share_a_dialer(self) -> None:
        url, clients = self.serve(), [Client() for _ in range(20)]
        self.owner.connection_made = lambda *whose: Echo().connection_made(*whose)
        for number, each in enumerate(clients):
            target = Target.at(f"{url}/ocpp", f"CP{number}")
            await self.dialer.connect(target, ["ocpp1.6"], each.opened)
        for each in clients:
            each.transport.send_message(b"[]")
        await until(lambda: all(each.received for each in clients), reactor)
        for each in clients:
            each.transport.close(1000, "")


class OddServer(Protocol):
    """Answers a handshake as a test says."""

    data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if b"\r\n\r\n" in self.data:
            self.factory.requests.append(self.data)
            answer = self.factory.answer(self.data)
            if answer is None:
                self.transport.loseConnection()
            else:
                self.transport.write(answer)

    def connectionMade(self) -> None:
        self.factory.open.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.open.discard(self)


class OddServerTests(ClientTestCase):
    def serve(self, answer: Callable[[bytes], bytes | None]) -> str:
        self.server: Any = Factory.forProtocol(OddServer)
        self.server.answer, self.server.requests, self.server.open = answer, [], set()
        port = reactor.listenTCP(0, self.server, interface="127.0.0.1")
        self.port = port
        self.addCleanup(self.hangs_up, self.server, port)
        return f"ws://127.0.0.1:{port.getHost().port}/ocpp/CP1"

    async def hangs_up(self, server: Any, port: Any) -> None:
        await maybeDeferred(port.stopListening)
        for each in list(server.open):
            each.transport.abortConnection()

    async def test_what_it_asks_for(self) -> None:
        url = self.serve(lambda request: None)
        await self.refused(url, "ocpp2.0.1", "ocpp1.6", password=b"key", headers={"X-A": "1"})
        (request,) = self.server.requests
        self.assertTrue(request.startswith(b"GET /ocpp/CP1 HTTP/1.1\r\n"))
        self.assertEqual(header(request, "Sec-WebSocket-Protocol"), "ocpp2.0.1,ocpp1.6")
        self.assertEqual(
            header(request, "Authorization"), f"Basic {b64encode(b'CP1:key').decode()}"
        )
        self.assertEqual(header(request, "X-A"), "1")

    async def test_it_hangs_up(self) -> None:
        error = await self.refused(self.serve(lambda request: None))
        self.assertIn("it hangs up", str(error))

    async def test_it_says_nothing(self) -> None:
        dialer = Dialer(reactor, open_timeout=0.3)
        error = await self.refused(self.serve(lambda request: b""), dialer=dialer)
        self.assertIn("does not answer the handshake in time", str(error))

    async def test_it_speaks_something_else(self) -> None:
        for answer in (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"\x00\xff\r\n\r\n", b"x" * 20_000):
            error = await self.refused(self.serve(lambda request, answer=answer: answer))
            self.assertIsNone(error.status)

    async def test_it_chooses_what_was_not_offered(self) -> None:
        other = Client()
        url = self.serve(lambda request: accept(request, "ocpp2.1"))
        await self.dialer.connect(Target(url=url), ["ocpp2.1"], other.opened)
        self.addCleanup(other.transport.close, 1000, "")
        error = await self.refused(url, "ocpp1.6")
        self.assertIn("it chooses 'ocpp2.1', which was not offered", str(error))

    async def test_nobody_listens(self) -> None:
        url = self.serve(lambda request: None)
        await self.port.stopListening()
        error = await self.refused(url)
        self.assertIn("refused", str(error))

    async def test_nobody_wants_it_any_more(self) -> None:
        url = self.serve(lambda request: b"")
        connecting = self.dialer.connect(Target(url=url), ["ocpp1.6"], self.client.opened)
        await until(lambda: self.server.requests, reactor)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        await until(lambda: not self.server.open, reactor)


class Nothing(ActionPlugin):
    name = "nothing"


class TLSTests(ClientTestCase):
    async def setUp(self) -> None:
        super().setUp()
        self.directory = Path(self.mktemp())
        self.ca = Authority()
        self.ca_file = self.directory / "ca.pem"
        pair = self.ca.issue("localhost", names=["localhost"], key=rsa_key()).write(
            self.directory / "server.pem"
        )
        self.ca_file.write_bytes(pem(self.ca.certificate))
        self.server = Server(
            Settings(
                wss=[ANYWHERE],
                tls=TLSFiles(pairs=[pair], client_cas=[self.ca_file]),
                action_plugins=[Nothing()],
            ),
            reactor,
        )
        self.addCleanup(lambda: self.server.stopService())
        await self.server.startService()
        (address,) = self.server.addresses
        self.url = f"wss://localhost:{address.port}/ocpp/CP1"

    async def test_a_server_by_a_ca_that_is_trusted(self) -> None:
        client = await self.connects(self.url, tls=ClientTLS(ca=self.ca_file))
        client.transport.send_message(b'[2,"1","Heartbeat",{}]')
        await until(lambda: client.received, reactor)
        self.assertEqual(client.received[0][:8], b'[4,"1","')

    async def test_a_server_that_nobody_vouches_for(self) -> None:
        error = await self.refused(self.url)
        self.assertIn("TLS broke: certificate verify failed", str(error))

    async def test_a_server_of_another_name(self) -> None:
        url = self.url.replace("localhost", "127.0.0.1")
        error = await self.refused(url, tls=ClientTLS(ca=self.ca_file))
        self.assertIn("TLS", str(error))

    async def test_any_server_will_do(self) -> None:
        await self.connects(self.url, tls=ClientTLS(verify=False))

    async def test_no_tls_there(self) -> None:
        factory = OCPPServerFactory(Echo(), reactor)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"wss://localhost:{port.getHost().port}/CP1"
        error = await self.refused(url, tls=ClientTLS(verify=False))
        self.assertIn("TLS", str(error))

    def test_files_that_cannot_be_used(self) -> None:
        cert, key = self.ca.issue("CP1").write(self.directory / "cp.pem")
        _, other = self.ca.issue("CP1").write(self.directory / "other.pem")
        for tls, text in [
            (ClientTLS(ca=self.directory / "none"), "cannot read the certificate"),
            (ClientTLS(ca=key), "holds no certificate"),
            (ClientTLS(cert=cert), "needs its key"),
            (ClientTLS(cert=cert, key=other), "is not the key to"),
        ]:
            target = Target(url=self.url, tls=tls)
            connecting = self.dialer.connect(target, ["ocpp1.6"], self.client.opened)
            failure = self.failureResultOf(connecting, ConfigurationError)
            self.assertIn(text, str(failure.value))
