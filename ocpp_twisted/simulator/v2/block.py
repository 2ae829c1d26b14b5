"""What the blocks of a voice have in common. Imports the interfaces' names and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import CallFailed
from ocpp_twisted.interfaces import AnsweredHandler, RequestHandler
from ocpp_twisted.ocppj.message import Request
from ocpp_twisted.plugin import ActionPlugin

if TYPE_CHECKING:
    from ocpp_twisted.simulator.v2.voice import Voice2

__all__ = ["Block"]

_log = Logger()


class Block(ActionPlugin):
    """Handlers of a functional block. They get requests as 2.0.1 or 2.1 has them.

    :param voice: has the station, the device model, and the other blocks.
    """

    name = "block"
    #: What it handles.
    actions: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.actions = frozenset(
            request.ACTION for _, request in cls._methods if not isinstance(request, tuple)
        )

    def __init__(self, voice: Voice2) -> None:
        self.voice = voice
        self.station = voice.station
        self.model = voice.model
        self.make = voice.dialect.make
        self.reason = voice.dialect.reason

    def request_handler(self, version: str, action: str) -> RequestHandler | None:
        """See `IActionPlugin`; what 2.0 says otherwise is read first."""
        handler, read = super().request_handler(version, action), self.voice.dialect.read
        if handler is None:
            return None
        return lambda link, request: handler(link, read(request))

    def answered_handler(self, version: str, action: str) -> AnsweredHandler | None:
        """See `IActionPlugin`; what 2.0 says otherwise is read first."""
        handler, read = super().answered_handler(version, action), self.voice.dialect.read
        if handler is None:
            return None
        return lambda link, request, response: handler(link, read(request), response)

    # -- what blocks do -----------------------------------------------------------------------

    def now(self) -> datetime:
        """The time, as the central system has told it."""
        return self.voice.now()

    def call(self, name: str, /, **fields: Any) -> Deferred[Any]:
        """Send a request; what goes wrong with it is logged, and the result is None then."""
        return self.send(self.make(f"{name}Request", **fields))

    def send(self, request: Request[Any]) -> Deferred[Any]:
        """Send a request; what goes wrong with it is logged, and the result is None then."""

        def failed(failure: Failure) -> None:
            if not failure.check(CallFailed):
                _log.failure(
                    "cannot be sent: {charge_point} {action}",
                    failure,
                    charge_point=self.station.id,
                    action=request.ACTION,
                )
                return
            _log.info(
                "no answer: {charge_point} {action}: {error}",
                charge_point=self.station.id,
                action=request.ACTION,
                error=failure.value,
            )

        return self.station.charge_point.call(request).addErrback(failed)

    def call_in_turn(self, requests: Iterable[Request[Any]]) -> Deferred[Any]:
        """Send requests, each when the one before has been answered, as the parts of a report."""
        waiting = iter(requests)

        def go_on(result: Any) -> Any:
            request = next(waiting, None)
            return None if request is None else self.send(request).addCallback(go_on)

        return succeed(None).addCallback(go_on)

    def parts(self, name: str, field: str, entries: Sequence[Any], size: int, **fields: Any) -> Any:
        """Requests that tell of many entries, so many in each.

        :param name: of the request, without ``Request``.
        :param field: that takes the entries.
        :param fields: the same in all of them.
        """
        cut: list[Any] = [entries[at : at + size] for at in range(0, len(entries), size)] or [None]
        for number, part in enumerate(cut):
            more = {"seqNo": number} if self.voice.dialect.knows(f"{name}Request", "seqNo") else {}
            tbc = number + 1 < len(cut)
            yield self.make(f"{name}Request", **{field: part}, tbc=tbc, **more, **fields)

    def later(self, seconds: float, function: Callable[[], object]) -> IDelayedCall:
        """Call a function after a time, unless the station is switched off before."""
        return self.voice.timers.later(seconds, function)

    # -- what befalls it ----------------------------------------------------------------------

    def started(self) -> None:
        """BootNotification is accepted for the first time; does nothing here."""

    def online(self) -> None:
        """There is a connection again; does nothing here."""

    def offline(self) -> None:
        """The connection has ended; does nothing here."""

    def powered_off(self) -> None:
        """What lasts no longer than the power is gone; does nothing here."""
