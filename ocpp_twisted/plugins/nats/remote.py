"""A charge point that is connected elsewhere: what handlers get in a worker.

Imports the interfaces, the messages' base classes and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.errors import LocalProtocolError, NotConnected
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActiveCaller, IChargePoint
from ocpp_twisted.ocppj.leniency import Repair
from ocpp_twisted.ocppj.message import Request, ResponseT_co, Send
from ocpp_twisted.plugins.nats.wire import Origin
from ocpp_twisted.registration import Status

__all__ = ["RemoteChargePoint"]

#: Seconds in which a charge point that has just connected can be called from everywhere: its first
#: message may be here before its gateway has claimed it.
_CLAIMED_SECONDS = 2.0
#: Seconds until a call that nobody has got is tried again.
_AGAIN_SECONDS = 0.05


@implementer(IChargePoint)
class RemoteChargePoint:
    """See `IChargePoint`. It is as it was when its gateway told of it.

    :param caller: reaches it, wherever it is connected by then.
    """

    __slots__ = ("_caller", "_clock", "_origin", "_since", "connected")

    def __init__(
        self, origin: Origin, caller: IActiveCaller, clock: IReactorTime, connected: bool = True
    ) -> None:
        self._origin = origin
        self._caller = caller
        self._clock = clock
        self._since = clock.seconds()
        self.connected = connected

    def __repr__(self) -> str:
        node = self._origin.node or "a gateway"
        return f"<{self.identity}, OCPP {self.version}, {self.peer}, at {node}>"

    @property
    def identity(self) -> Identity:
        """Its id and name."""
        return self._origin.identity

    @property
    def id(self) -> str:
        """Its id, without the name."""
        return self._origin.id

    @property
    def version(self) -> str:
        """The OCPP version of its connection."""
        return self._origin.version

    @property
    def peer(self) -> str:
        """Where it connects from."""
        return self._origin.peer

    @property
    def security_profile(self) -> int:
        """How it has proved who it is."""
        return self._origin.security_profile

    @property
    def message_id(self) -> str:
        """The message id of its CALL."""
        return self._origin.message_id

    @property
    def registration(self) -> Status:
        """See `IChargePoint.registration`."""
        return self._origin.status

    @property
    def repairs(self) -> Mapping[Repair, int]:
        """Nothing: its gateway counts them."""
        return MappingProxyType({})

    def payload_of(self, request: Request[Any]) -> None:
        """Nothing: its gateway has read it."""

    def call(
        self, request: Request[ResponseT_co], timeout: float | None = None
    ) -> Deferred[ResponseT_co]:
        """See `IChargePoint.call`."""
        return self._reach(lambda: self._caller.call(self.identity, request, timeout))

    def call_json(
        self, action: str, payload: bytes, timeout: float | None = None
    ) -> Deferred[bytes]:
        """See `IChargePoint.call_json`."""
        return self._reach(lambda: self._caller.call_json(self.identity, action, payload, timeout))

    def send(self, message: Send) -> None:
        """See `IChargePoint.send`: not from here.

        :raises LocalProtocolError: always.
        """
        raise LocalProtocolError("a SEND goes out from the gateway only, not from a worker")

    def close(self, code: int = 1000, reason: str = "") -> None:
        """See `IChargePoint.close`."""
        closing: Deferred[Any] = self._caller.disconnect(self.identity, code, reason)
        closing.addErrback(lambda failure: failure.trap(NotConnected) and None)

    def _reach(self, ask: Callable[[], Deferred[Any]]) -> Deferred[Any]:
        """Ask, and ask again while it may be that its gateway has not claimed it yet."""

        def again(failure: Failure) -> Any:
            failure.trap(NotConnected)
            if not self.connected or self._clock.seconds() - self._since > _CLAIMED_SECONDS:
                return failure
            return deferLater(self._clock, _AGAIN_SECONDS, self._reach, ask)

        return ask().addErrback(again)
