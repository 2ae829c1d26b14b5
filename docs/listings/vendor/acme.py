"""What ACME's charge points say beyond OCPP."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ocpp_twisted.data_transfer import DataTransferAnswer, transfer_data
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin, on, on_data_transfer


class Fans(Struct):
    """The data of ACME's message `fans`."""

    rpm: list[int]


class Setpoint(Struct):
    """The data of the answer to it."""

    celsius: float


class LockResponse(Response):
    locked: bool


class LockRequest(Request[LockResponse]):
    """An action that no version of OCPP has."""

    ACTION = "AcmeLock"
    RESPONSE = LockResponse

    connectorId: int


class Acme(ActionPlugin):
    name = "acme"
    custom_actions = {"1.6": [LockRequest], "2.0.1": [LockRequest]}  # noqa: RUF012

    # Typed: `data` is a Fans, and a Setpoint goes back.
    @on_data_transfer("com.acme", "fans", data=Fans)
    def fans(
        self, charge_point: IChargePoint, request: Any, data: Fans
    ) -> Setpoint | DataTransferAnswer:
        if not data.rpm:
            return DataTransferAnswer(
                status="Rejected", reasonCode="MissingParam", additionalInfo="name a fan"
            )
        return Setpoint(celsius=40.0 if max(data.rpm) > 2000 else 45.0)

    # Untyped: every other message of this vendor.
    @on_data_transfer("com.acme")
    def other(self, charge_point: IChargePoint, request: Any, data: Any) -> DataTransferAnswer:
        return DataTransferAnswer(status="UnknownMessageId")

    # The plug-in's own action.
    @on(LockRequest)
    async def lock(self, charge_point: IChargePoint, request: LockRequest) -> LockResponse:
        answer = await transfer_data(charge_point, "com.acme", "may-lock", answer=bool)
        return LockResponse(locked=answer.status == "Accepted" and answer.data)
