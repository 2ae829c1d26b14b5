"""Whether somebody may charge: asked here, or of the central system, by the rules of OCPP 1.6.

Imports its neighbours, the charge point's side and the messages of 1.6. Source: OCPP 1.6 sections
3.5 and 4.1, 9.1.1, 9.1.12 and 9.1.13; errata 3.17.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import CallNotAllowed, CallTimedOut, ConnectionLost, NotConnected
from ocpp_twisted.ocppj.message import Request
from ocpp_twisted.simulator.authorization import Cache, LocalList, Standing
from ocpp_twisted.simulator.configuration16 import Configuration
from ocpp_twisted.v16 import AuthorizeRequest, IdTagInfo

__all__ = ["Authorizer", "listed", "same_tag", "standing"]

_log = Logger()

_CACHED = 1000
#: In a list these mean that somebody may charge (3.5.2).
_VALID = ("Accepted", "ConcurrentTx")
_UNKNOWN = Standing(status="Invalid")


def same_tag(one: str, other: str) -> bool:
    """Whether two id tags are the same: they are, in capital or small letters (7.28)."""
    return one.lower() == other.lower()


def standing(info: IdTagInfo) -> Standing:
    """What an IdTagInfo says."""
    expiry = info.expiryDate if info.expiryDate is not UNSET else None
    parent = info.parentIdTag if info.parentIdTag is not UNSET else ""
    return Standing(status=info.status, expiry=expiry, group=parent.lower() or None)


def listed(info: IdTagInfo) -> Standing:
    """What an IdTagInfo means in a local list: there, who charges elsewhere is valid (3.5.2)."""
    told = standing(info)
    return replace(told, status="Accepted") if told.status in _VALID else told


class Authorizer:
    """Knows the local list and the cache, and asks the central system.

    :param call: makes a call.
    :param online: whether it can be asked.
    :param conflict: is called when the central system contradicts the local list (3.5.2).
    """

    def __init__(
        self,
        configuration: Configuration,
        call: Callable[[Request[Any]], Deferred[Any]],
        online: Callable[[], bool],
        now: Callable[[], datetime],
        conflict: Callable[[], None],
    ) -> None:
        number = configuration.number
        self.list = LocalList(number("LocalAuthListMaxLength"), number("SendLocalListMaxLength"))
        self.cache = Cache(_CACHED)
        self._configuration = configuration
        self._call = call
        self._online = online
        self._now = now
        self._conflict = conflict

    def authorize(self, tag: str) -> Deferred[Standing]:
        """Find out about an id tag; never fails."""
        flag, known = self._configuration.flag, self.known(tag)
        if not self._online():
            return succeed(self._offline(tag))
        if flag("LocalPreAuthorize") and known is not None and known.accepted:
            return succeed(known)
        asking: Deferred[Any] = self._call(AuthorizeRequest(idTag=tag))
        asking.addCallbacks(
            self._answered, self._not_answered, callbackArgs=(tag,), errbackArgs=(tag,)
        )
        return asking

    def known(self, tag: str) -> Standing | None:
        """What is known of an id tag here: the list comes first (3.5.3)."""
        flag, key, now = self._configuration.flag, tag.lower(), self._now()
        if flag("LocalAuthListEnabled"):
            listed = self.list.get(key, now)
            if listed is not None:
                return listed
        return self.cache.get(key, now) if flag("AuthorizationCacheEnabled") else None

    def learn(self, tag: str, info: IdTagInfo | UnsetType) -> None:
        """The central system has told of an id tag (4.1, 4.8, 4.10)."""
        if info is UNSET:
            return
        flag, key, now = self._configuration.flag, tag.lower(), self._now()
        told = standing(info)
        listed = self.list.get(key, now) if flag("LocalAuthListEnabled") else None
        if listed is not None:
            if listed.accepted != (told.status in _VALID):
                self._conflict()
        elif flag("AuthorizationCacheEnabled"):
            self.cache.put(key, told, now)

    def _offline(self, tag: str) -> Standing:
        flag, known = self._configuration.flag, self.known(tag)
        if known is None:
            return Standing(status="Accepted") if flag("AllowOfflineTxForUnknownId") else _UNKNOWN
        if known.accepted and not flag("LocalAuthorizeOffline"):
            return _UNKNOWN
        return known

    def _answered(self, response: Any, tag: str) -> Standing:
        self.learn(tag, response.idTagInfo)
        return standing(response.idTagInfo).at(self._now())

    def _not_answered(self, failure: Failure, tag: str) -> Standing:
        _log.info("Authorize has no answer: {error}", error=failure.value)
        away = failure.check(NotConnected, ConnectionLost, CallNotAllowed, CallTimedOut)
        return self._offline(tag) if away else _UNKNOWN
