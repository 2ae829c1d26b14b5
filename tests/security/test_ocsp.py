"""OCSP responders are asked: a real one on this machine, and those that misbehave."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent
from twisted.web.server import Site

from ocpp_twisted.security.ocsp import NoAnswer, Responders, responder
from tests.security.certificates import NOW, Responder
from tests.security.responding import Page
from tests.support import until


def allowing(*prefixes: str) -> Responders:
    return Responders(prefixes, Agent(None), Clock())


class Allowed(SynchronousTestCase):
    def test_nobody(self) -> None:
        self.assertFalse(allowing().allows("http://ocsp.example/"))

    def test_below_a_listed_one(self) -> None:
        responders = allowing("http://ocsp.example/v2g")
        for url in (
            "http://ocsp.example/v2g",
            "http://ocsp.example:80/v2g/1",
            "HTTP://OCSP.example/v2g?a",
        ):
            self.assertTrue(responders.allows(url), url)
        for url in (
            "https://ocsp.example/v2g",
            "http://ocsp.example:8080/v2g",
            "http://ocsp.example/v2ghost",
            "http://ocsp.example/",
            "http://ocsp.example.evil.example/v2g",
            "http://ocsp.example/v2g/../admin",
        ):
            self.assertFalse(responders.allows(url), url)

    def test_a_host_alone(self) -> None:
        for text in ("http://ocsp.example", "http://ocsp.example/"):
            responders = allowing(text)
            self.assertTrue(responders.allows("http://ocsp.example"))
            self.assertTrue(responders.allows("http://ocsp.example/a"))
            self.assertFalse(responders.allows("http://ocsp.example.evil.example/"))

    def test_all(self) -> None:
        responders = allowing("*")
        self.assertTrue(responders.allows("http://anywhere.example/"))
        self.assertFalse(responders.lists("http://anywhere.example/"))

    def test_what_is_no_url(self) -> None:
        for text in (
            "",
            "ocsp.example",
            "ftp://ocsp.example/",
            "file:///etc/passwd",
            "http://user@ocsp.example/",
            "http://ocsp.example\\@evil.example/",
            "http://ocsp.example/ HTTP/1.1\r\nHost: evil",
            "http://ocsp.example:port/",
            "http:///path",
            "http://ocsp.exämple/",
        ):
            self.assertRaises(ValueError, responder, text)
            self.assertFalse(allowing("*").allows(text), text)

    def test_not_asked(self) -> None:
        asked = allowing("http://a.example/").ask(SimpleNamespace(), "http://b.example/")
        self.assertIn("--ocsp-responder", self.failureResultOf(asked, NoAnswer).getErrorMessage())


class Asked(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.responder = Responder()
        self.page = Page(self.responder)
        self.port = reactor.listenTCP(0, Site(self.page), interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.url = f"http://127.0.0.1:{self.port.getHost().port}/ocsp"
        self.issued = self.responder.issue()
        self.now = NOW
        self.responders = self.make()

    def make(self, **limits) -> Responders:
        return Responders([self.url], Agent(reactor), reactor, lambda: self.now, **limits)

    def ask(self, **changed: str) -> Deferred:
        hashes = {**self.responder.hashes(self.issued), **changed}
        return self.responders.ask(SimpleNamespace(**hashes), self.url)

    async def refused(self, words: str, **changed: str) -> None:
        try:
            answer = await self.ask(**changed)
        except NoAnswer as error:
            self.assertIn(words, str(error))
        else:
            self.fail(answer)

    async def test_good_revoked_unknown(self) -> None:
        for status in ("GOOD", "REVOKED", "UNKNOWN"):
            self.responder.status = ocsp.OCSPCertStatus[status]
            self.responders = self.make()
            answer = await self.ask()
            self.assertEqual(status.title(), answer.status)
            read = ocsp.load_der_ocsp_response(answer.der)
            self.assertEqual(self.issued.serial_number, read.serial_number)
            self.assertEqual(NOW + timedelta(hours=1), answer.next_update)

    async def test_kept_until_there_are_news(self) -> None:
        first = await self.ask()
        self.assertIs(first, await self.ask(issuerNameHash=self.hashes("issuerNameHash").upper()))
        self.assertEqual(1, len(self.responder.asked))
        self.now = self.responder.now = first.next_update
        await self.ask()
        self.assertEqual(2, len(self.responder.asked))

    def hashes(self, field: str) -> str:
        return self.responder.hashes(self.issued)[field]

    async def test_kept_a_day_at_most(self) -> None:
        self.responder.lasts = timedelta(days=30)
        await self.ask()
        self.now += timedelta(days=1)
        await self.ask()
        self.assertEqual(2, len(self.responder.asked))

    async def test_few_are_kept(self) -> None:
        self.responders = self.make(kept=1)
        for serial in ("1", "2", "2", "1"):
            await self.ask(serialNumber=serial)
        self.assertEqual([1, 2, 1], [each.serial_number for each in self.responder.asked])

    async def test_an_old_answer(self) -> None:
        self.now += timedelta(hours=1)
        await self.refused("not of now")

    async def test_an_answer_of_tomorrow(self) -> None:
        self.responder.now = NOW + timedelta(days=1)
        await self.refused("not of now")

    async def test_an_answer_about_another(self) -> None:
        self.page.body = self.responder.answer(
            ocsp.OCSPRequestBuilder()
            .add_certificate_by_hash(b"n" * 32, b"k" * 32, 1, self.issued.signature_hash_algorithm)
            .build()
            .public_bytes(Encoding.DER)
        )
        await self.refused("another certificate")

    async def test_an_error_of_ocsp(self) -> None:
        built = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
        self.page.body = built.public_bytes(Encoding.DER)
        await self.refused("TRY_LATER")

    async def test_no_ocsp(self) -> None:
        for body in (b"", b"<html>", b"0" * 100):
            self.page.body = body
            await self.refused("is no OCSP")

    async def test_no_redirect_is_followed(self) -> None:
        self.page.status, self.page.location = 302, b"http://169.254.169.254/"
        await self.refused("HTTP status 302")

    async def test_too_large(self) -> None:
        self.page.body = b"0" * (16 * 1024 + 1)
        await self.refused("more than 16384 bytes")

    async def test_too_slow_and_too_many(self) -> None:
        self.page.silent = True
        self.responders = self.make(timeout=0.3, at_once=1, waiting=1)
        first, second = self.ask(), self.ask()
        await self.refused("too many")
        for asked in (first, second):
            failure = await self.assertFailure(asked, NoAnswer)
            self.assertIn("not answered in 0.3 seconds", str(failure))
        # The second one never had its turn.
        await until(lambda: self.page.waiting == 1, reactor)

    async def test_nobody_there(self) -> None:
        await self.port.stopListening()
        await self.refused("cannot be asked")

    async def test_what_are_no_hashes(self) -> None:
        for changed in (
            {"serialNumber": "x"},
            {"serialNumber": "-1"},
            {"issuerKeyHash": "k"},
            {"issuerNameHash": "00"},
        ):
            await self.refused("no hashes and serial number", **changed)
        self.assertEqual([], self.responder.asked)
