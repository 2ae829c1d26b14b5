"""The components that can be touched, as variables: the station, its EVSEs and connectors.

Imports its neighbours. Source: OCPP 2.0.1 part 2 appendices, section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ocpp_twisted.simulator.v2.device_model import READ_WRITE, Key, Variable
from ocpp_twisted.simulator.v2.evse import Evse
from ocpp_twisted.simulator.v2.reservations import CONNECTOR_TYPE
from ocpp_twisted.simulator.v2.standard_variables import AVAILABILITY

if TYPE_CHECKING:
    from ocpp_twisted.simulator.v2.voice import Voice2

__all__ = ["hardware_variables"]


def _flag(value: object) -> str:
    return "true" if value else "false"


def hardware_variables(voice: Voice2) -> Iterator[Variable]:
    """All of them; their values are looked up when they are asked for."""
    yield from _station(voice)
    for evse in voice.evses:
        yield from _evse(voice, evse)
        yield from _connector(voice, evse)


def _station(voice: Voice2) -> Iterator[Variable]:
    hardware = voice.station.hardware

    def variable(name: str, **rest: Any) -> Variable:
        return Variable(key=Key("ChargingStation", name), **rest)

    yield variable("Available", type="boolean", value="true")
    yield variable(
        "AvailabilityState",
        type="OptionList",
        values=AVAILABILITY,
        summary=True,
        read=lambda: voice.availability.station_status(),
    )
    yield variable(
        "AllowNewSessionsPendingFirmwareUpdate",
        type="boolean",
        value="true",
        mutability=READ_WRITE,
    )
    yield variable("Model", value=hardware.model, maximum=20)
    yield variable(
        "Problem",
        type="boolean",
        summary=True,
        read=lambda: _flag(any(evse.outlet.fault for evse in voice.evses)),
    )
    yield variable("SerialNumber", value=hardware.serial, maximum=25)
    yield variable("SupplyPhases", type="integer", value=str(hardware.phases))
    yield variable("VendorName", value=hardware.vendor, maximum=50)
    yield Variable(key=Key("Controller", "FirmwareVersion"), read=lambda: voice.firmware_version)


def _evse(voice: Voice2, evse: Evse) -> Iterator[Variable]:
    outlet = evse.outlet

    def variable(name: str, **rest: Any) -> Variable:
        return Variable(key=Key("EVSE", name, evse.number), **rest)

    yield variable("Available", type="boolean", value="true")
    yield variable("AllowReset", type="boolean", value="true")
    yield variable(
        "AvailabilityState",
        type="OptionList",
        values=AVAILABILITY,
        summary=True,
        read=lambda: voice.availability.status(evse),
    )
    yield variable("EvseId", value=f"{voice.station.id}*{evse.number}")
    yield variable(
        "Power",
        type="decimal",
        unit="W",
        maximum=outlet.power,
        read=lambda: f"{outlet.flow:.1f}",
    )
    yield variable("Problem", type="boolean", summary=True, read=lambda: _flag(outlet.fault))
    yield variable("SupplyPhases", type="integer", value=str(outlet.phases))
    yield Variable(
        key=Key("FiscalMetering", "EnergyImportRegister", evse.number),
        type="decimal",
        unit="Wh",
        read=lambda: f"{outlet.energy:.1f}",
    )


def _connector(voice: Voice2, evse: Evse) -> Iterator[Variable]:
    status: Callable[[], str] = lambda: voice.availability.status(evse)  # noqa: E731

    def variable(name: str, **rest: Any) -> Variable:
        return Variable(key=Key("Connector", name, evse.number, 1), **rest)

    yield variable("Available", type="boolean", value="true")
    yield variable(
        "AvailabilityState", type="OptionList", values=AVAILABILITY, summary=True, read=status
    )
    yield variable("ConnectorType", value=CONNECTOR_TYPE)
    yield variable("Problem", type="boolean", summary=True, read=lambda: _flag(evse.outlet.fault))
    yield variable("SupplyPhases", type="integer", value=str(evse.outlet.phases))
