"""A NATS server that says what a test tells it to, cut where the test wants."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

__all__ = ["ScriptedServer"]

_INFO = (
    b'INFO {"server_id":"x","version":"2.10.0","proto":1,"max_payload":1000,"headers":true,'
    b'"client_id":1}'
)


class _Client(LineReceiver):
    factory: ScriptedServer

    def connectionMade(self) -> None:
        self.factory.client = self
        self.sendLine(_INFO)

    def lineReceived(self, line: bytes) -> None:
        self.factory.heard.append(line)
        if line == b"PING":
            self.factory.pings += 1
            answer = self.factory.answers.get(self.factory.pings, b"PONG\r\n")
            self.transport.write(answer)


class ScriptedServer(Factory):
    """It knows no subscriptions.

    :ivar url: where it listens.
    :ivar answers: what it says instead of PONG to a PING, by its number, from 1 on.
    :ivar heard: the lines that have come.
    :ivar pings: how many PINGs have come.
    """

    protocol = _Client
    noisy = False

    def __init__(self) -> None:
        self.client: _Client
        self.answers: dict[int, bytes] = {}
        self.heard: list[bytes] = []
        self.pings = 0

    async def listen(self) -> IListeningPort:
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port: IListeningPort = await endpoint.listen(self)
        self.url = f"nats://127.0.0.1:{port.getHost().port}"
        return port

    def says(self, data: bytes) -> None:
        """Bytes for the client."""
        self.client.transport.write(data)
