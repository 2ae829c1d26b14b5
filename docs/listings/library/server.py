"""A program with a server in it: ``python server.py``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from ocpp_twisted import v16
from ocpp_twisted.interfaces import IChargePoint
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.service import Server, Settings


class Clock(ActionPlugin):
    """Tells the time, and nothing else."""

    name = "clock"

    @on(v16.HeartbeatRequest)
    def heartbeat(
        self, charge_point: IChargePoint, request: v16.HeartbeatRequest
    ) -> v16.HeartbeatResponse:
        return v16.HeartbeatResponse(currentTime=datetime.now(UTC))


async def main(reactor: Any, listen: str = "tcp:9000:interface=127.0.0.1") -> None:
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)])
    server = Server(Settings(ws=[listen], action_plugins=[Clock()]), reactor)
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    await server.startService()
    await Deferred()  # until Ctrl-C


if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
