"""A test's own server, and its own charge points."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from ocpp_twisted.interfaces import AnsweredHandler, IChargePoint, ResponseHandler
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.records import IdTag
from ocpp_twisted.service import Server, Settings
from ocpp_twisted.websocket.certificates import TLSFiles
from tests.interop.certificate import make_certificate
from tests.interop.journal import Journal
from tests.interop.process import ChargePointProcess, Program

__all__ = ["InteropCase", "ProgramCase", "Recorder"]

_Program = TypeVar("_Program", bound=Program)

#: Who charges at all charge points here.
TAG = IdTag(idTag="04A2B6C8")
LISTEN = "tcp:0:interface=127.0.0.1"


class Recorder(ActionPlugin):
    """Answers nothing, and writes down what it hears.

    :ivar heard: a `Journal` of ``("online", identity)``, ``("offline", identity, reason)``,
        ``("answered", identity, request, response)`` and
        ``("result", identity, request, outcome)``.
    """

    name = "recorder"

    def __init__(self, reactor: Any) -> None:
        self.heard = Journal(reactor)

    def charge_point_online(self, charge_point: IChargePoint) -> None:
        self.heard.add(("online", charge_point.identity))

    def charge_point_offline(self, charge_point: IChargePoint, reason: str, seconds: float) -> None:
        self.heard.add(("offline", charge_point.identity, reason))

    def answered_handler(self, version: str, action: str) -> AnsweredHandler:
        return lambda charge_point, request, response: self.heard.add(
            ("answered", charge_point.identity, request, response)
        )

    def response_handler(self, version: str, action: str) -> ResponseHandler:
        return lambda charge_point, request, outcome: self.heard.add(
            ("result", charge_point.identity, request, outcome)
        )

    def requests(self) -> list[Any]:
        """The typed requests that were answered."""
        return [entry[2] for entry in self.heard.entries if entry[0] == "answered"]


class ProgramCase(TestCase):
    """Runs programs."""

    timeout = 60

    def ends(self, program: _Program) -> _Program:
        """Kill a program at the test's end if it still runs."""

        def end() -> Deferred[Any]:
            program.kill()
            return DeferredList([program.ended], consumeErrors=True)

        self.addCleanup(end)
        return program


class InteropCase(ProgramCase):
    """Starts the real server in `setUp`: for WS, or WSS if `secure`."""

    secure = False

    def setUp(self) -> Deferred[Any]:
        self.recorder = Recorder(reactor)
        self.local = LocalPlugin()
        self.certificate: Path | None = None
        listen: dict[str, Any] = {"ws": [LISTEN]}
        if self.secure:
            pair = make_certificate(Path(self.mktemp()))
            self.certificate = pair[0]
            listen = {"wss": [LISTEN], "tls": TLSFiles(pairs=[pair])}
        settings = Settings(
            action_plugins=[self.local, self.recorder],
            limits=Limits(call_timeout=10.0),
            grace=2.0,
            **listen,
        )
        self.server = Server(settings, reactor)
        self.addCleanup(self.server.stopService)
        return self.server.startService().addCallback(lambda _: self.local.put_id_tags([TAG]))

    def url(self, path: str) -> str:
        """The server's URL with a path, which is taken as it is."""
        scheme = "wss" if self.secure else "ws"
        return f"{scheme}://127.0.0.1:{self.server.addresses[0].port}{path}"

    def charge_point(self, program: str, path: str, *arguments: str) -> ChargePointProcess:
        """Start a charge point, which is killed at the test's end if it is still there."""
        if self.certificate is not None:
            arguments = ("--ca", str(self.certificate.absolute()), *arguments)
        return self.ends(ChargePointProcess(reactor, program, self.url(path), *arguments))

    def call(self, charge_point_id: str, request: Any, **arguments: Any) -> Deferred[Any]:
        """As `IActiveCaller.call`."""
        return self.server.central_system.call(charge_point_id, request, **arguments)
