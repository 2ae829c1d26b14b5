"""Logs, and what is known of customers (functional block N, but for monitoring).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases N01, N09 and N10.
"""

from __future__ import annotations

from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.firmware import Upload
from ocpp_twisted.simulator.v2.authorization import token_key
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given

__all__ = ["Diagnostics"]

_LOGS = {"DiagnosticsLog": "diagnostics", "SecurityLog": "security"}
#: Characters of one NotifyCustomerInformation (MessageContentType).
_AT_ONCE = 512


class Diagnostics(Block):
    """Uploads logs.

    :ivar failing: how the next uploads end; empty for well.
    """

    name = "diagnostics"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self.failing = ""
        self._upload: Upload | None = None
        self._number: int | None = None

    # -- N01 ----------------------------------------------------------------------------------

    @on(*every("GetLog"))
    def get_log(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        log = _LOGS.get(request.logType)
        accepted = "AcceptedCanceled" if self._running else "Accepted"
        status = "Rejected" if log is None else accepted
        name = f"{self.station.id}-{log}-{self.now():%Y%m%dT%H%M%S}.log"
        return self.make(
            "GetLogResponse", status=status, filename=None if log is None else name[:255]
        )

    @after(*every("GetLog"))
    def upload(self, link: Any, request: Any, response: Any) -> None:
        """Upload it; one that runs is given up."""
        if response.status == "Rejected":
            return
        if self._upload is not None and self._running:
            self._upload.cancel()
            self._tell("AcceptedCanceled")
        scheme = request.log.remoteLocation.partition(":")[0].upper()
        known = scheme in self.model.members("OCPPCommCtrlr", "FileTransferProtocols")
        self._number = request.requestId
        self._upload = Upload(
            self._tell,
            self.station.clock,
            self.station.random,
            1 + (given(request, "retries") or 0),
            given(request, "retryInterval"),
            self.failing if known else "NotSupportedOperation",
        )
        self._upload.start()

    @property
    def _running(self) -> bool:
        return self._upload is not None and not self._upload.over

    def _tell(self, status: str) -> None:
        self.call("LogStatusNotification", status=status, requestId=self._number)

    def tell_status(self) -> None:
        """What a trigger asks for."""
        if self._upload is not None and self._running:
            self._tell(self._upload.status)
        else:
            self.call("LogStatusNotification", status="Idle")

    def powered_off(self) -> None:
        """See `Block`."""
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None

    # -- N09, N10 -----------------------------------------------------------------------------

    @on(*every("CustomerInformation"))
    def customer_information(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        names = ("idToken", "customerIdentifier", "customerCertificate")
        named = sum(given(request, name) is not None for name in names)
        if named != 1:
            status = "Invalid"
        else:
            status = "Accepted" if request.report or request.clear else "Rejected"
        return self.make("CustomerInformationResponse", status=status)

    @after(*every("CustomerInformation"))
    def notify_customer(self, link: Any, request: Any, response: Any) -> None:
        """What is known, in parts; and it is forgotten if that is asked for."""
        if response.status != "Accepted":
            return
        known = (self._known(request) or "no data") if request.report else "cleared"
        token = given(request, "idToken")
        if request.clear and token is not None:  # the local list stays (N10.FR.02)
            self.voice.authorization.cache.forget([token_key(token)])
        parts = [known[at : at + _AT_ONCE] for at in range(0, len(known), _AT_ONCE)]
        self.call_in_turn(
            self.make(
                "NotifyCustomerInformationRequest",
                data=part,
                tbc=number + 1 < len(parts),
                seqNo=number,
                generatedAt=self.now(),
                requestId=request.requestId,
            )
            for number, part in enumerate(parts)
        )

    def _known(self, request: Any) -> str:
        token = given(request, "idToken")
        if token is None:
            return ""
        key, now = token_key(token), self.now()
        lines = [
            f"{book}: {standing.status}"
            for book, standing in (
                ("local list", self.voice.authorization.local_list.get(key, now)),
                ("cache", self.voice.authorization.cache.get(key, now)),
            )
            if standing is not None
        ]
        lines += [
            f"transaction {each.id} since {each.begun:%Y-%m-%dT%H:%M:%SZ}"
            for each in self.voice.telling.known.values()
            if each.token is not None and token_key(each.token) == key
        ]
        return "\n".join(lines)
