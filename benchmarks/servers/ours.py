# ruff: noqa: E402 -- the reactor is chosen before anything imports it
"""ocpp_twisted: the real server with a plug-in. ``PORT REACTOR [CERTIFICATE KEY]``."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.application.reactors import installReactor

installReactor(sys.argv[2])

from twisted.internet import reactor

from benchmarks.servers.answers import Answers
from ocpp_twisted.garbage import settle
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.websocket.certificates import TLSFiles

endpoint = f"tcp:{sys.argv[1]}:interface=127.0.0.1"
tls = [(Path(sys.argv[3]), Path(sys.argv[4]))] if len(sys.argv) > 3 else []
server = Server(
    Settings(
        ws=[] if tls else [endpoint],
        wss=[endpoint] if tls else [],
        tls=TLSFiles(pairs=tls),
        reuse_port=True,
        action_plugins=[Answers()],
    ),
    reactor,
)
server.startService().addCallback(lambda _: settle()).addCallback(
    lambda _: print("ready", flush=True)
)
reactor.run()  # type: ignore[attr-defined]
