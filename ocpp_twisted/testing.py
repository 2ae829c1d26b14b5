"""For the tests of your plug-ins: central system and charge points in memory, with a clock to set.

No socket, no reactor, no waiting: what is said arrives when `Network.run` lets it, and time passes
as the test says. Imports the central system, charge points and what is below them.

::

    network = Network(MyPlugin())
    charge_point = network.charge_point("CP1", "1.6")
    answer = network.result(charge_point.call(v16.AuthorizeRequest(idTag="RED")))
    assert answer.idTagInfo.status == "Accepted"
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.charge_point import ChargePoint, ChargePointOptions, Target
from ocpp_twisted.connection import Connection
from ocpp_twisted.errors import CannotConnect
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import (
    IActionPlugin,
    IActiveCallPlugin,
    IChargePoint,
    IMessageReceiver,
    IMessageTransport,
)
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.versions import CATALOGUES

__all__ = ["BEGIN", "BOOTS", "Frame", "MemoryTransport", "Network", "Wire"]

#: When a network's clock begins.
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: Version to a BootNotification with nothing in it but what must be.
BOOTS: Mapping[str, Request[Any]] = {
    "1.6": v16.BootNotificationRequest(chargePointVendor="Test", chargePointModel="Test"),
    "2.0": v20.BootNotificationRequest(
        reason=v20.BootReasonEnumType.PowerUp,
        chargingStation=v20.ChargingStationType(vendorName="Test", model="Test"),
    ),
    "2.0.1": v201.BootNotificationRequest(
        reason=v201.BootReasonEnumType.PowerUp,
        chargingStation=v201.ChargingStationType(vendorName="Test", model="Test"),
    ),
    "2.1": v21.BootNotificationRequest(
        reason=v21.BootReasonEnumType.PowerUp,
        chargingStation=v21.ChargingStationType(vendorName="Test", model="Test"),
    ),
}


class Frame(NamedTuple):
    """A message that has gone over a network.

    :ivar seconds: when it was sent, on the network's clock.
    :ivar charge_point: whose connection it is.
    :ivar sent_by_charge_point: else by the central system.
    :ivar text: as it is on the wire.
    """

    seconds: float
    charge_point: str
    sent_by_charge_point: bool
    text: str


@implementer(IMessageTransport)
class MemoryTransport:
    """Keeps what is sent.

    :ivar sent: the messages (str), in their order.
    :ivar closed: (code, reason) of the closing; None until then.
    :ivar paused: whether nothing is to be read.
    """

    peer = "memory"
    security_profile = 0

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed: tuple[int, str] | None = None
        self.paused = False

    def send_message(self, data: bytes) -> None:
        """See `IMessageTransport`."""
        if self.closed is None:
            self.sent.append(data.decode())

    def close(self, code: int, reason: str) -> None:
        """See `IMessageTransport`."""
        if self.closed is None:
            self.closed = (code, reason)

    def pause_receiving(self) -> None:
        """See `IMessageTransport`."""
        self.paused = True

    def resume_receiving(self) -> None:
        """See `IMessageTransport`."""
        self.paused = False


class Wire:
    """A charge point of which the test speaks each byte.

    :ivar connection: the central system's end.
    :ivar ended: the reasons with which the connection told its owner of its end.
    """

    def __init__(self, transport: MemoryTransport, connection: Connection) -> None:
        self.transport = transport
        self.connection = connection
        self.ended: list[str] = []

    def says(self, message: str | bytes) -> None:
        """Send a message to the central system."""
        self.connection.receive(message.encode() if isinstance(message, str) else message)

    def hears(self) -> list[str]:
        """What has been sent since the last time this was asked."""
        sent, self.transport.sent[:] = list(self.transport.sent), []
        return sent

    def hears_call(self) -> str:
        """The message id of the one CALL that has been sent since the last time."""
        (frame,) = self.hears()
        message_type, message_id, *_ = json.loads(frame)
        assert message_type == 2, frame
        return str(message_id)


class Network:
    """A central system, its plug-ins, and charge points that connect to it.

    A BootNotification or a Heartbeat that no plug-in answers the network answers: Accepted, and
    the clock's time. Plug-ins are started at once, and get a part of `config`.

    :param plugins: of the central system: passive and active ones.
    :param config: plug-in name to what its ``start`` gets.
    :param limits: see `CentralSystem`.
    :param quirks: see `CentralSystem`.
    :ivar clock: the time of all; `run` lets it pass.
    :ivar central_system: it provides `ocpp_twisted.interfaces.IActiveCaller`.
    :ivar frames: all messages that were sent.
    :ivar reachable: whether charge points that want to connect find the central system.
    """

    def __init__(
        self,
        *plugins: IActionPlugin | IActiveCallPlugin,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        limits: Limits | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        self.clock = Clock()
        self.clock.rightNow = BEGIN.timestamp()
        self.frames: list[Frame] = []
        self.reachable = True
        self._random = Random(0)
        self._cables: dict[str, _Cable] = {}
        passive = [each for each in plugins if IActionPlugin.providedBy(each)]
        self.central_system = CentralSystem(
            [*passive, _Clerk(self.clock)], self.clock, limits=limits, quirks=quirks
        )
        for plugin in plugins:
            own = (config or {}).get(plugin.name, {})
            self.result(maybeDeferred(plugin.start, self.central_system, own))

    def charge_point(
        self,
        charge_point_id: str = "CP1",
        version: str = "2.0.1",
        *handlers: IActionPlugin,
        options: ChargePointOptions | None = None,
    ) -> ChargePoint:
        """A charge point that has connected and sent its BootNotification.

        :param handlers: answer what the central system asks; see `ChargePoint`.
        """
        charge_point = ChargePoint(
            Target.at("ws://central-system", charge_point_id),
            [BOOTS[version]],
            self.clock,
            handlers,
            options,
            dialer=self,
            random=self._random,
        )
        charge_point.start()
        self.run()
        return charge_point

    def wire(self, charge_point_id: str = "CP1", version: str = "2.0.1") -> Wire:
        """A connection of which the test speaks each byte."""
        transport = MemoryTransport()
        subprotocol = CATALOGUES[version].rules.subprotocol
        connection = self.central_system.connection_made(
            Identity(charge_point_id), subprotocol, transport
        )
        return Wire(transport, connection)

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass: deliver what is on its way, and do what is due, each in its time."""
        end = self.clock.seconds() + seconds
        while (due := self._next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.seconds(), 0.0))
        self.clock.advance(max(end - self.clock.seconds(), 0.0))

    def result(self, awaited: Awaitable[Any], within: float = 60.0) -> Any:
        """Let time pass until something is there.

        :param awaited: a Deferred or a coroutine.
        :param within: seconds on the network's clock.
        :returns: its result; an error is raised.
        :raises AssertionError: if it is not there in time; perhaps it waits for a real reactor.
        """
        outcome: list[Any] = []
        deferred: Any = awaited if isinstance(awaited, Deferred) else ensureDeferred(awaited)  # type: ignore[arg-type]
        deferred.addBoth(outcome.append)
        end = self.clock.seconds() + within
        while not outcome:
            due = self._next_due()
            if due is None or due > end:
                raise AssertionError(f"no result within {within} s: {deferred!r}")
            self.clock.advance(max(due - self.clock.seconds(), 0.0))
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]

    def cut(self, charge_point_id: str = "CP1") -> None:
        """Break a charge point's connection; neither end says goodbye."""
        self._cables[charge_point_id].cut()

    def connect(
        self,
        target: Target,
        subprotocols: Sequence[str],
        opened: Callable[[str, IMessageTransport], IMessageReceiver],
    ) -> Deferred[None]:
        """See `ocpp_twisted.charge_point.Connects`."""
        result: Deferred[None] = Deferred(lambda _: connecting.cancel())

        def arrive() -> None:
            ours = self.central_system.subprotocols
            subprotocol = next((each for each in subprotocols if each in ours), None)
            if not self.reachable or subprotocol is None:
                why = "no common version" if self.reachable else "the central system is away"
                result.errback(CannotConnect(f"{target.url}: {why}"))
                return
            cable = self._cables[target.id] = _Cable(self, target.id)
            there, here = cable.ends
            there.receiver = self.central_system.connection_made(
                Identity(target.id), subprotocol, there
            )
            here.receiver = opened(subprotocol, here)
            result.callback(None)

        connecting = self.clock.callLater(0, arrive)
        return result

    def _next_due(self) -> float | None:
        return min((call.getTime() for call in self.clock.getDelayedCalls()), default=None)


