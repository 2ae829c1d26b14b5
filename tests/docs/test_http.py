"""The page on HTTP: its commands are run by a shell against a server, and print what it says."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.http.problems import KINDS
from ocpp_twisted.service import Server, Settings
from tests.plugins.http.case import HTTPTestCase
from tests.plugins.http.memory import MemoryRecords
from tests.support import MemoryTransport, environment

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "http.md").read_text()
ANSWERS = {
    "Reset": '[3,"{id}",{{"status":"Accepted"}}]',
    "ReserveNow": '[3,"{id}",{{"status":"Accepted"}}]',
    "ClearCache": '[4,"{id}","NotSupported","",{{}}]',
}


class ChargePoint(MemoryTransport):
    """Answers each CALL at once."""

    connection: Any

    def send_message(self, data: bytes) -> None:
        _, message_id, action, _ = json.loads(data)
        answer = ANSWERS[action].format(id=message_id).encode()
        reactor.callLater(0, self.connection.receive, answer)


class HTTPPageTests(HTTPTestCase):
    async def served(self) -> None:
        await self.start([MemoryRecords()])
        transport = ChargePoint()
        transport.connection = self.server.central_system.connection_made(
            Identity("CP1"), "ocpp1.6", transport
        )
        self.addCleanup(transport.connection.lost, "the test ends")

    async def test_each_command_prints_what_the_page_says(self) -> None:
        if shutil.which("curl") is None:
            self.skipTest("there is no curl")
        await self.served()
        examples = re.findall(r"```sh\n([^`]*)```\n\n```json\n([^`]*)```", PAGE)
        self.assertEqual(len(examples), PAGE.count("```json"))
        for command, printed in examples:
            self.assertIn("http://localhost:8080", command)
            command = command.replace("http://localhost:8080", self.url)
            out, errors, code = await getProcessOutputAndValue(
                "/bin/sh", ["-c", command.replace("curl ", "curl -sS ")], env=environment()
            )
            self.assertEqual((code, errors), (0, b""), command)
            self.assertEqual(json.loads(out), json.loads(printed), command)

    async def test_its_tables_name_what_is_there(self) -> None:
        await self.served()
        document = (await self.ask("GET", "/openapi.json")).json
        named = set(re.findall(r"(?:GET|PUT|POST|DELETE) (/api/v1/[^` ]*)", PAGE))
        self.assertGreater(len(named), 12)
        known = {
            re.sub(r"{\w+}", lambda match: "TAG" if "Tag" in match[0] else "ID", path)
            for path in document["paths"]
        }
        self.assertEqual(named - known, set())
        for status, kind in re.findall(r"\| (\d{3}) \| `([a-z-]+)`", PAGE):
            self.assertEqual(KINDS[kind].status, int(status))


class ListenerTests(HTTPTestCase):
    async def test_it_hears_who_comes_and_goes(self) -> None:
        self.patch(sys, "path", [str(ROOT / "docs" / "listings" / "http"), *sys.path])
        self.addCleanup(sys.modules.pop, "listener", None)
        counter = importlib.import_module("listener").Counter()
        await self.start([counter])
        wire = self.online("CP2")
        self.assertEqual(counter.online, {("", "CP2")})
        wire.connection.lost("gone")
        self.assertEqual(counter.online, set())

    async def test_it_sees_no_messages_and_pays_for_none(self) -> None:
        self.patch(sys, "path", [str(ROOT / "docs" / "listings" / "http"), *sys.path])
        self.addCleanup(sys.modules.pop, "listener", None)
        counter = importlib.import_module("listener").Counter()
        server = Server(Settings(action_plugins=[counter]), reactor)
        self.assertIs(server._factory.owner, server.central_system)
