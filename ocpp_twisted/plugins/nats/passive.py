"""The action plug-in of a gateway: each CALL of a charge point is answered by a worker over NATS.

Imports the interfaces, the messages' base classes and its neighbours. A CALL that no worker answers
in time gets InternalError, as from `local` when nothing can be kept: the charge point tries again,
and nothing is made up. Where a CALL has been handled and only the answer was lost, it is handled
twice.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ocpp_twisted.errors import CallFailed, CallFault, ConfigurationError, ErrorCode
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import (
    AnsweredHandler,
    DataTransferHandler,
    IActionPlugin,
    IActiveCaller,
    IChargePoint,
    IMeasured,
    IReportsHealth,
    RequestHandler,
    ResponseHandler,
)
from ocpp_twisted.measuring import Counted
from ocpp_twisted.ocppj.catalogue import Sender
from ocpp_twisted.ocppj.message import Request, Response, Send
from ocpp_twisted.plugins.nats.errors import LinkError, NoAnswer, NoResponders, TooLarge
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.payloads import response_reader, write
from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.plugins.nats.reach import check_reactor
from ocpp_twisted.plugins.nats.settings import NatsSettings, settings_of
from ocpp_twisted.plugins.nats.subjects import Subjects
from ocpp_twisted.plugins.nats.waiting import Asked
from ocpp_twisted.plugins.nats.wire import (
    REGISTRATIONS,
    Ended,
    Offline,
    Origin,
    Result,
    WireError,
    head_of,
    head_of_call,
    read_answer,
)
from ocpp_twisted.registration import Status
from ocpp_twisted.versions import CATALOGUES

__all__ = ["NatsPlugin"]

_log = Logger()
_encode = msgspec.json.Encoder().encode
_NOBODY = None, None, b""
#: Answers that are not written yet, of which workers want to hear when they are.
_MOST_UNWRITTEN = 1000
#: Seconds in which the log tells once of what hinders.
_TOLD_AGAIN = 60.0
#: What hinders, by the error of the link.
_HINDRANCES: Mapping[type[Exception], str] = {
    NoResponders: "no worker",
    NoAnswer: "no answer in time",
    TooLarge: "too large",
    WireError: "broken answer",
}


class _Road:
    """Where messages of one action of one version go.

    :ivar group: of workers; both are known when the plug-in has been started.
    """

    __slots__ = ("action", "group", "subject", "version")

    def __init__(self, version: str, action: str) -> None:
        self.version = version
        self.action = action
        self.subject = self.group = ""


class _Question(Asked):
    """A CALL that a worker is to answer; each object more costs, for each CALL.

    :ivar answer: what the handler has returned.
    """

    __slots__ = ("answer", "charge_point", "head", "kind", "payload", "plugin", "road")

    def __init__(
        self,
        plugin: NatsPlugin,
        charge_point: IChargePoint,
        kind: type[Request[Any]],
        road: _Road,
        payload: bytes,
        head: bytes,
    ) -> None:
        super().__init__(road.subject, again=True)
        self.plugin = plugin
        self.charge_point = charge_point
        self.kind = kind
        self.road = road
        self.payload = payload
        self.head = head
        self.answer: Deferred[Response] = Deferred()

    def answered(self, message: Message) -> None:
        """See `Asked.answered`."""
        self.plugin._answered(self, message)

    def failed(self, error: LinkError) -> None:
        """See `Asked.failed`."""
        self.plugin._unanswered(self, error)


@implementer(IActionPlugin, IMeasured, IReportsHealth)
class NatsPlugin:
    """Lets workers answer charge points. Its configuration: `settings_of`.

    :param reactor: the asyncio reactor.
    """

    name = "nats"
    custom_actions: Mapping[str, Sequence[type[Request[Any]] | type[Send]]] = {}

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._link: Link | None = None
        self._settings: NatsSettings | None = None
        self._roads: list[_Road] = []
        #: The headers that all messages of a charge point have; good for a connection, and a
        #: registration.
        self._heads: dict[Identity, tuple[IChargePoint, Status, bytes]] = {}
        self._open = 0
        #: Who has an open CALL, and its CALLs that wait for that one's answer.
        self._busy: dict[IChargePoint, deque[_Question] | None] = {}
        self._after: dict[int, tuple[Response, str]] = {}
        self._outcomes: Counter[str] = Counter()
        self._told: dict[str, float] = {}
        #: Groups that nobody works for.
        self._deserted: set[str] = set()

    # -- its life -----------------------------------------------------------------------------

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> None:
        """See `IActionPlugin.start`. Whether NATS is there or not: it is looked for until it is.

        :raises ConfigurationError: for an option that it does not know, or cannot use.
        """
        check_reactor(self._reactor, "ocpp")
        settings = settings_of(config)
        for action in settings.routes.keys() - {road.action for road in self._roads}:
            raise ConfigurationError(
                f"--nats-route {action}={settings.routes[action]}: charge points send no {action}"
            )
        self._settings = settings
        for road in self._roads:
            road.group = settings.routes.get(road.action, settings.group)
            road.subject = settings.subjects.action(road.group, road.version, road.action)
        self._link = Link(settings.link, self._reactor)
        self._link.start()

    def stop(self) -> Deferred[None] | None:
        """See `IActionPlugin.stop`."""
        return None if self._link is None else self._link.stop()

    def trouble(self) -> str:
        """See `IReportsHealth.trouble`."""
        if self._link is None:
            return "it has not been started"
        if trouble := self._link.trouble():
            return f"{trouble}; charge points try again"
        if self._deserted:
            groups = ", ".join(sorted(self._deserted))
            return f"no worker of the group {groups} listens: start one; charge points try again"
        return ""

    def measures(self) -> list[Counted]:
        """See `IMeasured.measures`."""
        outcomes: dict[tuple[str, ...], float]
        outcomes = {(outcome,): count for outcome, count in self._outcomes.items()}
        text = "CALLs that were given to workers, by what came of them."
        counted = Counted("ocpp_nats_calls_total", text, ("outcome",), outcomes)
        return [counted, *(() if self._link is None else self._link.measures())]

    # -- CALLs --------------------------------------------------------------------------------

    def request_handler(self, version: str, action: str) -> RequestHandler | None:
        """See `IActionPlugin.request_handler`: all that charge points may send."""
        known = CATALOGUES[version].actions.get(action)
        if known is not None and known.sent_by is Sender.CENTRAL_SYSTEM:
            return None
        road = _Road(version, action)
        self._roads.append(road)
        return lambda charge_point, request: self._handle(charge_point, road, request)

    def data_transfer_handlers(self) -> Mapping[Any, tuple[DataTransferHandler, Any]]:
        """See `IActionPlugin.data_transfer_handlers`: none, the workers sort them out."""
        return {}

    def _handle(self, charge_point: IChargePoint, road: _Road, request: Request[Any] | Send) -> Any:
        link, settings = self._link, self._settings
        assert link is not None
        assert settings is not None
        if road.action == "Heartbeat" and settings.heartbeat and isinstance(request, Request):
            return request.RESPONSE(currentTime=datetime.now(UTC))
        head = self._head(charge_point)
        head = head_of_call(head, road.action, charge_point.message_id)
        if isinstance(request, Send):
            return self._publish(road.subject, write(request), head)
        raw = charge_point.payload_of(request)
        payload = write(request) if raw is None else bytes(raw)
        if self._open >= settings.limit:
            self._outcomes["too many"] += 1
            raise _try_again("too many messages wait for workers")
        self._open += 1
        question = _Question(self, charge_point, type(request), road, payload, head)
        if charge_point not in self._busy:
            self._busy[charge_point] = None
            self._ask(question)
            return question.answer
        # Charge points send one CALL at a time; those that do not still have them in their order.
        waiting = self._busy[charge_point]
        if waiting is None:  # a deque takes 600 bytes
            waiting = self._busy[charge_point] = deque()
        waiting.append(question)
        return question.answer

    def _ask(self, question: _Question) -> None:
        assert self._link is not None
        assert self._settings is not None
        try:
            self._link.ask(question, question.payload, question.head, self._settings.patience)
        except LinkError as error:
            self._unanswered(question, error)

    def _answered(self, question: _Question, message: Message) -> None:
        self._next(question.charge_point)
        if self._deserted:
            self._deserted.discard(question.road.group)
        try:
            payload, after = read_answer(message)
            response = response_reader(question.kind)(payload)
        except CallFault as fault:
            self._outcomes["refused"] += 1
            question.answer.errback(Failure(fault))
            return
        except (WireError, msgspec.MsgspecError, RecursionError) as error:
            action = question.kind.ACTION
            self._hindered(WireError(f"the answer of a worker to {action}: {error}"))
            question.answer.errback(Failure(_try_again("no worker has answered")))
            return
        self._outcomes["answered"] += 1
        if after is not None:
            self._after[id(response)] = response, after
            if len(self._after) > _MOST_UNWRITTEN:
                del self._after[next(iter(self._after))]
        question.answer.callback(response)

    def _unanswered(self, question: _Question, error: LinkError) -> None:
        self._next(question.charge_point)
        if isinstance(error, NoResponders):
            self._deserted.add(question.road.group)
        self._hindered(error)
        text = str(error) if isinstance(error, TooLarge) else "no worker has answered"
        question.answer.errback(Failure(_try_again(text)))

    def _next(self, charge_point: IChargePoint) -> None:
        self._open -= 1
        waiting = self._busy[charge_point]
        if waiting:
            self._ask(waiting.popleft())
        else:
            del self._busy[charge_point]

    def _hindered(self, error: Exception) -> None:
        """Something was not sent, or has no answer. Counted; the log tells now and then."""
        outcome = _HINDRANCES.get(type(error), "disconnected")
        self._outcomes[outcome] += 1
        now = self._reactor.seconds()
        if now >= self._told.get(outcome, now):
            self._told[outcome] = now + _TOLD_AGAIN
            _log.warn("messages for workers fail: {error}", error=error)

    # -- what workers hear besides ------------------------------------------------------------

    def answered_handler(self, version: str, action: str) -> AnsweredHandler | None:
        """See `IActionPlugin.answered_handler`: the worker that has asked for it is told."""
        return self._written

    def _written(self, charge_point: IChargePoint, request: Any, response: Response) -> None:
        if self._after:
            _, subject = self._after.pop(id(response), (response, None))
            if subject is None:
                return
            self._publish(subject, b"", self._head(charge_point))

    def refused_handler(self, version: str, action: str) -> None:
        """See `IActionPlugin.refused_handler`: workers are not told; the gateway's log says it."""

    def response_handler(self, version: str, action: str) -> ResponseHandler | None:
        """See `IActionPlugin.response_handler`: one worker of each group hears it."""

        def tell(
            charge_point: IChargePoint, request: Request[Any], outcome: Response | CallFailed
        ) -> None:
            if isinstance(outcome, Response):
                result = Result(msgspec.Raw(write(request)), response=msgspec.Raw(write(outcome)))
            else:
                result = Result(msgspec.Raw(write(request)), error=Ended.of(outcome))
            head = head_of(self._origin(charge_point, action))
            for group in self._groups():
                subject = self._subjects.result(group, version, action)
                self._publish(subject, _encode(result), head)

        return tell

    def charge_point_online(self, charge_point: IChargePoint) -> None:
        """See `IActionPlugin.charge_point_online`: one worker of each group hears it."""
        head = self._head(charge_point)
        for group in self._groups():
            self._publish(self._subjects.online(group), b"{}", head)

    def charge_point_offline(self, charge_point: IChargePoint, reason: str, seconds: float) -> None:
        """See `IActionPlugin.charge_point_offline`: one worker of each group hears it."""
        head = self._head(charge_point)
        del self._heads[charge_point.identity]
        payload = _encode(Offline(reason, seconds))
        for group in self._groups():
            self._publish(self._subjects.offline(group), payload, head)

    def _publish(self, subject: str, payload: bytes, head: bytes) -> None:
        """Send what nobody answers. It is lost if it cannot be sent now."""
        assert self._link is not None
        try:
            self._link.publish(subject, payload, head)
        except LinkError as error:
            self._hindered(error)

    # -- what is often needed -----------------------------------------------------------------

    @property
    def _subjects(self) -> Subjects:
        assert self._settings is not None
        return self._settings.subjects

    def _groups(self) -> Iterable[str]:
        assert self._settings is not None
        return {self._settings.group, *self._settings.routes.values()}

    def _head(self, charge_point: IChargePoint) -> bytes:
        """The headers of a message about a charge point."""
        identity, registration = charge_point.identity, charge_point.registration
        known, then, head = self._heads.get(identity, _NOBODY)
        if known is not charge_point or then is not registration:
            head = head_of(self._origin(charge_point))
            self._heads[identity] = charge_point, registration, head
        return head

    def _origin(self, charge_point: IChargePoint, action: str = "") -> Origin:
        assert self._settings is not None
        identity = charge_point.identity
        return Origin(
            identity.id,
            charge_point.version,
            action,
            "",
            identity.name,
            charge_point.peer,
            REGISTRATIONS[charge_point.registration],
            charge_point.security_profile,
            self._settings.node,
        )


def _try_again(text: str) -> CallFault:
    return CallFault(ErrorCode.INTERNAL_ERROR, f"{text}: try again later")
