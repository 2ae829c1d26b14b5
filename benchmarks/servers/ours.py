# ruff: noqa: E402 -- the reactor is chosen before anything imports it
"""ocpp_twisted: the real server with a plug-in. ``PORT REACTOR [CERTIFICATE KEY]``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.application.reactors import installReactor

installReactor(sys.argv[2])

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks

from ocpp_twisted import v16
from ocpp_twisted.garbage import settle
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.plugin import ActionPlugin, after, on
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.websocket.certificates import TLSFiles


class Benchmark(ActionPlugin):
    """Answers with what the messages ask for, and calls when it is told to."""

    name = "benchmark"

    @on(v16.HeartbeatRequest)
    def heartbeat(self, charge_point: IChargePoint, request: v16.HeartbeatRequest) -> Any:
        return v16.HeartbeatResponse(currentTime=datetime.now(UTC))

    @on(v16.MeterValuesRequest)
    def meter_values(self, charge_point: IChargePoint, request: v16.MeterValuesRequest) -> Any:
        return v16.MeterValuesResponse()

    @on(v16.StatusNotificationRequest)
    def status(self, charge_point: IChargePoint, request: v16.StatusNotificationRequest) -> Any:
        return v16.StatusNotificationResponse()

    @on(v16.DataTransferRequest)
    def go(self, charge_point: IChargePoint, request: v16.DataTransferRequest) -> Any:
        return v16.DataTransferResponse(status=v16.DataTransferStatus.Accepted)

    @after(v16.DataTransferRequest)
    @inlineCallbacks
    def keep_calling(self, charge_point: IChargePoint, request: Any, response: Any) -> Any:
        while charge_point.connected:
            yield charge_point.call(v16.ClearCacheRequest())


endpoint = f"tcp:{sys.argv[1]}:interface=127.0.0.1"
tls = [(Path(sys.argv[3]), Path(sys.argv[4]))] if len(sys.argv) > 3 else []
server = Server(
    Settings(
        ws=[] if tls else [endpoint],
        wss=[endpoint] if tls else [],
        tls=TLSFiles(pairs=tls),
        reuse_port=True,
        action_plugins=[Benchmark()],
    ),
    reactor,
)
server.startService().addCallback(lambda _: settle()).addCallback(
    lambda _: print("ready", flush=True)
)
reactor.run()  # type: ignore[attr-defined]
