"""Calls charge points of this process directly, and all others over NATS.

Imports the interfaces and its neighbour `errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.errors import NotConnected
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import ConnectedChargePoint, IActiveCaller
from ocpp_twisted.ocppj.message import Request, ResponseT_co
from ocpp_twisted.plugins.nats.errors import LinkError

__all__ = ["NearestCaller"]

_log = Logger()


@implementer(IActiveCaller)
class NearestCaller:
    """See `IActiveCaller`. What was not sent here, because nobody is connected, goes on.

    :param near: reaches the charge points of this process.
    :param far: reaches those of all processes.
    """

    def __init__(self, near: IActiveCaller, far: IActiveCaller) -> None:
        self._near = near
        self._far = far

    def call(
        self,
        charge_point: str | Identity,
        request: Request[ResponseT_co],
        timeout: float | None = None,
    ) -> Deferred[ResponseT_co]:
        """See `IActiveCaller.call`."""
        called: Deferred[Any] = self._near.call(charge_point, request, timeout)
        return called.addErrback(
            lambda failure: (
                failure.trap(NotConnected) and self._far.call(charge_point, request, timeout)
            )
        )

    def call_json(
        self,
        charge_point: str | Identity,
        action: str,
        payload: bytes,
        timeout: float | None = None,
    ) -> Deferred[bytes]:
        """See `IActiveCaller.call_json`."""
        called: Deferred[Any] = self._near.call_json(charge_point, action, payload, timeout)
        return called.addErrback(
            lambda failure: (
                failure.trap(NotConnected)
                and self._far.call_json(charge_point, action, payload, timeout)
            )
        )

    def connected(
        self, charge_point: str | Identity | None = None
    ) -> Deferred[Sequence[ConnectedChargePoint]]:
        """See `IActiveCaller.connected`. Where both know one, that of this process counts.

        Those of other processes are missing while NATS cannot be reached.
        """
        return Deferred.fromCoroutine(self._connected(charge_point))

    async def _connected(
        self, charge_point: str | Identity | None
    ) -> Sequence[ConnectedChargePoint]:
        near = await self._near.connected(charge_point)
        if charge_point is not None and near:
            return near
        try:
            far = await self._far.connected(charge_point)
        except LinkError as error:
            _log.warn("charge points of other gateways are not listed: {error}", error=error)
            far = ()
        return list({one.identity: one for one in (*far, *near)}.values())

    def disconnect(
        self, charge_point: str | Identity, code: int = 1000, reason: str = ""
    ) -> Deferred[None]:
        """See `IActiveCaller.disconnect`."""
        closing: Deferred[Any] = self._near.disconnect(charge_point, code, reason)
        return closing.addErrback(
            lambda failure: (
                failure.trap(NotConnected) and self._far.disconnect(charge_point, code, reason)
            )
        )

    def register(self, charge_point: str | Identity, status: str) -> Deferred[None]:
        """See `IActiveCaller.register`."""
        return Deferred.fromCoroutine(self._register(charge_point, status))

    async def _register(self, charge_point: str | Identity, status: str) -> None:
        await self._near.register(charge_point, status)
        if not await self._near.connected(charge_point):
            await self._far.register(charge_point, status)
