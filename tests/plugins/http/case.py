"""A whole server in this process, asked over HTTP."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.http_headers import Headers

from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.plugins.http import HTTPPlugin
from ocpp_twisted.service import Server, Settings
from tests.support import Wire, online, until

API = "/api/v1"


class Nothing(ActionPlugin):
    name = "nothing"


class Response:
    """What the server has answered."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __getitem__(self, header: str) -> str | None:
        values = self.headers.getRawHeaders(header)
        return None if values is None else ", ".join(values)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """The status and the type of a problem."""
        assert self["content-type"] == "application/problem+json", (self.status, self.body)
        problem = self.json
        assert problem["status"] == self.status
        assert problem["title"]
        assert problem["detail"]
        return self.status, problem["type"].removeprefix("/problems/")


class HTTPTestCase(TestCase):
    """
    :ivar server: with charge points in memory, if a test has any.
    """

    timeout = 20
    listen = "tcp:0:interface=127.0.0.1"

    async def start(
        self,
        action_plugins=(),
        limits: Limits | None = None,
        ws=(),
        data_directory: Path | None = None,
        grace: float = 0.1,
        **config: Any,
    ) -> None:
        self.http = HTTPPlugin(reactor)
        self.directory = data_directory or Path(self.mktemp())
        self.server = Server(
            Settings(
                ws=ws,
                action_plugins=[*action_plugins, Nothing()],
                active_plugins=[self.http],
                plugin_config={"http": {"listen": self.listen, **config}},
                limits=limits or Limits(),
                data_directory=self.directory,
                grace=grace,
            ),
            reactor,
        )
        self.addCleanup(lambda: self.server.stopService() if self.server.running else None)
        await self.server.startService()
        self.port = self.http.address.port
        self.url = f"http://127.0.0.1:{self.port}"

    def online(self, charge_point: Any = "CP1", version: str = "1.6") -> Wire:
        wire = online(self.server.central_system, charge_point, version)
        self.addCleanup(wire.connection.lost, "the test ends")
        return wire

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Deferred[Response]:
        """Send a request; a body that is not bytes is sent as JSON."""
        raw = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
        producer = None
        if body is not None:
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            if not raw.hasHeader("content-type"):
                raw.setRawHeaders("content-type", ["application/json"])
            producer = FileBodyProducer(BytesIO(body))
        url = f"{self.url}{path}".encode()
        agent = Agent(reactor)
        return Deferred.fromCoroutine(self._ask(agent.request(method.encode(), url, raw, producer)))

    async def _ask(self, asked) -> Response:
        response = await asked
        return Response(response.code, response.headers, await readBody(response))

    def get(self, path: str, **headers: str) -> Deferred[Response]:
        return self.ask("GET", API + path, **headers)

    def call(self, action: str, payload: Any = None, **headers: str) -> Deferred[Response]:
        """Ask for a call of CP1."""
        body = {"action": action, "payload": {} if payload is None else payload}
        return self.ask("POST", f"{API}/charge-points/CP1/calls", body, **headers)

    async def hears_call(self, wire: Wire) -> str:
        """The message id of the CALL that the charge point hears next."""
        await until(lambda: wire.transport.sent, reactor)
        return wire.hears_call()