class _Cable:
    """A connection: the central system's end, and the charge point's."""

    def __init__(self, network: Network, charge_point: str) -> None:
        self.network = network
        self.charge_point = charge_point
        self.ends = (_End(self, "the charge point"), _End(self, "the central system"))
        self.broken = False

    def cut(self) -> None:
        """Nothing gets through any more, and both ends notice."""
        if not self.broken:
            self.broken = True
            for end in self.ends:
                end.lost("the connection broke")

    def carry(self, sender: _End, data: bytes) -> None:
        """Take a message to the other end, after all that was sent before."""
        network = self.network
        text, from_there = data.decode(), sender is self.ends[1]
        now = network.clock.seconds()
        network.frames.append(Frame(now, self.charge_point, from_there, text))
        receiver = self.ends[0] if from_there else self.ends[1]
        network.clock.callLater(0, receiver.arrives, partial(receiver.receive, data))

    def close(self, closer: _End, code: int, reason: str) -> None:
        """One end says goodbye."""
        other = self.ends[1] if closer is self.ends[0] else self.ends[0]

        def goodbye() -> None:
            if not self.broken:
                self.broken = True
                other.lost(f"{other.peer} closed with {code}: {reason}")
                closer.lost(f"we closed with {code}: {reason}")

        self.network.clock.callLater(0, other.arrives, goodbye)


