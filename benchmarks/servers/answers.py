"""The plug-in that answers the load; imported when a reactor has been chosen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ocpp_twisted import v16
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.plugin import ActionPlugin, on


class Answers(ActionPlugin):
    """Answers with what the messages ask for."""

    name = "answers"

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point: IChargePoint, request: v16.HeartbeatRequest) -> Any:
        return v16.HeartbeatResponse(currentTime=datetime.now(UTC))

    @on(v16.MeterValuesRequest)
    def meter_values(self, charge_point: IChargePoint, request: v16.MeterValuesRequest) -> Any:
        return v16.MeterValuesResponse()
