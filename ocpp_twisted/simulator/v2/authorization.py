"""Who may charge: tokens, the local list, the cache (functional blocks C and D).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases C01 to C16, D01 and D02.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, succeed

from ocpp_twisted.plugin import on
from ocpp_twisted.simulator.authorization import Cache, LocalList, Standing
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse, Permit

__all__ = ["Authorization", "token_key"]

_ACCEPTED = Standing(status="Accepted")
#: Of a token that nobody is asked about.
_REFUSED = Standing(status="Unknown")

_MOST_CACHED = 1_000


def token_key(token: Any) -> tuple[str, str]:
    """What a token is known by; what it is called is case-insensitive."""
    return str(token.idToken).lower(), str(token.type)


class Authorization(Block):
    """Decides by the local list, the cache and the central system."""

    name = "authorization"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        limits = {each.key.variable: each.maximum for each in self.model}
        self.local_list = LocalList(
            int(limits["Entries"] or 0), self.model.integer("LocalAuthListCtrlr", "ItemsPerMessage")
        )
        self.cache = Cache(_MOST_CACHED)
        self.voice.live("LocalAuthListCtrlr", "Entries", lambda: str(len(self.local_list)))
        self.voice.live("AuthCacheCtrlr", "Storage", lambda: str(100 * len(self.cache)))

    # -- somebody shows a token ---------------------------------------------------------------

    def presented(self, text: str, evse: Evse) -> None:
        """To start or to stop."""
        token = self.make("IdTokenType", idToken=text, type="ISO14443")
        permit = evse.permit
        if permit is None:
            if evse.transaction is None or evse.transaction.ongoing:
                self._start(token, evse)
        elif permit.token is not None and token_key(permit.token) == token_key(token):
            self.voice.transactions.withdraw(evse, "StopAuthorized", "Local", token)
        else:
            self._stop_as_another(token, evse, permit)

    def _start(self, token: Any, evse: Evse) -> None:
        def decided(standing: Standing) -> None:
            here = given(standing.info, "evseId")
            may = standing.accepted and (here is None or evse.number in here)
            master = self._is_master(standing)
            if may and not master and evse.permit is None and self.may_use(evse):
                group = str(standing.group or "")
                self.voice.admit(evse, Permit(token, group), token_key(token))

        if not self.voice.availability.operative(evse) or not self.voice.may_charge:
            return
        if not self.model.boolean("AuthCtrlr", "Enabled"):
            decided(_ACCEPTED)
        else:
            self.decide(token).addCallback(decided)

    def may_use(self, evse: Evse) -> bool:
        """Whether an EVSE is in order."""
        return not evse.outlet.fault and self.voice.availability.operative(evse)

    def _stop_as_another(self, token: Any, evse: Evse, permit: Permit) -> None:
        """Another token may stop it if it is of the same group (C09), or a master pass (C16)."""

        def decided(standing: Standing) -> None:
            if evse.permit is not permit or not standing.accepted:
                return
            if self._is_master(standing):
                self.voice.transactions.withdraw(evse, "StopAuthorized", "MasterPass", token)
            elif standing.group is not None and standing.group == permit.group:
                self.voice.transactions.withdraw(evse, "StopAuthorized", "Local", token)

        self.decide(token).addCallback(decided)

    def _is_master(self, standing: Standing) -> bool:
        master = self.model.text("AuthCtrlr", "MasterPassGroupId").lower()
        return bool(master) and standing.group == master

    # -- who decides --------------------------------------------------------------------------

    def decide(self, token: Any) -> Deferred[Standing]:
        """Find out about a token; the Deferred never fails."""
        known, post = self._known(token)
        online = self.station.charge_point.connected
        pre = self.model.boolean("AuthCtrlr", "LocalPreAuthorize")
        if not online:
            return succeed(self._offline(known))
        if known is not None and known.accepted and pre:
            return succeed(known)
        if known is not None and not known.accepted and not post:
            return succeed(known)
        if self.model.boolean("AuthCtrlr", "DisableRemoteAuthorization"):
            return succeed(known if known is not None else _REFUSED)
        asked = self.call("Authorize", idToken=token)
        return asked.addCallback(self._told, token, known)

    def _known(self, token: Any) -> tuple[Standing | None, bool]:
        """What is known here, and whether the central system is asked if it is not good."""
        for controller, book in (
            ("LocalAuthListCtrlr", self.local_list),
            ("AuthCacheCtrlr", self.cache),
        ):
            if self.model.boolean(controller, "Enabled"):
                known = book.get(token_key(token), self.now())
                if known is not None:
                    return known, not self.model.boolean(controller, "DisablePostAuthorize")
        return None, True

    def _offline(self, known: Standing | None) -> Standing:
        if known is not None:
            local = self.model.boolean("AuthCtrlr", "LocalAuthorizeOffline")
            return known if local or not known.accepted else _REFUSED
        unknown = self.model.boolean("AuthCtrlr", "OfflineTxForUnknownIdEnabled")
        return _ACCEPTED if unknown else _REFUSED

    def _told(self, response: Any, token: Any, known: Standing | None) -> Standing:
        if response is None:  # no answer: as if offline
            return self._offline(known)
        self.learn(token, response.idTokenInfo)
        self.voice.tariffs.learn(token_key(token), given(response, "tariff"))
        return self._standing(response.idTokenInfo)

    def _standing(self, info: Any) -> Standing:
        group = given(info, "groupIdToken")
        return Standing(
            status=str(info.status),
            expiry=given(info, "cacheExpiryDateTime"),
            group=None if group is None else group.idToken.lower(),
            info=info,
        )

    def learn(self, token: Any, info: Any) -> None:
        """The central system has said something of a token: the cache takes it (C10)."""
        if not self.model.boolean("AuthCacheCtrlr", "Enabled"):
            return
        key, standing, now = token_key(token), self._standing(info), self.now()
        if self.local_list.get(key, now) is not None:
            return
        if standing.expiry is None:
            lifetime = self.model.integer("AuthCacheCtrlr", "LifeTime")
            expiry = now + timedelta(seconds=lifetime) if lifetime else None
            standing = Standing(
                status=standing.status, expiry=expiry, group=standing.group, info=info
            )
        self.cache.put(key, standing, now)

    # -- what is asked ------------------------------------------------------------------------

    @on(*every("ClearCache"))
    def clear_cache(self, link: Any, request: Any) -> Any:
        """See OCPP, C11."""
        if not self.model.boolean("AuthCacheCtrlr", "Enabled"):
            return self.make(
                "ClearCacheResponse", status="Rejected", statusInfo=self.reason("NotEnabled")
            )
        self.cache.clear()
        return self.make("ClearCacheResponse", status="Accepted")

    @on(*every("GetLocalListVersion"))
    def get_local_list_version(self, link: Any, request: Any) -> Any:
        """See OCPP, D02."""
        enabled = self.model.boolean("LocalAuthListCtrlr", "Enabled")
        return self.make(
            "GetLocalListVersionResponse", versionNumber=self.local_list.version if enabled else 0
        )

    @on(*every("SendLocalList"))
    def send_local_list(self, link: Any, request: Any) -> Any:
        """See OCPP, D01."""
        if not self.model.boolean("LocalAuthListCtrlr", "Enabled"):
            return self.make("SendLocalListResponse", status="Failed")
        changes: dict[str, Callable[..., str]] = {
            "Full": self.local_list.replace,
            "Differential": self.local_list.update,
        }
        entries = [
            (
                token_key(each.idToken),
                None if given(each, "idTokenInfo") is None else self._standing(each.idTokenInfo),
            )
            for each in given(request, "localAuthorizationList") or ()
        ]
        status = changes[request.updateType](request.versionNumber, entries)
        if status == "Accepted":
            self.cache.forget(self.local_list)
        return self.make("SendLocalListResponse", status=status)
