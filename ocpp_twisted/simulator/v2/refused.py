"""What this hardware has not: the answers say so.

Imports its neighbours. There is no ISO 15118 here, no car that feeds energy back, no battery to be
swapped, and no terminal for payments.
"""

from __future__ import annotations

from typing import Any

from ocpp_twisted.plugin import on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every

__all__ = ["Refused"]


class Refused(Block):
    """Answers what asks for hardware that there is not."""

    name = "refused"

    @on(*every("NotifyCentralChargingNeeds"))
    def notify_central_charging_needs(self, link: Any, request: Any) -> Any:
        """See OCPP 2.0."""
        return self._rejected("NotifyCentralChargingNeedsResponse")

    @on(*every("Renegotiate15118Schedule"))
    def renegotiate(self, link: Any, request: Any) -> Any:
        """See OCPP 2.0."""
        return self._rejected("Renegotiate15118ScheduleResponse")

    @on(*every("AFRRSignal"))
    def afrr_signal(self, link: Any, request: Any) -> Any:
        """See OCPP 2.1, block Q."""
        return self._rejected("AFRRSignalResponse")

    @on(*every("NotifyAllowedEnergyTransfer"))
    def notify_allowed_energy_transfer(self, link: Any, request: Any) -> Any:
        """See OCPP 2.1, block Q."""
        return self._rejected("NotifyAllowedEnergyTransferResponse")

    @on(*every("RequestBatterySwap"))
    def request_battery_swap(self, link: Any, request: Any) -> Any:
        """See OCPP 2.1, block S."""
        return self._rejected("RequestBatterySwapResponse", "NoBatteryAvailable")

    @on(*every("NotifyWebPaymentStarted"))
    def notify_web_payment_started(self, link: Any, request: Any) -> Any:
        """See OCPP 2.1, C25: there is nothing to say no with."""
        return self.make("NotifyWebPaymentStartedResponse")

    def _rejected(self, name: str, why: str = "UnsupportedRequest") -> Any:
        # 2.0's responses have no statusInfo.
        info = (
            {"statusInfo": self.reason(why)} if self.voice.dialect.knows(name, "statusInfo") else {}
        )
        return self.make(name, status="Rejected", **info)
