"""What a gateway does with requests for the charge points that it holds.

Imports the interfaces, the versions and its neighbours. Each request has one answer; the calls to
one charge point go out in the order in which they came here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import (
    ConnectionLost,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
    OCPPError,
    QueueFull,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import ConnectedChargePoint, IActiveCaller
from ocpp_twisted.measuring import Counted
from ocpp_twisted.plugins.nats.asking import (
    Ask,
    Close,
    Found,
    Register,
    Watch,
    asked_of,
    done_answer,
    failed_answer,
    read,
)
from ocpp_twisted.plugins.nats.errors import LinkError, TooLarge
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.plugins.nats.wire import RESULT, WireError

__all__ = ["Commands"]

_log = Logger()
_STATUSES = ("Accepted", "Pending", "Rejected")


class Commands:
    """Answers requests.

    :param local: reaches the charge points of this process.
    :param node: this gateway's name.
    :param limit: how many requests may be open.
    :param watch: see `ocpp_twisted.plugins.nats.events.Events.watch`.
    :param share: see `ocpp_twisted.interfaces.ISharedMemory.serve`.
    :ivar open: how many are.
    """

    def __init__(
        self,
        link: Link,
        local: IActiveCaller,
        node: str,
        limit: int,
        watch: Callable[[Identity, float], bool],
        share: Callable[[Identity], Deferred[None]],
    ) -> None:
        self._watch = watch
        self._share = share
        self._link = link
        self._local = local
        self._node = node
        self._limit = limit
        self.open = 0
        self._outcomes: Counter[str] = Counter()

    def measures(self) -> Iterable[Counted]:
        """See `ocpp_twisted.interfaces.IMeasured.measures`."""
        outcomes: dict[tuple[str, ...], float]
        outcomes = {(outcome,): count for outcome, count in self._outcomes.items()}
        text = "Requests for charge points that came through NATS, by what came of them."
        yield Counted("ocpp_nats_commands_total", text, ("outcome",), outcomes)
        text = "Requests for charge points that came through NATS and have no answer yet."
        yield Counted.one("ocpp_nats_commands_open", text, self.open)

    def take(self, identity: Identity, version: str, message: Message) -> None:
        """A request for a charge point.

        :param version: the OCPP version of its connection.
        """
        self.open += 1
        try:
            asked = asked_of(message)
            if self.open > self._limit:
                raise QueueFull("too many calls wait at the gateway")
            if asked.version not in (None, version):
                text = f"{identity} speaks OCPP {version}: "
                raise LocalProtocolError(f"{text}{asked.action} is of OCPP {asked.version}")
            performed: Deferred[Any]
            answer: Callable[[Any, str], None]
            if asked.ask is Ask.CALL:
                payload, seconds = message.data or b"{}", asked.timeout
                performed = self._local.call_json(identity, asked.action, payload, seconds)
                answer = self._result
            else:
                performed = self._perform(identity, asked.ask, message.data)
                answer = self._done
        except OCPPError:
            self._failed(Failure(), message.reply)
            return
        # One pair of callbacks: each costs, for each call.
        performed.addCallbacks(
            answer, self._failed, callbackArgs=(message.reply,), errbackArgs=(message.reply,)
        )

    def refuse(self, identity: Identity, message: Message) -> None:
        """A request for a charge point that is another gateway's, which may have got it too."""
        self.open += 1
        text = f"{identity} was connecting to another gateway when it was called"
        self._failed(Failure(ConnectionLost(text)), message.reply)

    def _perform(self, identity: Identity, ask: Ask, payload: bytes) -> Deferred[Any]:
        """What is no call; fires with what the answer is made of."""
        match ask:
            case Ask.DISCONNECT:
                close = read(Close, payload)
                return self._local.disconnect(identity, close.code, close.reason)
            case Ask.REGISTER:
                status = read(Register, payload).status
                if status not in _STATUSES:
                    raise WireError(f"there is no registration {status!r}")
                return self._local.register(identity, status)
            case Ask.SHARE:
                return self._share(identity)
            case Ask.WATCH:
                if not self._watch(identity, read(Watch, payload).seconds):
                    raise QueueFull("too many charge points are watched at this gateway")
                return succeed(None)
        found: Deferred[Any] = self._local.connected(identity)
        return found.addCallback(self._found, identity)

    def _found(self, found: Iterable[ConnectedChargePoint], identity: Identity) -> Found:
        for one in found:
            seconds = round(one.seconds, 3)
            return Found(one.version, one.peer, seconds, self._node, one.repairs)
        raise NotConnected(f"{identity} is not connected")

    def _result(self, payload: bytes, reply: str) -> None:
        self._outcomes["answered"] += 1
        self._reply(reply, payload, RESULT)

    def _done(self, result: Found | None, reply: str) -> None:
        self._outcomes["answered"] += 1
        self._reply(reply, *done_answer(result))

    def _failed(self, failure: Failure, reply: str) -> None:
        error = failure.value
        self._outcomes[type(error).__name__] += 1
        if isinstance(error, WireError):
            error = LocalProtocolError(str(error))
        elif not isinstance(error, OCPPError):
            _log.failure("a request through NATS has failed", failure=failure)
        assert isinstance(error, Exception)
        self._reply(reply, *failed_answer(error))

    def _reply(self, reply: str, payload: bytes, headers: Mapping[str, str] | bytes) -> None:
        self.open -= 1
        if not reply:
            return  # nobody wants to know
        try:
            self._link.publish(reply, payload, headers)
        except TooLarge as error:
            text = f"the charge point has answered; {error}"
            self._link.publish(reply, *failed_answer(InvalidResponse(text)))
        except LinkError:
            self._outcomes["lost"] += 1  # whoever has asked hears of it, or has lost NATS too
