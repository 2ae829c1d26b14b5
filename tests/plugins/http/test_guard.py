"""Who may ask: tokens, the Host header, web pages; what is too large; what is not there."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.hub import ConnectionNotice
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.http import site
from ocpp_twisted.plugins.http.token import kept_token
from tests.plugins.http.case import API, HTTPTestCase
from tests.support import until

LIST = f"{API}/charge-points"
PAGE = "https://depot.example"
TOKEN = "0123456789abcdef"


class Raw(Protocol):
    """A client that sends bytes and keeps what comes until the end."""

    def __init__(self) -> None:
        self.received = BytesIO()
        self.over: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received.write(data)

    def connectionLost(self, reason) -> None:
        self.over.callback(self.received.getvalue())


class GuardCase(HTTPTestCase):
    async def raw(self, data: bytes) -> bytes:
        """What comes back until the server closes the connection."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        client = await connectProtocol(endpoint, Raw())
        client.transport.write(data)
        return await client.over

    async def with_host(self, *hosts: str) -> int:
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        head = f"GET {LIST} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
        return int((await self.raw(head.encode()))[9:12])


class LoopbackTests(GuardCase):
    async def test_loopback_names_only(self) -> None:
        await self.start()
        for host in (
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1",
            "127.1.2.3:9",
            "[::1]:1",
            "localhost.",
        ):
            self.assertEqual(await self.with_host(host), 200, host)
        for host in (
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "[::2]",
            "",
            "::1",
            "a:b",
        ):
            self.assertEqual(await self.with_host(host), 403, host)
        self.assertEqual(await self.with_host("localhost", "evil.example"), 403)

    async def test_pages_of_other_origins_may_not_ask(self) -> None:
        await self.start()
        for origin in (PAGE, "http://localhost:1", "null"):
            response = await self.get("/charge-points", origin=origin)
            self.assertEqual(response.problem, (403, "forbidden-origin"))
            self.assertIsNone(response["access-control-allow-origin"])
        self.assertEqual((await self.get("/charge-points", origin=self.url)).status, 200)

    async def test_pages_that_are_listed_may_ask(self) -> None:
        await self.start(origins=[PAGE])
        preflight = await self.ask("OPTIONS", LIST, origin=PAGE)
        self.assertEqual(preflight.status, 204)
        self.assertEqual(preflight["access-control-allow-origin"], PAGE)
        self.assertIn("Idempotency-Key", preflight["access-control-allow-headers"])
        response = await self.get("/charge-points", origin=PAGE)
        self.assertEqual((response.status, response["vary"]), (200, "Origin"))
        self.assertEqual(response["access-control-allow-origin"], PAGE)
        other = await self.get("/charge-points", origin=f"{PAGE}.evil")
        self.assertEqual(other.problem, (403, "forbidden-origin"))

    async def test_forms_are_refused(self) -> None:
        await self.start()
        for media_type in ("text/plain", "application/x-www-form-urlencoded"):
            path = f"{LIST}/CP1/calls"
            response = await self.ask("POST", path, b"{}", content_type=media_type)
            self.assertEqual(response.problem, (415, "unsupported-media-type"))


class TokenTests(GuardCase):
    async def test_a_token_that_is_given_is_needed(self) -> None:
        await self.start(token=TOKEN)
        for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            response = await self.get("/charge-points", **header)
            self.assertEqual(response.problem, (401, "unauthorized"))
            self.assertIn("Bearer", response["www-authenticate"])
        self.assertEqual((await self.ask("GET", "/openapi.json")).status, 401)
        for scheme in ("Bearer", "bearer"):
            response = await self.get("/charge-points", authorization=f"{scheme} {TOKEN}")
            self.assertEqual(response.status, 200)

    async def test_a_preflight_needs_none(self) -> None:
        await self.start(token=TOKEN, origins=[PAGE])
        self.assertEqual((await self.ask("OPTIONS", LIST, origin=PAGE)).status, 204)
        self.assertEqual((await self.get("/charge-points", origin=PAGE)).status, 401)

    async def test_a_token_that_is_none(self) -> None:
        for token in ("", "short", "with a blank in it", "ünglaublichkeiten"):
            with self.assertRaises(ConfigurationError):
                await self.start(token=token)

    async def test_an_option_that_is_none(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "no option 'tokn'"):
            await self.start(tokn=TOKEN)


