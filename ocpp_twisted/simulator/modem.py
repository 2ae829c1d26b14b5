"""What a simulated charge point connects with: it carries messages, well or not so well.

It stands between a `ChargePoint` and what opens its connections, and is one itself: give it as the
charge point's dialer. Imports charge points and its neighbours `faults` and `spoiling`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ocpp_twisted.charge_point import Connects, Link, Target
from ocpp_twisted.errors import CannotConnect
from ocpp_twisted.interfaces import IMessageReceiver, IMessageTransport
from ocpp_twisted.recording.between import Between
from ocpp_twisted.simulator.faults import Fault
from ocpp_twisted.simulator.spoiling import spoiled

__all__ = ["Modem"]

#: Dead sockets that a modem keeps; when there is one more, the oldest is closed.
_MOST_DEAD = 4
#: What the messages begin with that answer one of the peer's.
_ANSWERS = (b"[3", b"[4", b"[5")

#: Makes what takes the messages of a connection that is open.
_Opened = Callable[[str, IMessageTransport], IMessageReceiver]


class Modem:
    """Opens the connections of one charge point, and lets things go wrong on them as it is told.

    :param dialer: opens the real ones.
    :param random: decides which messages a fault strikes that has a share.
    :ivar listener: is called with True and each message that is sent, as it goes to the wire, with
        False and each one that has come; None for nobody.
    """

    def __init__(self, dialer: Connects, clock: IReactorTime, random: Random) -> None:
        self.listener: Callable[[bool, bytes], None] | None = None
        self.clock = clock
        self.random = random
        self._dialer = dialer
        self._faults: dict[str, Fault] = {}
        self._online = True
        self._carriers: dict[_Carrier, None] = {}

    # -- what can be switched -----------------------------------------------------------------

    @property
    def faults(self) -> Mapping[str, Fault]:
        """The faults that it has now, by name."""
        return MappingProxyType(self._faults)

    def switch_on(self, fault: Fault) -> None:
        """Have a fault from now on; with other parameters, if it has it already."""
        self._faults[fault.name] = fault
        for carrier in self._working():
            carrier.switched_on(fault)

    def switch_off(self, name: str) -> None:
        """Have it no more. Dead sockets are closed; does nothing if there is no such fault."""
        if self._faults.pop(name, None) is not None:
            for carrier in list(self._carriers):
                carrier.switched_off(name)

    def switch_all_off(self) -> None:
        """Have no fault any more."""
        for name in list(self._faults):
            self.switch_off(name)

    @property
    def online(self) -> bool:
        """Whether there is a network. Without one connections are closed, and none is opened.

        The charge point tries again when it would have: `ChargePoint.reconnect` lets it be at once.
        """
        return self._online

    @online.setter
    def online(self, online: bool) -> None:
        self._online = online
        if not online:
            for carrier in self._working():
                carrier.close(1001, "the network goes away")

    def send_as_it_is(self, message: bytes) -> None:
        """Send something, whatever it is.

        :raises ValueError: if there is no connection.
        """
        if not (working := self._working()):
            raise ValueError("there is no connection to send it on")
        working[-1].put(message)

    def connect(
        self, target: Target, subprotocols: Sequence[str], opened: _Opened
    ) -> Deferred[None]:
        """See `ocpp_twisted.charge_point.Connects`."""
        if not self._online:
            return fail(CannotConnect(f"{target.url}: there is no network"))

        def carried(subprotocol: str, transport: IMessageTransport) -> IMessageReceiver:
            carrier = _Carrier(self, transport)
            self._carriers[carrier] = None
            carrier.begin(opened(subprotocol, carrier))
            return carrier

        return self._dialer.connect(target, subprotocols, carried)

    # -- for its carriers ---------------------------------------------------------------------

    def strikes(self, name: str) -> Fault | None:
        """The fault of that name, if it is on and chance lets it strike now."""
        fault = self._faults.get(name)
        if fault is None or (fault.share < 1 and self.random.random() >= fault.share):
            return None
        return fault

    def died(self) -> None:
        """One more socket is dead."""
        dead = [carrier for carrier in self._carriers if carrier.abandoned]
        for carrier in dead[:-_MOST_DEAD]:
            carrier.bury()

    def forget(self, carrier: _Carrier) -> None:
        """Its socket has ended."""
        self._carriers.pop(carrier, None)

    def _working(self) -> list[_Carrier]:
        return [carrier for carrier in self._carriers if not carrier.abandoned]


class _Carrier(Between):
    """One connection."""

    def __init__(self, modem: Modem, transport: IMessageTransport) -> None:
        super().__init__(transport)
        self._modem = modem
        #: The charge point has heard of its end.
        self._ended = False
        #: Nothing is read or written any more.
        self._dead = False
        #: ... and the charge point has turned away from it.
        self.abandoned = False
        #: What has come while nothing is to be read.
        self._unread: deque[bytes] = deque()
        self._pausing: IDelayedCall | None = None
        self._receiving_is_paused = False
        self._is_paused = False
        self._timers: set[IDelayedCall] = set()

    def begin(self, receiver: IMessageReceiver) -> None:
        """The connection is open."""
        self.receiver = receiver
        if not self._modem.online:  # it was on its way when the network went
            self.transport.close(1001, "the network goes away")
        faults = self._modem.faults
        if (fault := faults.get("half-open")) is not None:
            self._later(fault.alive, self._die)
        if "reconnect-loop" in faults:
            self.switched_on(faults["reconnect-loop"])

    def switched_on(self, fault: Fault) -> None:
        """There is a fault that there was not."""
        if fault.name == "half-open":
            self._die()
        elif fault.name == "reconnect-loop":
            self._later(fault.seconds, self._connect_anew)

    def switched_off(self, name: str) -> None:
        """A fault has gone."""
        if name == "half-open" and self._dead:
            self.bury()
        elif name == "slow-reading" and self._pausing is not None:
            self._pausing.cancel()
            self._timers.discard(self._pausing)
            self._read_on()

    # -- IMessageTransport, for the charge point ----------------------------------------------

    def send_message(self, data: bytes) -> None:
        """See `IMessageTransport`."""
        modem = self._modem
        if not modem.faults:
            self.put(data)
            return
        copies, late = 1, 0.0
        if data.startswith(_ANSWERS):
            if modem.strikes("never-answer"):
                return
            if modem.strikes("wrong-ids"):
                data = self._with_another_id(data)
            if modem.strikes("answer-twice"):
                copies = 2
            if (fault := modem.strikes("answer-late")) is not None:
                late = fault.seconds
        if (fault := modem.strikes("off-spec")) is not None:
            data = spoiled(data, fault.way, modem.random)
        for _ in range(copies):
            if late:
                self._later(late, self.put, data)
            else:
                self.put(data)

    def put(self, data: bytes) -> None:
        """Send a message as it is."""
        if self._dead:
            return
        if self._modem.listener is not None:
            self._modem.listener(True, data)
        self.transport.send_message(data)

    def close(self, code: int, reason: str) -> None:
        """See `IMessageTransport`: what is dead is left as it is."""
        if self._dead:
            self._later(0, self._abandon)
        else:
            self.transport.close(code, reason)

    def pause_receiving(self) -> None:
        """See `IMessageTransport`."""
        self._receiving_is_paused = True
        self._pace()

    def resume_receiving(self) -> None:
        """See `IMessageTransport`."""
        self._receiving_is_paused = False
        self._pace()

    # -- IMessageReceiver, for the transport --------------------------------------------------

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver`."""
        if self._dead:
            return
        if self._pausing is not None:
            self._unread.append(data)  # it came in one read with those before it
        else:
            self._take(data)

    def closing(self) -> None:
        """See `IMessageReceiver`."""
        if not self._ended:
            self.receiver.closing()

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver`."""
        self._modem.forget(self)
        for timer in list(self._timers):
            timer.cancel()
        self._timers.clear()
        self._unread.clear()
        self._end(reason)

    # -- what goes wrong ----------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        if self._ended:
            return
        if self._modem.listener is not None:
            self._modem.listener(False, data)
        self.receiver.receive(data)
        fault = self._modem.strikes("slow-reading")
        if fault is not None and not self._ended:
            self._pausing = self._later(fault.seconds, self._read_on)
            self._pace()

    def _read_on(self) -> None:
        self._pausing = None
        while self._unread and self._pausing is None:
            self._take(self._unread.popleft())
        self._pace()

    def _die(self) -> None:
        fault = self._modem.faults.get("half-open")
        if fault is None or self._dead:
            return
        self._dead = True
        self._unread.clear()
        self._pace()
        if fault.seconds:
            self._later(fault.seconds, self._abandon)

    def _abandon(self) -> None:
        """The charge point turns away from a socket that is dead."""
        if not self.abandoned:
            self.abandoned = True
            self._end("it was half-open, which the charge point has noticed")
            self._modem.died()

    def bury(self) -> None:
        """End a dead socket in earnest."""
        self.transport.close(1001, "it was half-open")

    def _connect_anew(self) -> None:
        if "reconnect-loop" in self._modem.faults and not self._ended:
            if isinstance(self.receiver, Link):
                self.receiver.charge_point.reconnect()
            else:
                self.close(1001, "it connects anew")

    def _with_another_id(self, data: bytes) -> bytes:
        frame = json.loads(data)
        frame[1] = f"nobody-{self._modem.random.randrange(1_000_000_000)}"
        return json.dumps(frame, separators=(",", ":")).encode()

    # -----------------------------------------------------------------------------------------

    def _end(self, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self.receiver.lost(reason)

    def _pace(self) -> None:
        wanted = self._dead or self._receiving_is_paused or self._pausing is not None
        if wanted != self._is_paused:
            self._is_paused = wanted
            if wanted:
                self.transport.pause_receiving()
            else:
                self.transport.resume_receiving()

    def _later(self, seconds: float, do: Callable[..., None], *arguments: bytes) -> IDelayedCall:
        def due() -> None:
            self._timers.discard(timer)
            do(*arguments)

        timer: IDelayedCall = self._modem.clock.callLater(seconds, due)
        self._timers.add(timer)
        return timer
