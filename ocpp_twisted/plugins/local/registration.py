"""Actions: BootNotification and Heartbeat, of every version.

Sources: OCPP 1.6 sections 4.2 and 4.6; OCPP 2.x use cases B01 and G02.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.plugins.local.messages import answer, requests

__all__ = ["Registration"]


class Registration(ActionPlugin):
    """Lets every charge point in, and tells the time."""

    heartbeat_interval: int
    now: Callable[[], datetime]

    @on(*requests("BootNotification"))
    def boot_notification(self, charge_point: IChargePoint, request: Request[Any]) -> Response:
        """Accepted: who may connect is decided when it connects."""
        return answer(
            request,
            status="Accepted",
            currentTime=self.now(),
            interval=self.heartbeat_interval,
        )

    @on(*requests("Heartbeat"))
    def heartbeat(self, charge_point: IChargePoint, request: Request[Any]) -> Response:
        """The time."""
        return answer(request, currentTime=self.now())