@implementer(IMessageTransport)
class _End:
    """One end of a cable."""

    security_profile = 0

    def __init__(self, cable: _Cable, peer: str) -> None:
        self.peer = peer
        self.receiver: IMessageReceiver | None = None
        self._cable = cable
        self._closing = False
        self._waiting: list[Callable[[], None]] | None = None

    def send_message(self, data: bytes) -> None:
        """See `IMessageTransport`."""
        if not self._closing and not self._cable.broken:
            self._cable.carry(self, data)

    def close(self, code: int, reason: str) -> None:
        """See `IMessageTransport`."""
        if not self._closing and not self._cable.broken:
            self._closing = True
            self._cable.close(self, code, reason)

    def pause_receiving(self) -> None:
        """See `IMessageTransport`."""
        self._waiting = []

    def resume_receiving(self) -> None:
        """See `IMessageTransport`."""
        waiting, self._waiting = self._waiting, None
        for thing in waiting or ():
            self._cable.network.clock.callLater(0, self.arrives, thing)

    def arrives(self, thing: Callable[[], None]) -> None:
        """Something has come through the cable."""
        if self._waiting is not None:
            self._waiting.append(thing)
        else:
            thing()

    def receive(self, data: bytes) -> None:
        """A message has come."""
        if self.receiver is not None and not self._cable.broken:
            self.receiver.receive(data)

    def lost(self, reason: str) -> None:
        """The cable is broken."""
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.lost(reason)


class _Clerk(ActionPlugin):
    """Answers what no plug-in of the test does."""

    name = "clerk"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @on(
        v16.BootNotificationRequest,
        v20.BootNotificationRequest,
        v201.BootNotificationRequest,
        v21.BootNotificationRequest,
        v16.HeartbeatRequest,
        v20.HeartbeatRequest,
        v201.HeartbeatRequest,
        v21.HeartbeatRequest,
    )
    def answer(self, charge_point: IChargePoint, request: Request[Response]) -> Response:
        """Accepted, at the clock's time."""
        now = datetime.fromtimestamp(self._clock.seconds(), UTC)
        answer: Any = request.RESPONSE
        if request.ACTION == "Heartbeat":
            return answer(currentTime=now)  # type: ignore[no-any-return]
        return answer(currentTime=now, interval=300, status="Accepted")  # type: ignore[no-any-return]
