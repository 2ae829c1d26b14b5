"""Commands for the depot's charge points, one per line over TCP: ``reset CP1``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from zope.interface import implementer

from ocpp_twisted import v16
from ocpp_twisted.interfaces import IActiveCaller, IActiveCallPlugin


class Commands(LineOnlyReceiver):
    """One operator's connection."""

    delimiter = b"\n"

    def __init__(self, caller: IActiveCaller) -> None:
        self.caller = caller

    def lineReceived(self, line: bytes) -> None:
        command, _, charge_point = line.decode("utf-8", "replace").strip().partition(" ")
        if command != "reset":
            self.sendLine(b"write: reset CHARGE_POINT_ID")
            return
        request = v16.ResetRequest(type=v16.ResetType.Soft)
        told = self.caller.call(charge_point, request, timeout=20).addCallbacks(
            lambda response: response.status.value,
            lambda failure: f"{type(failure.value).__name__}: {failure.getErrorMessage()}",
        )
        told.addCallback(lambda text: self.sendLine(text.encode()))


@implementer(IActiveCallPlugin)
class CommandLine:
    """Listens for operators on the machine itself."""

    name = "depot-commands"

    def __init__(self, reactor: Any, listen: str = "tcp:9100:interface=127.0.0.1") -> None:
        self.endpoint = serverFromString(reactor, listen)
        self.port: IListeningPort | None = None

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(self.listen(caller))

    async def listen(self, caller: IActiveCaller) -> None:
        self.port = await self.endpoint.listen(Factory.forProtocol(lambda: Commands(caller)))

    def stop(self) -> Deferred[None] | None:
        return self.port.stopListening() if self.port is not None else None


def command_line() -> CommandLine:
    """What the declaration names; the reactor is imported no sooner than this."""
    from twisted.internet import reactor

    return CommandLine(reactor)
