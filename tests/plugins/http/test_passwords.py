"""Passwords over HTTP, and that none of them comes out again; charge points at a real socket."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.plugins.http import HTTPPlugin
from ocpp_twisted.plugins.http.calls import Calls
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.recording.file import Recording
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.service import Server, Settings
from tests.plugins.http.case import API, HTTPTestCase
from tests.plugins.http.memory import MemoryRecords
from tests.support import RawClient, connect, frame, request, until, upgraded

CP1 = f"{API}/charge-points/CP1"
KEY = "000102030405060708090A0B0C0D0E0F10111213"


class PasswordsCase(HTTPTestCase):
    async def serve(self, profile: int = 1, **more: Any) -> None:
        """A server whose only listener for charge points has a security profile."""
        self.http = HTTPPlugin(reactor)
        self.directory = Path(self.mktemp())
        self.local = LocalPlugin()
        self.server = Server(
            Settings(
                ws=["tcp:0:interface=127.0.0.1"],
                security_profiles={"ws": SecurityProfile(profile)},
                action_plugins=[self.local],
                active_plugins=[self.http],
                plugin_config={"http": {"listen": self.listen}},
                data_directory=self.directory,
                grace=0.1,
                **more,
            ),
            reactor,
        )
        self.addCleanup(lambda: self.server.stopService() if self.server.running else None)
        await self.server.startService()
        self.url = f"http://127.0.0.1:{self.http.address.port}"

    @property
    def ws(self) -> int:
        return self.server.addresses[0].port

    def extra(self, password: bytes | str | None) -> dict[str, Any]:
        if password is None:
            return {}
        sent = password.encode() if isinstance(password, str) else password
        return {"extra": [f"Authorization: Basic {b64encode(b'CP1:' + sent).decode()}"]}

    async def status(self, password: bytes | str | None = None) -> int:
        """The HTTP status that the charge point gets."""
        client = await connect(reactor, self.ws)
        client.transport.write(request(**self.extra(password)))
        await until(lambda: b"\r\n\r\n" in client.received, reactor)
        self.head = client.received.partition(b"\r\n\r\n")[0]
        client.transport.loseConnection()
        await client.over
        return int(self.head.split()[1])

    async def comes_in(self, password: bytes | str | None = None, **more: Any) -> RawClient:
        client = await upgraded(reactor, self.ws, **self.extra(password), **more)
        self.addCleanup(client.transport.loseConnection)
        return client

    async def answers(self, client: RawClient, status: str) -> dict[str, Any]:
        """What the charge point is told, once it has answered it."""
        [text] = await until(client.hears, reactor)
        _, message_id, _, payload = json.loads(text)
        client.transport.write(frame(json.dumps([3, message_id, {"status": status}])))
        return payload

    def put(self, body: Any, path: str = f"{CP1}/password") -> Deferred[Any]:
        return self.ask("PUT", path, body)


class PasswordTests(PasswordsCase):
    async def test_entered(self) -> None:
        await self.serve()
        self.assertEqual(await self.status("secret"), 404)
        response = await self.put({"password": "secret"})
        self.assertEqual((response.status, response.body), (204, b""))
        self.assertEqual(await self.status("wrong"), 401)
        self.assertIn(b'WWW-Authenticate: Basic realm="OCPP", charset="UTF-8"', self.head)
        self.assertEqual(await self.status(), 401)
        self.assertEqual(await self.status("secret"), 101)

    async def test_entered_as_hexadecimal_digits(self) -> None:
        await self.serve()
        await self.put({"hex": KEY})
        self.assertEqual(await self.status(bytes.fromhex(KEY)), 101)
        self.assertEqual(await self.status(KEY.lower()), 101)

    async def test_what_is_no_password(self) -> None:
        await self.serve()
        for body in ({}, {"password": ""}, {"hex": "abc"}, {"hex": "xy"}, {"hex": ""}):
            self.assertEqual((await self.put(body)).problem, (400, "invalid-request"), body)
        response = await self.put({"password": "S3CRET", "hex": KEY})
        self.assertEqual(response.problem, (400, "invalid-request"))
        self.assertNotIn(b"S3CRET", response.body)
        response = await self.put({"password": ["S3CRET"]})
        self.assertNotIn(b"S3CRET", response.body)
        response = await self.put({"password": "p"}, f"{API}/charge-points/a%0Ab/password")
        self.assertEqual(response.problem, (400, "invalid-request"))

    async def test_removed(self) -> None:
        await self.serve()
        self.assertEqual(
            (await self.ask("DELETE", f"{CP1}/password")).problem, (404, "unknown-charge-point")
        )
        await self.put({"password": "secret"})
        self.assertEqual((await self.ask("DELETE", f"{CP1}/password")).status, 204)
        self.assertEqual(await self.status("secret"), 401)

    async def test_what_is_shown(self) -> None:
        await self.serve()
        await self.put({"password": "secret"})
        shown = await self.get("/charge-points/CP1")
        self.assertEqual((shown.json["hasPassword"], shown.json["securityProfile"]), (True, 0))
        await self.comes_in("secret")
        shown = await self.get("/charge-points/CP1")
        self.assertEqual(shown.json["securityProfile"], 1)
        for told in (shown.body, (await self.get("/charge-points")).body):
            self.assertNotIn(b"secret", told)
            self.assertNotIn(b"scrypt", told)

    async def test_other_records(self) -> None:
        await self.start([MemoryRecords()])
        for asked in (
            self.put({"password": "secret"}),
            self.ask("DELETE", f"{CP1}/password"),
            self.ask("POST", f"{CP1}/password"),
            self.put({"securityProfile": 1}, CP1),
        ):
            self.assertEqual((await asked).problem, (501, "no-records"))
        self.assertEqual((await self.put({}, CP1)).status, 200)


class CheckerTests(PasswordsCase):
    async def test_one_besides_the_records(self) -> None:
        await self.serve(auth=[InMemoryUsernamePasswordDatabaseDontUse(CP1=b"other")])
        self.assertEqual(await self.status("wrong"), 401)
        self.assertEqual(await self.status("other"), 101)
        await self.put({"password": "secret"})
        self.assertEqual(await self.status("secret"), 101)
        self.assertEqual(await self.status("other"), 101)


class ProfileTests(PasswordsCase):
    async def test_an_operator_allows_a_lower_one(self) -> None:
        await self.serve(profile=0)
        await self.put({"password": "secret"})
        await self.local.connected_with("CP1", SecurityProfile.TLS_BASIC, "")
        self.assertEqual(await self.status(), 403)
        response = await self.put({"securityProfile": 0}, CP1)
        self.assertEqual((response.status, response.json["securityProfile"]), (200, 0))
        self.assertEqual(await self.status(), 101)
        response = await self.put({"securityProfile": 4}, CP1)
        self.assertEqual(response.problem, (400, "invalid-request"))

    async def test_a_serial_number(self) -> None:
        await self.serve(profile=0)
        response = await self.put({"serialNumber": "S1"}, CP1)
        self.assertEqual((response.status, response.json["serialNumber"]), (200, "S1"))
        self.assertEqual((await self.local.door("CP1")).serial_number, "S1")

    async def test_known_only(self) -> None:
        await self.serve(profile=0, known_only=True)
        self.assertEqual(await self.status(), 404)
        await self.put({"admission": "Rejected"}, CP1)
        self.assertEqual(await self.status(), 101)  # and is told by its BootNotification


class RotationTests(PasswordsCase):
    async def test_accepted(self) -> None:
        await self.serve()
        await self.put({"password": "secret"})
        client = await self.comes_in("secret")
        asked = self.ask("POST", f"{CP1}/password")
        new = (await self.answers(client, "Accepted"))["value"]
        response = await asked
        self.assertEqual((response.status, response.json), (200, {"status": "Accepted"}))
        self.assertEqual(await self.status("secret"), 401)
        self.assertEqual(await self.status(bytes.fromhex(new)), 101)

    async def test_it_uses_the_new_one_before_it_answers(self) -> None:
        await self.serve()
        await self.put({"password": "secret"})
        client = await self.comes_in("secret")
        asked = self.ask("POST", f"{CP1}/password")
        [text] = await until(client.hears, reactor)
        new = bytes.fromhex(json.loads(text)[3]["value"])
        await self.comes_in(new)
        self.assertEqual((await asked).problem, (502, "connection-lost"))
        self.assertEqual(await self.status("secret"), 401)
        self.assertEqual(await self.status(new), 101)

    async def test_refused(self) -> None:
        await self.serve()
        await self.put({"password": "secret"})
        client = await self.comes_in("secret")
        asked = self.ask("POST", f"{CP1}/password")
        new = (await self.answers(client, "Rejected"))["value"]
        self.assertEqual((await asked).json, {"status": "Rejected"})
        self.assertEqual(await self.status(new), 401)
        self.assertEqual(await self.status("secret"), 101)

    async def test_a_callerror_that_quotes_it(self) -> None:
        await self.serve()
        await self.put({"password": "secret"})
        client = await self.comes_in("secret")
        for answer in ([4, "", "InternalError", "{value}", {}], [3, "", {"status": "{value}"}]):
            asked = self.ask("POST", f"{CP1}/password")
            [text] = await until(lambda: client.hears()[-1:], reactor)
            _, message_id, _, payload = json.loads(text)
            client.received = client.received.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            answer[1] = message_id
            told = json.dumps(answer).replace("{value}", payload["value"])
            client.transport.write(frame(told))
            response = await asked
            self.assertIn(response.status, (200, 502))
            self.assertNotIn(payload["value"].encode(), response.body)

    async def test_not_connected(self) -> None:
        await self.serve()
        response = await self.ask("POST", f"{CP1}/password")
        self.assertEqual(response.problem, (409, "not-connected"))


class SecretTests(PasswordsCase):
    """Where a new password might come out."""

    async def test_everywhere(self) -> None:
        recording = Path(self.mktemp())
        with capturedLogs() as logged:
            await self.serve(recording=Recording(path=recording))
            await self.put({"password": "secret"})
            client = await self.comes_in("secret")
            asked = self.ask("POST", f"{CP1}/password")
            new = (await self.answers(client, "Accepted"))["value"]
            await asked
            client = await self.comes_in(new)
            # The charge point tells it, though it must not.
            keys = [{"key": "AuthorizationKey", "readonly": False, "value": new}]
            told = self.call("GetConfiguration", {}, idempotency_key="k")
            [text] = await until(client.hears, reactor)
            answer = [3, json.loads(text)[1], {"configurationKey": keys}]
            client.transport.write(frame(json.dumps(answer)))
            await told
            shown = (await self.get("/charge-points/CP1/messages")).body
            kept = str(await self.local.list_facts("CP1")).encode()
            await self.server.stopService()
        self.assertIn(b"ChangeConfiguration", shown)
        self.assertIn("password entered over HTTP", str(logged))
        self.assertIn("ChangeConfiguration", recording.read_text())
        seen = b"".join([shown, kept, recording.read_bytes(), str(logged).encode()])
        self.assertNotIn(new.encode(), seen)
        self.assertNotIn(b"secret", seen)


class FingerprintTests(SynchronousTestCase):
    def test_what_is_kept_of_a_payload_tells_nothing_elsewhere(self) -> None:
        self.assertNotEqual(*(Calls(None, None, None, None)._key for _ in range(2)))
