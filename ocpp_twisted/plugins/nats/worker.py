"""Runs action plug-ins for charge points that gateways hold: the other end of `passive`.

Imports routing, the interfaces and its neighbours. Workers of one group share the messages that
come for it; each message goes to one of them. A handler cannot see whether it runs here or in the
process that holds the connection.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutine
from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.answering import run_handler
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFailed,
    CallFault,
    ErrorCode,
    InvalidResponse,
    LocalProtocolError,
)
from ocpp_twisted.interfaces import IActionPlugin, IActiveCaller
from ocpp_twisted.measuring import Counted
from ocpp_twisted.ocppj.catalogue import Catalogue
from ocpp_twisted.ocppj.message import Request, Response, Send
from ocpp_twisted.plugins.nats.errors import LinkError, TooLarge
from ocpp_twisted.plugins.nats.link import Link, Subscription
from ocpp_twisted.plugins.nats.payloads import read_request, read_response
from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.plugins.nats.remote import RemoteChargePoint
from ocpp_twisted.plugins.nats.settings import NatsSettings
from ocpp_twisted.plugins.nats.wire import (
    Origin,
    WireError,
    error_answer,
    origin_of,
    read_offline,
    read_result,
    result_head,
)
from ocpp_twisted.routing import Route, routes, with_custom_actions
from ocpp_twisted.versions import CATALOGUES

__all__ = ["Worker"]

_log = Logger()
#: Seconds in which a gateway tells that an answer has been written, or never.
_WRITTEN_SECONDS = 60.0
#: Seconds in which the log tells once of messages that cannot be read.
_TOLD_AGAIN = 60.0


class _Job:
    """A CALL that a handler works on."""

    __slots__ = ("charge_point", "origin", "reply", "request", "route")

    def __init__(
        self,
        origin: Origin,
        charge_point: RemoteChargePoint,
        route: Route,
        request: Any,
        reply: str,
    ) -> None:
        self.origin = origin
        self.charge_point = charge_point
        self.route = route
        self.request = request
        self.reply = reply


class Worker:
    """Handles what comes over NATS for one group, from `start` to `stop`.

    :param link: has been started, and is stopped by whoever has made it.
    :param plugins: the first that handles a request answers it; all of them hear the rest.
    :param caller: is what plug-ins call charge points with.
    :raises ConfigurationError: if a plug-in's custom actions cannot be used.
    """

    def __init__(
        self,
        link: Link,
        settings: NatsSettings,
        plugins: Sequence[IActionPlugin],
        caller: IActiveCaller,
        clock: IReactorTime,
    ) -> None:
        self._link = link
        self._settings = settings
        self._group = settings.group
        self._plugins = plugins
        self._caller = caller
        self._clock = clock
        self._versions = {
            catalogue.version: (catalogue, routes(catalogue, plugins))
            for catalogue in with_custom_actions(CATALOGUES.values(), plugins)
        }
        self._actions: Subscription | None = None
        self._others: list[Subscription] = []
        self._open = 0
        self._stopping = False
        self._all_done: Deferred[None] = Deferred()
        self._counts: Counter[str] = Counter()
        self._told = -_TOLD_AGAIN

    def start(self) -> None:
        """Take messages."""
        subjects, group = self._settings.subjects, self._group
        self._others = [
            self._link.subscribe(subject, self._reader(take), queue=group)
            for subject, take in (
                (subjects.results(group), self._take_result),
                (subjects.online(group), self._take_online),
                (subjects.offline(group), self._take_offline),
            )
        ]
        self._pace()

    def stop(self, grace: float) -> Deferred[None]:
        """Take no more messages, and let handlers end.

        :param grace: seconds that they have.
        :returns: a Deferred that fires when they have ended, or when that time is over.
        """
        self._stopping = True
        subscriptions, self._others = self._others, []
        if self._actions is not None:
            subscriptions.append(self._actions)
            self._actions = None
        ended = DeferredList([subscription.stop() for subscription in subscriptions])
        return ended.addCallback(lambda _: self._when_done(grace))

    @property
    def open(self) -> int:
        """How many CALLs handlers work on."""
        return self._open

    def measures(self) -> list[Counted]:
        """See `IMeasured.measures`."""
        outcomes: dict[tuple[str, ...], float]
        outcomes = {(outcome,): count for outcome, count in self._counts.items()}
        text = "Messages of gateways, by what came of them."
        open_text = "CALLs that handlers work on."
        return [
            Counted("ocpp_worker_messages_total", text, ("outcome",), outcomes),
            Counted.one("ocpp_worker_calls_open", open_text, self._open),
        ]

    # -- CALLs --------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        try:
            origin = origin_of(message)
            catalogue, route = self._find(origin)
            if self._open >= self._settings.limit:
                raise CallFault(ErrorCode.INTERNAL_ERROR, "the worker is busy: try again later")
            request = read_request(catalogue, origin.action, message.data)
            if route.request is None:
                text = f"{origin.action} is not supported here"
                raise CallFault(ErrorCode.NOT_SUPPORTED, text)
        except WireError as error:
            self._unreadable(message, error)
            self._refuse(message.reply, CallFault(ErrorCode.INTERNAL_ERROR, str(error)))
            return
        except CallFault as fault:
            self._refuse(message.reply, fault)
            return
        charge_point = RemoteChargePoint(origin, self._caller, self._clock)
        if isinstance(request, Send):
            run_handler(route.request, charge_point, request)
            return
        self._work(_Job(origin, charge_point, route, request, message.reply))

    def _find(self, origin: Origin) -> tuple[Catalogue, Route]:
        """The catalogue of a version, and an action's handlers.

        :raises WireError: if there is no such version.
        :raises CallFault: if it has no such action.
        """
        if origin.version not in self._versions:
            raise WireError(f"there is no OCPP {origin.version!r}")
        catalogue, handlers = self._versions[origin.version]
        if origin.action not in handlers:  # a custom one, of a plug-in that is not here
            text = f"the worker does not know {origin.action}"
            raise CallFault(ErrorCode.NOT_SUPPORTED, text)
        return catalogue, handlers[origin.action]

    def _work(self, job: _Job) -> None:
        assert job.route.request is not None
        try:
            outcome = job.route.request(job.charge_point, job.request)
        except (Exception, CancelledError):
            self._failed(job, Failure())
            return
        if iscoroutine(outcome):
            outcome = ensureDeferred(outcome)
        if not isinstance(outcome, Deferred):
            self._answer(job, outcome)
            return
        self._open += 1
        self._pace()
        outcome.addCallbacks(
            lambda response: self._answer(job, response),
            lambda failure: self._failed(job, failure),
        ).addBoth(self._done)

    def _answer(self, job: _Job, response: Any) -> None:
        catalogue, _ = self._versions[job.origin.version]
        try:
            expected = job.request.RESPONSE
            if type(response) is not expected:
                raise LocalProtocolError(
                    f"the handler of {job.origin.action} returned a {type(response).__name__}, "
                    f"not a {expected.__name__}"
                )
            payload = catalogue.write(response)
        except Exception:
            self._failed(job, Failure())
            return
        after = None
        if job.route.answered:
            written, after = self._link.expect(_WRITTEN_SECONDS)
            written.addCallbacks(
                lambda _: self._written(job, response), lambda failure: failure.trap(LinkError)
            )
        self._counts["answered"] += 1
        self._reply(job.reply, payload, result_head(after))

    def _written(self, job: _Job, response: Response) -> None:
        for handler in job.route.answered:
            run_handler(handler, job.charge_point, job.request, response)

    def _failed(self, job: _Job, failure: Failure) -> None:
        fault = failure.value
        if not isinstance(fault, CallFault):
            _log.failure(
                "handler failed: {charge_point} {action}",
                failure=failure,
                charge_point=job.charge_point,
                action=job.origin.action,
            )
            fault = CallFault(ErrorCode.INTERNAL_ERROR, "the central system failed")
        self._refuse(job.reply, fault)

    def _refuse(self, reply: str, fault: CallFault) -> None:
        self._counts["refused"] += 1
        try:
            payload, headers = error_answer(fault)
        except (TypeError, ValueError, RecursionError):
            _log.failure("a CALLERROR that cannot be written: {fault}", fault=fault)
            payload, headers = error_answer(CallFault(fault.code, fault.description))
        self._reply(reply, payload, headers)

    def _reply(self, reply: str, payload: bytes, headers: Mapping[str, str] | bytes) -> None:
        if not reply:
            return  # a SEND, or something that is none of ours
        try:
            self._link.publish(reply, payload, headers)
        except TooLarge as error:
            self._refuse(reply, CallFault(ErrorCode.INTERNAL_ERROR, str(error)))
        except LinkError:
            self._counts["lost"] += 1  # the gateway asks again, or the charge point does

    def _done(self, result: None) -> None:
        self._open -= 1
        self._pace()

    def _pace(self) -> None:
        """Take no more when enough are open; those on their way are refused if they are too many.

        Other workers of the group get them then. If there is none, gateways hear that at once.
        """
        if self._stopping:
            if not self._open and not self._all_done.called:
                self._all_done.callback(None)
        elif self._actions is None and self._open <= self._settings.limit // 2:
            subject = self._settings.subjects.actions(self._group)
            self._actions = self._link.subscribe(subject, self._take, queue=self._group)
        elif self._actions is not None and self._open >= self._settings.limit:
            subscription, self._actions = self._actions, None
            subscription.stop()

    def _when_done(self, grace: float) -> Deferred[None]:
        if not self._open:
            return succeed(None)
        over: Deferred[None] = self._all_done.addTimeout(grace, self._clock)
        return over.addErrback(lambda failure: None)

    # -- the rest -----------------------------------------------------------------------------

    def _reader(self, take: Callable[[Origin, bytes], None]) -> Callable[[Message], None]:
        def read(message: Message) -> None:
            try:
                take(origin_of(message), message.data)
            except (WireError, CallFault) as error:
                self._unreadable(message, error)

        return read

    def _take_result(self, origin: Origin, payload: bytes) -> None:
        catalogue, route = self._find(origin)
        if not route.response:
            return
        result = read_result(payload)
        request = read_request(catalogue, origin.action, result.request)
        assert isinstance(request, Request)
        outcome: Response | CallFailed
        if result.response is not UNSET:
            outcome = read_response(catalogue, origin.action, result.response)
        elif result.error is UNSET:
            raise WireError("a result without `response` and `error`")
        elif result.error.code == InvalidResponse.__name__:
            outcome = InvalidResponse(result.error.description)
        else:
            error = result.error
            outcome = CallErrorReceived(error.code, error.description, error.details)
        charge_point = RemoteChargePoint(origin, self._caller, self._clock)
        for handler in route.response:
            run_handler(handler, charge_point, request, outcome)

    def _take_online(self, origin: Origin, payload: bytes) -> None:
        charge_point = RemoteChargePoint(origin, self._caller, self._clock)
        for plugin in self._plugins:
            run_handler(plugin.charge_point_online, charge_point)

    def _take_offline(self, origin: Origin, payload: bytes) -> None:
        offline = read_offline(payload)
        charge_point = RemoteChargePoint(origin, self._caller, self._clock, connected=False)
        for plugin in self._plugins:
            run_handler(plugin.charge_point_offline, charge_point, offline.reason, offline.seconds)

    def _unreadable(self, message: Message, error: Exception) -> None:
        self._counts["unreadable"] += 1
        now = self._clock.seconds()
        if now >= self._told + _TOLD_AGAIN:
            self._told = now
            _log.error("cannot read {subject}: {error}", subject=message.subject, error=error)
