"""What every handler here stands on: the store, the time, and the rules that may be replaced.

Imports the plug-in base, the errors, the store and the OCSP client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import CallFault, ErrorCode, RecordsUnavailable
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.plugins.local.messages import answer
from ocpp_twisted.plugins.local.rules import UNDECIDED, Decision, IAuthorizer, ITariff
from ocpp_twisted.plugins.local.store.charge_points import Heard
from ocpp_twisted.plugins.local.store.transactions import Token
from ocpp_twisted.plugins.local.telling import Telling
from ocpp_twisted.security.ocsp import Responders

__all__ = ["Keeping"]

_log = Logger()
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Keeping(Telling, ActionPlugin):
    """Keeps what charge points say before they are answered.

    :ivar everybody: whether tags that nobody has entered may charge.
    :ivar authorizer: decides on tags before the records are asked; None for the records alone.
    :ivar tariff: knows what transactions cost; None for nobody.
    :ivar responders: those that know whether certificates are good; None for nobody.
    """

    everybody: bool
    authorizer: IAuthorizer | None = None
    tariff: ITariff | None = None
    responders: Responders | None = None

    def _heard(self, charge_point: IChargePoint) -> Heard:
        """When and how a charge point was heard: now."""
        return Heard(self.now(), charge_point.version, charge_point.peer)

    def keep(
        self, job: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]:
        """Run a job of a handler; if it cannot be kept, the charge point is to try again."""
        return self.store.run(job, *args, **kwargs).addErrback(_try_again)

    def keep_and_answer(
        self,
        request: Request[Any],
        job: Callable[Concatenate[Connection, _P], object],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[Response]:
        """Run a job of a handler, then answer that it was heard."""
        kept: Deferred[Any] = self.keep(job, *args, **kwargs)
        return kept.addCallback(lambda _: answer(request))

    def note(
        self,
        job: Callable[Concatenate[Connection, _P], object],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[Any]:
        """Run a job that nobody waits for. The writer has told why, if it cannot be run."""
        noted: Deferred[Any] = self.store.run(job, *args, **kwargs)
        return noted.addErrback(lambda failure: failure.trap(RecordsUnavailable) and None)

    def with_token(
        self,
        charge_point: IChargePoint,
        id_tag: str | None,
        request: Request[Any],
        then: Callable[[Token | None], Deferred[Response]],
        ends: bool = False,
    ) -> Deferred[Response]:
        """Ask the authorizer, if there is a tag and an authorizer, and go on with what it says.

        :param ends: whether the request ends a transaction, which has to be kept though the
            authorizer fails: a charge point gives up after some attempts.
        """
        if id_tag is None:
            return then(None)
        if self.authorizer is None:
            return then(Token(id_tag, None, self.everybody))
        asked: Deferred[Any] = maybeDeferred(
            self.authorizer.authorize, charge_point, id_tag, request
        )
        if ends:
            asked.addErrback(_undecided, charge_point)
        return asked.addCallback(lambda decision: then(Token(id_tag, decision, self.everybody)))


def _undecided(failure: Failure, charge_point: IChargePoint) -> Decision:
    _log.failure(
        "the authorizer has failed: {charge_point} hears nothing of the tag of an end",
        failure=failure,
        charge_point=charge_point,
    )
    return UNDECIDED


def _try_again(failure: Failure) -> NoReturn:
    failure.trap(RecordsUnavailable)
    raise CallFault(ErrorCode.INTERNAL_ERROR, "nothing can be kept now: try again later")