class BeyondLoopbackTests(GuardCase):
    listen = "tcp:0"

    async def test_a_token_is_made_and_kept(self) -> None:
        with capturedLogs() as logs:
            await self.start()
        path = self.directory / "http-token"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        token = path.read_text().strip()
        self.assertNotIn(token, str(logs))
        self.assertIn("without TLS", str(logs))
        self.assertEqual((await self.get("/charge-points")).status, 401)
        response = await self.get("/charge-points", authorization=f"Bearer {token}")
        self.assertEqual(response.status, 200)
        self.assertEqual(kept_token(path), token)

    async def test_a_token_that_others_may_read(self) -> None:
        path = Path("data") / "http-token"
        path.parent.mkdir()
        self.addCleanup(shutil.rmtree, path.parent)
        path.write_text(TOKEN)
        path.chmod(0o644)
        with self.assertRaisesRegex(ConfigurationError, "chmod 600"):
            await self.start(data_directory=path.parent)
        self.assertFalse(self.server.hub.wants(ConnectionNotice, Identity("CP1")))

    async def test_with_a_token_any_host_will_do(self) -> None:
        await self.start(token=TOKEN)
        request = (
            f"GET {LIST} HTTP/1.1\r\nHost: depot.example\r\nConnection: close\r\n"
            f"Authorization: Bearer {TOKEN}\r\n\r\n"
        )
        self.assertIn(b" 200 ", (await self.raw(request.encode()))[:20])


class KeptTokenTests(SynchronousTestCase):
    def test_others_may_read_it(self) -> None:
        path = Path(self.mktemp())
        path.write_text(f"{TOKEN}\n")
        path.chmod(0o644)
        error = self.assertRaises(ConfigurationError, kept_token, path)
        self.assertIn("chmod 600", str(error))

    def test_a_directory_that_is_none(self) -> None:
        path = Path(self.mktemp())
        path.write_text("")
        self.assertRaises(ConfigurationError, kept_token, path / "http-token")


