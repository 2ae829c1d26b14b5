"""The least that a simulated charge point of OCPP 1.6 can be, for tests of what is around it."""

from __future__ import annotations

from typing import Any

from ocpp_twisted import v16
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.simulator.physical import Outlet
from ocpp_twisted.simulator.station import Station

__all__ = ["SmallVoice"]


class SmallVoice(ActionPlugin):
    """Asks whether a token may charge, and lets it."""

    name = "small"
    version = "1.6"

    def __init__(self, station: Station) -> None:
        self.station = station
        self.handlers = [self]
        self.heard: list[str] = []

    def boot(self) -> v16.BootNotificationRequest:
        hardware = self.station.hardware
        return v16.BootNotificationRequest(
            chargePointVendor=hardware.vendor, chargePointModel=hardware.model
        )

    def started(self) -> None:
        self.heard.append("started")

    def online(self) -> None:
        self.heard.append("online")

    def offline(self) -> None:
        self.heard.append("offline")

    def changed(self, outlet: Outlet) -> None:
        if outlet.vehicle is None:
            outlet.switch(False)

    def presented(self, token: str, outlet: Outlet) -> None:
        self.heard.append(f"presented {token}")
        asked: Any = self.station.charge_point.call(v16.AuthorizeRequest(idTag=token))
        asked.addCallbacks(
            lambda answer: outlet.switch(
                not outlet.closed and answer.idTagInfo.status == "Accepted"
            ),
            lambda failure: None,
        )

    def powered_off(self) -> None:
        self.heard.append("powered off")

    def state(self, outlet: Outlet) -> str:
        if outlet.fault:
            return "Faulted"
        if outlet.vehicle is None:
            return "Available"
        return "Charging" if outlet.closed else "Preparing"

    @on(v16.ClearCacheRequest)
    def clear_cache(self, charge_point: Any, request: Any) -> v16.ClearCacheResponse:
        return v16.ClearCacheResponse(status=v16.ClearCacheStatus.Accepted)
