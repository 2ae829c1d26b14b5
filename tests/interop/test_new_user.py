"""What a new user does: enter a tag with curl, charge, read it back, send a command; kill -9."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import DeferredList
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.http_headers import Headers

from tests.interop.case import ProgramCase
from tests.interop.charge_points.steadfast import READINGS, TAG
from tests.interop.process import ROOT, ChargePointProcess, Program, TwistdProcess

VERSIONS = ("1.6", "2.0.1", "2.1")


class NewUser(ProgramCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.http = ""

    async def serve(self, ws: int = 0) -> tuple[TwistdProcess, int]:
        """Start the server; where tags have to be known, as they usually have."""
        arguments = [f"--ws={ws}", "--http=0", "--data-dir=data"]
        server = self.ends(TwistdProcess(reactor, arguments, self.directory))
        (port,) = await server.ports()
        line = await server.lines.when(lambda line: "HTTP on" in line)
        self.http = line.rpartition(" ")[2]
        return server, port

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer that is well."""
        response = await Agent(reactor).request(
            method.encode(),
            f"{self.http}/api/v1{path}".encode(),
            Headers({"Content-Type": ["application/json"]}),
            None if body is None else FileBodyProducer(BytesIO(json.dumps(body).encode())),
        )
        answer = json.loads(await readBody(response))
        self.assertEqual(response.code, 200, answer)
        return answer

    async def test_nothing_is_lost(self) -> None:
        """The server is killed while charge points of each version charge, and started again."""
        server, port = await self.serve()
        await self.ask("PUT", f"/id-tags/{TAG}", {})
        url = f"ws://127.0.0.1:{port}/ocpp"
        charge_points = [
            self.ends(ChargePointProcess(reactor, "steadfast", version, f"{url}/CP-{version}"))
            for version in VERSIONS
        ]
        for charge_point in charge_points:
            await charge_point.lines.when(lambda line: line.get("step") == "halfway")
        for charge_point in charge_points:
            charge_point.transport.closeStdin()
        middle = READINGS // 2 + 3
        await charge_points[0].lines.when(lambda line: line.get("answered") == middle)
        server.kill()
        await DeferredList([server.ended], consumeErrors=True)

        await self.serve(port)
        for charge_point in charge_points:
            await charge_point.charged()

        found = (await self.ask("GET", "/transactions"))["items"]
        self.assertEqual({each["version"] for each in found}, {*VERSIONS})
        self.assertEqual(len(found), len(VERSIONS))
        for each in found:
            self.assertEqual((each["idTag"], each["idTagStatus"]), (TAG, "Accepted"))
            self.assertEqual((each["meterStart"], each["meterStop"]), (1000, 1500))
            self.assertIsNotNone(each["stopped"])
            self.assertIn(each["complete"], (True, None))
            values = (await self.ask("GET", f"/transactions/{each['id']}/meter-values"))["items"]
            self.assertEqual(len({value["timestamp"] for value in values}), len(values))
            self.assertEqual(len(values), READINGS)

        reset = {"action": "Reset", "payload": {"type": "Soft"}}
        answer = await self.ask("POST", "/charge-points/CP-1.6/calls", reset)
        self.assertEqual(answer, {"outcome": "CALLRESULT", "payload": {"status": "Accepted"}})
        shell = ["-m", "ocpp_twisted", "call", "--url", self.http]
        arguments = [*shell, "CP-2.1", "Reset", "type=Immediate"]
        lines = await self.ends(Program(reactor, arguments, ROOT)).ended
        self.assertEqual(json.loads("".join(lines)), {"status": "Accepted"})