class BoundsTests(GuardCase):
    async def test_a_body_that_is_too_large(self) -> None:
        await self.start()
        head = f"POST {LIST}/CP1/calls HTTP/1.1\r\nHost: localhost\r\n"
        for more in (
            b"Content-Length: 1048577\r\n\r\n",
            b"Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n100001\r\n" + b" " * 0x100001,
        ):
            answer = await self.raw(head.encode() + more)
            self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
            self.assertIn(b'"type":"/problems/too-large"', answer)
            self.assertNotIn(b"100 Continue", answer)

    async def test_a_body_that_just_fits(self) -> None:
        await self.start()
        self.online()
        body = b'{"action":"Nothing"}' + b" " * (1048576 - 20)
        response = await self.ask("POST", f"{LIST}/CP1/calls", body)
        self.assertEqual(response.problem, (400, "invalid-request"))

    async def test_so_many_connections(self) -> None:
        self.patch(site, "_CONNECTIONS", 1)
        await self.start()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        first = await connectProtocol(endpoint, Raw())
        await until(lambda: self.http._site.channels, reactor)
        second = await connectProtocol(endpoint, Raw())
        self.assertEqual(await second.over, b"")
        first.transport.loseConnection()
        await first.over
        await until(lambda: not self.http._site.channels, reactor)
        self.assertEqual((await self.get("/charge-points")).status, 200)

    async def test_it_stops_while_a_call_is_open(self) -> None:
        await self.start()
        wire = self.online()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        client = await connectProtocol(endpoint, Raw())
        body = b'{"action":"ClearCache"}'
        head = f"POST {LIST}/CP1/calls HTTP/1.1\r\nHost: localhost\r\n"
        more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        client.transport.write(head.encode() + more.encode() + body)
        message_id = await self.hears_call(wire)
        stopped = self.server.stopService()
        wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        wire.connection.lost("gone")
        await stopped
        self.assertIn(b'"outcome":"CALLRESULT"', await client.over)

    async def test_it_stops_while_clients_are_connected(self) -> None:
        await self.start()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        client = await connectProtocol(endpoint, Raw())
        client.transport.write(f"GET {LIST} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await self.get("/charge-points")  # which comes after it
        await self.server.stopService()
        self.assertIn(b" 200 ", await client.over)


class BadBytesTests(GuardCase):
    async def answer(self, *headers: bytes, path: bytes = LIST.encode()) -> bytes:
        lines = b"\r\n".join((b"Connection: close", *headers))
        return await self.raw(b"GET " + path + b" HTTP/1.1\r\n" + lines + b"\r\n\r\n")

    async def test_headers_that_are_no_text(self) -> None:
        await self.start(origins=[PAGE])
        host = b"Host: localhost"
        for headers in (
            (b"Host: \xff",),
            (host, b"Origin: \xff"),
            (host, b"Authorization: Bearer \xff"),
            (host, b"Idempotency-Key: \xff"),
        ):
            answer = await self.answer(*headers)
            self.assertEqual(answer[9:12], b"400", answer)
            self.assertIn(b"application/problem+json\r\n", answer)
        self.assertEqual((await self.answer(host, path=b"/\xff"))[9:12], b"400")


class RoutingTests(GuardCase):
    async def test_paths_that_are_not_there(self) -> None:
        await self.start()
        for path in (
            "/",
            "/api",
            "/api/v2/charge-points",
            f"{LIST}/",
            f"{LIST}//calls",
            "//",
            "/%ff",
        ):
            response = await self.ask("GET", path)
            self.assertEqual(response.problem, (404, "not-found"), path)
        response = await self.get("/charge-points/%ff")
        self.assertEqual(response.problem, (404, "not-found"))

    async def test_methods_that_are_not_allowed(self) -> None:
        await self.start()
        response = await self.ask("GET", f"{LIST}/CP1/calls")
        self.assertEqual(response.problem, (405, "method-not-allowed"))
        self.assertEqual(response["allow"], "OPTIONS, POST")
        response = await self.ask("BREW", LIST)
        self.assertEqual(response["allow"], "GET, HEAD, OPTIONS")
        response = await self.ask("OPTIONS", LIST)
        self.assertEqual((response.status, response["allow"]), (204, "GET, HEAD, OPTIONS"))

    async def test_head(self) -> None:
        await self.start()
        get, head = await self.get("/charge-points"), await self.ask("HEAD", LIST)
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head["content-length"], str(len(get.body)))
        self.assertEqual((await self.ask("HEAD", "/nothing")).status, 404)

    async def test_query_parameters(self) -> None:
        await self.start()
        for query, path in (
            ("limt=1", "limt"),
            ("limit=1&limit=2", "limit"),
            ("limit=0", "limit"),
            ("limit=x", "limit"),
            ("connected=perhaps", "connected"),
            ("after=x", "after"),
            ("name=%ff", None),
        ):
            response = await self.get(f"/charge-points?{query}")
            self.assertEqual(response.problem, (400, "invalid-request"), query)
            self.assertEqual(response.json.get("path"), path, query)
        unknown = await self.get("/charge-points?limt=1")
        wanted = "there is no query parameter 'limt'; there is after, limit, connected"
        self.assertEqual(unknown.json["detail"], wanted)

    async def test_what_a_problem_means(self) -> None:
        await self.start()
        problem = (await self.ask("GET", "/nothing")).json
        meaning = await self.ask("GET", problem["type"])
        self.assertEqual(meaning.status, 200)
        self.assertIn(problem["title"].encode(), meaning.body)
        self.assertEqual((await self.ask("GET", "/problems/none")).problem, (404, "not-found"))
