"""A program with a server that a file tells what to do: ``python configured_server.py FILE``."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner

from ocpp_twisted import config, logs
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.service import Server


async def main(reactor: Any, file: str = "ocpp.toml") -> None:
    settings = config.read(file, action_plugins=[LocalPlugin()])
    globalLogBeginner.beginLoggingTo([logs.observer(settings.logs, sys.stderr)])
    server = Server(settings, reactor)
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    await server.startService()
    await Deferred()  # until Ctrl-C


if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
