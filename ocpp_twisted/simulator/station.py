"""A simulated charge point: outlets, a connection, and a voice that speaks one version of OCPP.

Imports charge points and its neighbour `physical`. What people do to it are its methods; a `Voice`
makes messages of what happens, and answers the central system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocpp_twisted.charge_point import ChargePoint, ChargePointOptions, Connects, State, Target
from ocpp_twisted.deadlines import Deadlines
from ocpp_twisted.interfaces import IActionPlugin, IObserver
from ocpp_twisted.ocppj.message import Request
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.simulator.physical import Outlet, Vehicle

__all__ = ["Hardware", "Station", "Voice"]

_log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a simulated charge point is made of.

    :ivar outlets: how many cars can be plugged in.
    :ivar power: watts that each of them gives at most.
    :ivar phases: of each.
    """

    vendor: str = "ocpp_twisted"
    model: str = "Simulated"
    serial: str = ""
    firmware: str = "1.0.0"
    outlets: int = 2
    power: float = 22_000.0
    phases: int = 3


class Voice(Protocol):
    """What speaks for a station, in one version.

    :ivar version: the OCPP version.
    :ivar handlers: answer the central system's calls.
    """

    version: str
    handlers: Sequence[IActionPlugin]

    def boot(self) -> Request[Any]:
        """The BootNotification to send next; its reason may depend on how it was started."""

    def started(self) -> None:
        """BootNotification has been accepted, for the first time since it was started."""

    def online(self) -> None:
        """It is connected and accepted again."""

    def offline(self) -> None:
        """The connection has ended."""

    def changed(self, outlet: Outlet) -> None:
        """Something about an outlet has changed: cable, flow, fault."""

    def presented(self, token: str, outlet: Outlet) -> None:
        """Somebody shows a token: to start or to stop charging."""

    def powered_off(self) -> None:
        """Power is gone: transactions end as the version says when it is back."""

    def state(self, outlet: Outlet) -> str:
        """How an outlet's status is called in the version, for people."""


class Station:
    """A simulated charge point, from `start` to `stop`.

    :param voice: makes the voice of this station.
    :param random: of this station alone, so that it does the same again.
    :param observer: is told what becomes of its calls; see `ChargePoint`.
    """

    def __init__(
        self,
        target: Target,
        voice: Callable[[Station], Voice],
        reactor: Any,
        hardware: Hardware | None = None,
        options: ChargePointOptions | None = None,
        dialer: Connects | None = None,
        deadlines: Deadlines | None = None,
        random: Random | None = None,
        observer: IObserver | None = None,
    ) -> None:
        self.id = target.id
        self.clock = reactor
        self.random = random if random is not None else Random()
        self.hardware = hardware = hardware if hardware is not None else Hardware()
        self._was_accepted = False
        self.outlets = [
            Outlet(number + 1, reactor, self._changed, hardware.power, hardware.phases)
            for number in range(hardware.outlets)
        ]
        self.voice = voice(self)
        self.charge_point = ChargePoint(
            target,
            [self.voice.boot()],
            reactor,
            [_Connection(self), *self.voice.handlers],
            options,
            dialer,
            deadlines,
            self.random,
            observer,
        )

    # -- its life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Power on, and boot. Does nothing if it is on."""
        if self.charge_point.state is State.STOPPED:
            self.charge_point.boots = (self.voice.boot(),)
            self.charge_point.reboot()
            self._await_acceptance()

    def stop(self) -> Deferred[None]:
        """Power off, and let it be so."""
        self._was_accepted = False
        stopping = self.charge_point.stop()
        # What the voice still has to say is queued, for nothing can be sent without power.
        self.voice.powered_off()
        for outlet in self.outlets:
            outlet.stop()
        return stopping

    def restart(self) -> Deferred[None]:
        """Off and on again: a reset. The voice has ended what had to be ended before."""
        self._was_accepted = False
        self.charge_point.boots = (self.voice.boot(),)
        rebooting = self.charge_point.reboot()
        rebooting.addCallback(lambda _: self._await_acceptance())
        return rebooting

    # -- what people do -----------------------------------------------------------------------

    def outlet(self, number: int) -> Outlet:
        """The outlet of a number, from 1 on.

        :raises ValueError: if there is none.
        """
        if not 1 <= number <= len(self.outlets):
            raise ValueError(f"{self.id} has outlets 1 to {len(self.outlets)}, not {number}")
        return self.outlets[number - 1]

    def plug_in(self, number: int = 1, vehicle: Vehicle | None = None) -> None:
        """Plug a car in.

        :raises ValueError: if there is no such outlet, or it is taken.
        """
        self.outlet(number).plug_in(vehicle if vehicle is not None else Vehicle())

    def unplug(self, number: int = 1) -> None:
        """Take the cable out of the car."""
        self.outlet(number).unplug()

    def present(self, token: str, number: int = 1) -> None:
        """Hold a token (an id tag) to the reader."""
        self.voice.presented(token, self.outlet(number))

    def break_down(self, fault: str, number: int = 1) -> None:
        """Let an outlet have a fault, by the version's word for it; the empty text mends it."""
        self.outlet(number).break_down(fault)

    # -----------------------------------------------------------------------------------------

    def _changed(self, outlet: Outlet) -> None:
        self.voice.changed(outlet)

    def _await_acceptance(self) -> None:
        accepted = self.charge_point.accepted()
        accepted.addCallbacks(lambda _: self._accepted(), lambda failure: None)

    def _accepted(self) -> None:
        if not self._was_accepted:
            self._was_accepted = True
            self.voice.started()
        else:
            self.voice.online()

    def connection_ended(self) -> None:
        """The connection has ended; another one may follow."""
        self.voice.offline()
        if self._was_accepted:
            self._await_acceptance()


class _Connection(ActionPlugin):
    """Tells a station of its connection."""

    name = "connection"

    def __init__(self, station: Station) -> None:
        self._station = station

    def charge_point_offline(self, charge_point: Any, reason: str, seconds: float) -> None:
        """See `IActionPlugin`."""
        self._station.connection_ended()
