"""The voice of OCPP 2.0, 2.0.1 and 2.1: what a station is in those versions, made of blocks.

Imports charge points, the station and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ocpp_twisted.charge_point import Backoff, Retries
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.ocppj.message import Request
from ocpp_twisted.registration import Status
from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.simulator.station import Station
from ocpp_twisted.simulator.v2.authorization import Authorization
from ocpp_twisted.simulator.v2.availability import Availability
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.charging import Charging
from ocpp_twisted.simulator.v2.charging21 import Charging21
from ocpp_twisted.simulator.v2.der import DER
from ocpp_twisted.simulator.v2.device_model import DeviceModel, Key, Variable
from ocpp_twisted.simulator.v2.diagnostics import Diagnostics
from ocpp_twisted.simulator.v2.dialects import DIALECTS
from ocpp_twisted.simulator.v2.displays import Displays
from ocpp_twisted.simulator.v2.evse import Evse, Permit, Transaction
from ocpp_twisted.simulator.v2.external import External
from ocpp_twisted.simulator.v2.firmware import Firmware
from ocpp_twisted.simulator.v2.hardware import hardware_variables
from ocpp_twisted.simulator.v2.metering import Metering
from ocpp_twisted.simulator.v2.monitoring import Monitoring
from ocpp_twisted.simulator.v2.refused import Refused
from ocpp_twisted.simulator.v2.remote import Remote
from ocpp_twisted.simulator.v2.reservations import ReservationBlock
from ocpp_twisted.simulator.v2.resetting import Resetting
from ocpp_twisted.simulator.v2.security import Security
from ocpp_twisted.simulator.v2.standard_variables import station_variables, variables_of_21
from ocpp_twisted.simulator.v2.streams import Streams
from ocpp_twisted.simulator.v2.switchboard import Switchboard
from ocpp_twisted.simulator.v2.tariffs import Tariffs
from ocpp_twisted.simulator.v2.telling import Telling
from ocpp_twisted.simulator.v2.timers import Timers
from ocpp_twisted.simulator.v2.transactions import Transactions
from ocpp_twisted.simulator.v2.triggers import Triggers
from ocpp_twisted.simulator.v2.variables import Variables

__all__ = ["Voice2"]

#: What 2.1 has beside, where it is not a block of its own.
_VARIABLES: Mapping[str, Callable[[], Iterable[Variable]]] = {"2.1": variables_of_21}
_CHARGING: Mapping[str, type[Charging]] = {"2.1": Charging21}


class Voice2:
    """Speaks for a station; see `ocpp_twisted.simulator.station.Voice`.

    :param version: 2.0, 2.0.1 or 2.1.
    :ivar model: its device model.
    :ivar evses: one for each outlet.
    :ivar firmware_version: as BootNotification tells it.
    :ivar accepted: whether it is connected, and BootNotification has been accepted.
    """

    def __init__(self, station: Station, version: str) -> None:
        self.station = station
        self.version = version
        self.dialect = DIALECTS[version]
        self.timers = Timers(station.clock)
        self.model = DeviceModel()
        self.evses = [Evse(outlet) for outlet in station.outlets]
        self.firmware_version = station.hardware.firmware
        self.accepted = False
        self._boot_reason = "PowerUp"
        own = _VARIABLES.get(version, tuple)
        for variable in (*station_variables(), *own(), *hardware_variables(self)):
            self.model.add(variable)
        self.live("ClockCtrlr", "DateTime", lambda: self.now().isoformat(timespec="seconds"))
        self.live("SecurityCtrlr", "Identity", lambda: station.id)
        self.variables = Variables(self)
        self.security = Security(self)
        self.authorization = Authorization(self)
        self.availability = Availability(self)
        self.metering = Metering(self)
        self.telling = Telling(self)
        self.transactions = Transactions(self)
        self.reservations = ReservationBlock(self)
        self.charging = _CHARGING.get(version, Charging)(self)
        self.external = External(self)
        self.firmware = Firmware(self)
        self.diagnostics = Diagnostics(self)
        self.monitoring = Monitoring(self)
        self.displays = Displays(self)
        self.resetting = Resetting(self)
        self.tariffs = Tariffs(self)
        self.streams = Streams(self)
        #: In the order in which they hear of things: an end of transactions is told first.
        self.blocks: list[Block] = [
            self.transactions,
            self.telling,
            self.availability,
            self.metering,
            self.authorization,
            self.reservations,
            self.charging,
            self.external,
            self.variables,
            self.security,
            self.firmware,
            self.diagnostics,
            self.monitoring,
            self.displays,
            self.resetting,
            self.tariffs,
            self.streams,
            Remote(self),
            Triggers(self),
            DER(self),
            Refused(self),
        ]
        self.handlers: Sequence[IActionPlugin] = [Switchboard(self.blocks)]
        self.model.changed.append(self._variable_changed)

    # -- for the blocks -----------------------------------------------------------------------

    def now(self) -> datetime:
        """The time, as the central system has told it."""
        charge_point = getattr(self.station, "charge_point", None)
        if charge_point is None:  # it is being made
            return datetime.fromtimestamp(self.station.clock.seconds(), UTC)
        time: datetime = charge_point.now()
        return time

    def evse(self, number: int) -> Evse:
        """The EVSE of a number, from 1 on."""
        return self.evses[number - 1]

    def live(self, component: str, variable: str, read: Callable[[], str], **where: Any) -> None:
        """Let a variable be looked up when it is asked for."""
        found = self.model.find(Key(component, variable, **where))
        assert isinstance(found, Variable), (component, variable)
        found.read = read

    def most(self, component: str, variable: str, instance: str | None = None) -> int:
        """The maxLimit of a variable."""
        found = self.model.find(Key(component, variable, variable_instance=instance))
        assert isinstance(found, Variable), (component, variable)
        return int(found.maximum or 0)

    def admit(self, evse: Evse, permit: Permit, key: tuple[str, str]) -> None:
        """Somebody has been authorized for an EVSE: he may charge unless it is kept for another."""
        may, reservation = self.reservations.used_by(evse, key, permit.group)
        if may:
            permit.reservation = reservation
            self.transactions.permit(evse, permit)

    def evse_changed(self, evse: Evse) -> None:
        """Something about an EVSE has changed that others look at."""
        self.reservations.look(evse)
        self.charging.look(evse)
        for each in self.evses:  # what is reserved may depend on all of them
            self.availability.look(each)
        self.monitoring.look()

    def transaction_ended(self, evse: Evse, transaction: Transaction) -> None:
        """A transaction is over."""
        self.charging.transaction_ended(transaction)
        self.tariffs.transaction_ended(transaction.id)
        self.displays.transaction_ended(transaction.id)
        self.availability.transaction_ended()
        self.firmware.transaction_ended()
        self.resetting.transaction_ended()

    def boot_again(self) -> None:
        """Send a BootNotification, because the central system asks for it."""
        self._boot_reason = "Triggered"
        self.station.charge_point.boots = (self.boot(),)
        self.station.charge_point.boot()

    def restart(self, reason: str) -> None:
        """Start anew: what a reset does."""
        self._boot_reason = reason
        self._power_off()
        self.model.restarted()
        self.station.restart()

    @property
    def may_charge(self) -> bool:
        """Whether BootNotification has been accepted, or nobody has to wait for that (B02)."""
        accepted = self.station.charge_point.registration is Status.ACCEPTED
        return accepted or self.model.boolean("TxCtrlr", "TxBeforeAcceptedEnabled")

    @property
    def resumption_timeout(self) -> int:
        """Seconds without power after which a transaction still goes on; -1 for none at all."""
        known = self.model.find(Key("TxCtrlr", "ResumptionTimeout"))
        return int(known.now) if isinstance(known, Variable) else -1

    # -- for the station ----------------------------------------------------------------------

    def boot(self) -> Request[Any]:
        """See `Voice`."""
        hardware, make = self.station.hardware, self.dialect.make
        reason, self._boot_reason = self._boot_reason, "PowerUp"
        station = make(
            "ChargingStationType",
            model=hardware.model,
            vendorName=hardware.vendor,
            serialNumber=hardware.serial or None,
            firmwareVersion=self.firmware_version,
        )
        request: Request[Any] = make(
            "BootNotificationRequest", reason=reason, chargingStation=station
        )
        return request

    def started(self) -> None:
        """See `Voice`."""
        self.accepted = True
        self.station.charge_point.unreachable = self.resetting.unreachable
        interval = self.station.charge_point.heartbeat_interval
        self.model.put(f"{interval:.0f}", "OCPPCommCtrlr", "HeartbeatInterval")
        for block in self.blocks:
            block.started()

    def online(self) -> None:
        """See `Voice`."""
        self.accepted = True
        for block in self.blocks:
            block.online()

    def offline(self) -> None:
        """See `Voice`."""
        self.accepted = False
        for block in self.blocks:
            block.offline()

    def changed(self, outlet: Outlet) -> None:
        """See `Voice`."""
        self.transactions.changed(outlet)
        self.evse_changed(self.evse(outlet.number))

    def presented(self, token: str, outlet: Outlet) -> None:
        """See `Voice`."""
        self.authorization.presented(token, self.evse(outlet.number))

    def powered_off(self) -> None:
        """See `Voice`."""
        self._power_off()
        self.firmware.switched_off()

    def state(self, outlet: Outlet) -> str:
        """See `Voice`."""
        return self.availability.status(self.evse(outlet.number))

    def _power_off(self) -> None:
        self.accepted = False
        for block in self.blocks:
            block.powered_off()
        self.timers.stop_all()

    # -- what variables do --------------------------------------------------------------------

    def _variable_changed(self, variable: Variable) -> None:
        component, name = variable.key.component, variable.key.variable
        if component == "OCPPCommCtrlr":
            self._communication(name)
        self.metering.watch(component, name)
        self.resetting.watch(component, name)
        self.security.watch(component, name)
        self.monitoring.look(variable)

    def _communication(self, name: str) -> None:
        charge_point, integer = self.station.charge_point, self.model.integer
        component = "OCPPCommCtrlr"
        if name == "WebSocketPingInterval":
            charge_point.target = replace(
                charge_point.target, ping_interval=integer(component, name)
            )
        elif name == "HeartbeatInterval":
            charge_point.heartbeat_interval = integer(component, name)
        elif name.startswith("RetryBackOff"):
            charge_point.backoff = Backoff(
                wait_minimum=integer(component, "RetryBackOffWaitMinimum"),
                repeat_times=integer(component, "RetryBackOffRepeatTimes"),
                random_range=integer(component, "RetryBackOffRandomRange"),
            )
        elif name.startswith("MessageAttempt"):
            of = {"variable_instance": "TransactionEvent"}
            charge_point.retries = Retries(
                attempts=integer(component, "MessageAttempts", **of),
                interval=integer(component, "MessageAttemptInterval", **of),
            )
