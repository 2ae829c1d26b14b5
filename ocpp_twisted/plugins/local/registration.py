"""Actions: BootNotification and Heartbeat, of every version; and who is admitted.

Sources: OCPP 1.6 sections 4.2 and 4.6; OCPP 2.x use cases B01 to B03 and G02.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
from twisted.internet.defer import Deferred

from ocpp_twisted.errors import CallFault, ErrorCode, NotConnected, RecordsUnavailable
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import (
    IActiveCaller,
    IChargePoint,
    KnownChargePoint,
    RequestHandler,
)
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import on
from ocpp_twisted.plugins.local.keeping import Keeping
from ocpp_twisted.plugins.local.messages import answer, requests
from ocpp_twisted.plugins.local.store import charge_points
from ocpp_twisted.plugins.local.store.charge_points import Boot, Heard
from ocpp_twisted.records import Admission, ChargePoint

__all__ = ["Registration"]

#: Of how many charge points what was heard is kept in memory until it is written.
_MOST_HEARD = 10_000
#: How many of them are written in one job: others want to be answered meanwhile.
_MOST_AT_ONCE = 250
#: The WebSocket close code for who is not wanted (RFC 6455 section 7.4.1).
_POLICY = 1008


class Registration(Keeping):
    """Admits charge points, and tells the time.

    :ivar heartbeat_interval: seconds, told at a boot: between Heartbeats, or until the next try.
    :ivar interval_spread: by how many percent more or less that is for one charge point or another.
    :ivar any_charge_point: whether those that nobody has entered are admitted.
    :ivar caller: to close the gate between two boots; None for nobody.
    """

    heartbeat_interval: int
    interval_spread = 0
    any_charge_point: bool
    caller: IActiveCaller | None = None
    _last_heard: dict[Identity, Heard]
    _admitted: set[Identity]
    _rejected: set[Identity]

    def request_handler(self, version: str, action: str) -> RequestHandler | None:
        """See `IActionPlugin.request_handler`.

        Where only known charge points are admitted, one that sends something without having booted
        is looked up first, once for each connection.
        """
        handler = super().request_handler(version, action)
        if handler is None or action == "BootNotification":
            return handler

        def admitted_only(charge_point: IChargePoint, request: Any) -> Any:
            if self.any_charge_point or charge_point.identity in self._admitted:
                return handler(charge_point, request)
            found = self.keep(charge_points.get_charge_point, charge_point.identity)
            return found.addCallback(go_on, charge_point, request)

        def go_on(known: ChargePoint | None, charge_point: IChargePoint, request: Any) -> Any:
            if known is None or known.admission in (None, "Rejected"):
                text = "this charge point is not known here: it may only boot"
                raise CallFault(ErrorCode.SECURITY_ERROR, text)
            self._admitted.add(charge_point.identity)
            return handler(charge_point, request)

        return admitted_only

    def charge_point_offline(self, charge_point: IChargePoint, reason: str, seconds: float) -> None:
        """It is looked up again when it comes back."""
        self._admitted.discard(charge_point.identity)

    @on(*requests("BootNotification"))
    def boot_notification(
        self, charge_point: IChargePoint, request: Request[Any]
    ) -> Deferred[Response]:
        """What the operator has decided, or Accepted if any charge point may come."""
        heard = self._heard(charge_point)
        boot = Boot(heard, msgspec.to_builtins(request))
        kept = self.keep(charge_points.booted, charge_point.identity, boot, self.any_charge_point)
        interval = self._interval(charge_point.identity)
        return kept.addCallback(
            lambda status: answer(request, status=status, currentTime=heard.at, interval=interval)
        )

    def _interval(self, identity: Identity) -> int:
        """Always the same for a charge point: those that boot together do not go on together."""
        share = crc32(f"{identity.name}/{identity.id}".encode()) / 0xFFFFFFFF * 2 - 1
        spread = self.heartbeat_interval * self.interval_spread / 100
        return max(1, round(self.heartbeat_interval + spread * share))

    @on(*requests("Heartbeat"))
    def heartbeat(self, charge_point: IChargePoint, request: Request[Any]) -> Response:
        """The time. That it was heard is written later: a Heartbeat costs no commit."""
        return answer(request, currentTime=self._note_heard(charge_point).at)

    def charge_point_online(self, charge_point: IChargePoint) -> None:
        """Noted, to be written later. Who is rejected may only boot."""
        self._note_heard(charge_point)
        if charge_point.identity in self._rejected and self.caller is not None:
            self.caller.register(charge_point.identity, "Rejected")

    def known_charge_point(self, identity: Identity) -> Deferred[KnownChargePoint | None]:
        """See `IKnowsChargePoints.known_charge_point`: what its last boot was told holds on.

        But for Rejected, where what the operator has decided since counts at once.
        """

        def known(found: tuple[Any, Any, Any] | None) -> KnownChargePoint | None:
            if found is None:
                return None
            admission, told, boot = found
            if admission == "Rejected":
                told = admission
            elif told == "Rejected":
                told = admission or ("Accepted" if self.any_charge_point else None)
            return KnownChargePoint(registration=told or "", boot=boot)

        return self.store.run(charge_points.last_boot, identity).addCallback(known)

    def decided(self, identity: Identity, admission: Admission | None) -> None:
        """The operator has decided on a charge point.

        That counts at once if it is Rejected or was, else from its next boot on. OCPP has no
        message for it. Its connection is closed, because many charge points boot
        when they come back; those that do not can send and be sent nothing.

        :param admission: None if it is not entered any more.
        """
        if admission is None and self.any_charge_point:
            admission = "Accepted"
        if (admission == "Rejected") == (identity in self._rejected):
            return
        if admission == "Rejected":
            self._rejected.add(identity)
        else:
            self._rejected.discard(identity)
        if self.caller is None or admission is None:
            return
        self.caller.register(identity, admission)
        if admission == "Rejected":
            closed = self.caller.disconnect(identity, _POLICY, "rejected by the operator")
            closed.addErrback(lambda failure: failure.trap(NotConnected))

    def heed_rejected(self) -> None:
        """See whom the records say to reject: another process may have been told."""

        def heed(rejected: set[Identity]) -> None:
            for identity in rejected - self._rejected:
                self.decided(identity, "Rejected")
            for identity in self._rejected - rejected:
                self.decided(identity, "Accepted")

        found = self.store.run(charge_points.rejected)
        found.addCallback(heed).addErrback(lambda failure: failure.trap(RecordsUnavailable))

    def _note_heard(self, charge_point: IChargePoint) -> Heard:
        heard = self._last_heard[charge_point.identity] = self._heard(charge_point)
        if len(self._last_heard) >= _MOST_HEARD:
            self.write_heard()
        return heard

    def write_heard(self) -> None:
        """Write who was heard since the last time; forgotten if that fails."""
        last, self._last_heard = list(self._last_heard.items()), {}
        for some in range(0, len(last), _MOST_AT_ONCE):
            self.note(charge_points.heard, dict(last[some : some + _MOST_AT_ONCE]))
