"""GetCertificateStatus, GetCertificateChainStatus and contract certificates, asked over OCSP."""

from __future__ import annotations

import base64
import json
from itertools import count
from typing import Any

from cryptography.x509 import ocsp
from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent
from twisted.web.server import Site as HTTPSite

from ocpp_twisted.records import IdTag
from ocpp_twisted.security.ocsp import Responders
from tests.plugins.local.wire import NOW, NOW_TEXT, Line, Site
from tests.security.certificates import Responder
from tests.security.responding import Page
from tests.support import until

V2 = ("ocpp2.0", "ocpp2.0.1", "ocpp2.1")
LATER = "2024-05-01T13:00:00Z"
_ids = count(1)


class StatusCase(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.responder = Responder()
        self.page = Page(self.responder)
        port = reactor.listenTCP(0, HTTPSite(self.page), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.url = f"http://127.0.0.1:{port.getHost().port}/"
        self.site = Site()
        self.allow(self.url)
        self.issued = self.responder.issue()
        # OCPP 2.0 has room for half a serial number.
        self.hashes = {**self.responder.hashes(self.issued), "serialNumber": "1AF"}

    def allow(self, *responders: str) -> None:
        self.site.plugin.responders = Responders(responders, Agent(reactor), reactor, lambda: NOW)

    async def says(self, line: Line, action: str, /, **payload: Any) -> dict[str, Any]:
        """The payload of the CALLRESULT, whenever it comes."""
        message_id, before = f"s{next(_ids)}", len(line.sent)
        line._receive(json.dumps([2, message_id, action, payload]).encode())
        await until(lambda: len(line.sent) > before, reactor)
        [kind, answered, result] = json.loads(line.sent[-1])
        self.assertEqual((3, message_id), (kind, answered))
        return result


class Statuses(StatusCase):
    async def ask(self, subprotocol: str, **changed: Any) -> dict[str, Any]:
        data = {**self.hashes, "responderURL": self.url, **changed}
        line = self.site.connect(subprotocol)
        return await self.says(line, "GetCertificateStatus", ocspRequestData=data)

    async def test_what_the_responder_says(self) -> None:
        """Good or revoked: the charge point reads it itself."""
        for subprotocol in V2:
            for status in (ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED):
                self.responder.status = status
                self.allow(self.url)
                answer = await self.ask(subprotocol)
                self.assertEqual("Accepted", answer["status"])
                der = base64.b64decode(answer["ocspResult"], validate=True)
                self.assertEqual(status, ocsp.load_der_ocsp_response(der).certificate_status)

    async def test_nobody_says_anything(self) -> None:
        self.page.status = 500
        for subprotocol in V2:
            answer = await self.ask(subprotocol)
            failed = "Rejected" if subprotocol == "ocpp2.0" else "Failed"
            self.assertEqual(failed, answer["status"])
            self.assertNotIn("ocspResult", answer)
        self.assertIn("HTTP status 500", answer["statusInfo"]["additionalInfo"])

    async def test_not_allowed(self) -> None:
        self.allow("https://ocsp.example/")
        self.assertEqual("Failed", (await self.ask("ocpp2.1"))["status"])
        self.assertEqual([], self.responder.asked)

    async def test_no_url_in_2_0(self) -> None:
        line = self.site.connect("ocpp2.0")
        answer = await self.says(line, "GetCertificateStatus", ocspRequestData=self.hashes)
        self.assertEqual({"status": "Rejected"}, answer)

    async def test_too_long_for_the_version(self) -> None:
        """5500 characters in 2.0.1, 18000 in 2.1."""
        self.responder.padding = 4200
        for subprotocol, status in (("ocpp2.0.1", "Failed"), ("ocpp2.1", "Accepted")):
            self.assertEqual(status, (await self.ask(subprotocol))["status"])


class ChainStatuses(StatusCase):
    async def ask(self, *asked: dict[str, Any]) -> list[tuple[str, str, str]]:
        line = self.site.connect("ocpp2.1")
        answer = await self.says(line, "GetCertificateChainStatus", certificateStatusRequests=asked)
        for question, told in zip(asked, answer["certificateStatus"], strict=True):
            self.assertEqual(question["certificateHashData"], told["certificateHashData"])
        return [
            (each["source"], each["status"], each["nextUpdate"])
            for each in answer["certificateStatus"]
        ]

    def about(self, source: str = "OCSP", *urls: str) -> dict[str, Any]:
        return {
            "certificateHashData": self.hashes,
            "source": source,
            "urls": urls or [self.url],
        }

    async def test_each(self) -> None:
        self.assertEqual(
            [("OCSP", "Good", LATER), ("CRL", "Failed", NOW_TEXT)],
            await self.ask(self.about(), self.about("CRL")),
        )
        for status in ("REVOKED", "UNKNOWN"):
            self.responder.status = ocsp.OCSPCertStatus[status]
            self.allow(self.url)
            self.assertEqual([("OCSP", status.title(), LATER)], await self.ask(self.about()))

    async def test_the_first_that_is_allowed(self) -> None:
        asked = self.about("OCSP", "http://elsewhere.example/", self.url)
        self.assertEqual([("OCSP", "Good", LATER)], await self.ask(asked))

    async def test_none_is_allowed(self) -> None:
        asked = self.about("OCSP", "http://elsewhere.example/")
        self.assertEqual([("OCSP", "Failed", NOW_TEXT)], await self.ask(asked))


class ContractCertificates(StatusCase):
    def setUp(self) -> None:
        super().setUp()
        self.site.plugin.everybody = False
        self.site.put_tags(IdTag(idTag="EMAID"), IdTag(idTag="OLD", status="Expired"))

    async def ask(self, subprotocol: str, tag: str = "EMAID", **more: Any) -> tuple[str, str]:
        """The status of the token, and that of the certificate."""
        field = (
            "15118CertificateHashData"
            if subprotocol == "ocpp2.0"
            else "iso15118CertificateHashData"
        )
        hashes = [{**self.hashes, "responderURL": self.url}]
        token = {"idToken": tag, "type": "eMAID"}
        line = self.site.connect(subprotocol)
        answer = await self.says(line, "Authorize", **{"idToken": token, field: hashes, **more})
        return answer["idTokenInfo"]["status"], answer.get("certificateStatus", "")

    async def test_good(self) -> None:
        """C07.FR.13 and 14."""
        for subprotocol in V2:
            self.assertEqual(("Accepted", "Accepted"), await self.ask(subprotocol))
            self.assertEqual(("Expired", "ContractCancelled"), await self.ask(subprotocol, "OLD"))
            unknown = await self.ask(subprotocol, "NOBODY")
            self.assertEqual(("Unknown", "ContractCancelled"), unknown)

    async def test_revoked(self) -> None:
        """C07.FR.16."""
        self.responder.status = ocsp.OCSPCertStatus.REVOKED
        for subprotocol in V2:
            self.assertEqual(("Invalid", "CertificateRevoked"), await self.ask(subprotocol))

    async def test_not_verified(self) -> None:
        """C07.FR.17."""
        self.responder.status = ocsp.OCSPCertStatus.UNKNOWN
        for subprotocol in V2:
            self.assertEqual(("Invalid", "CertChainError"), await self.ask(subprotocol))
        self.page.status = 500
        self.allow(self.url)
        self.assertEqual(("Invalid", "CertChainError"), await self.ask("ocpp2.1"))

    async def test_the_worst_of_the_chain_counts(self) -> None:
        chain = [
            {**self.hashes, "responderURL": self.url},
            {**self.hashes, "responderURL": "http://elsewhere.example/"},
        ]
        told = await self.ask("ocpp2.1", iso15118CertificateHashData=chain)
        self.assertEqual(("Invalid", "CertChainError"), told)
        self.assertEqual([], self.responder.asked)

    async def test_any_responder_is_nobody(self) -> None:
        """Who may charge is not decided by a responder that the peer has chosen."""
        self.allow("*")
        self.assertEqual(("Invalid", "CertChainError"), await self.ask("ocpp2.1"))
        self.assertEqual([], self.responder.asked)

    async def test_a_chain_that_the_charge_point_cannot_verify(self) -> None:
        told = await self.ask("ocpp2.1", certificate="-----BEGIN CERTIFICATE-----")
        self.assertEqual(("Invalid", "CertChainError"), told)
        self.assertEqual([], self.responder.asked)
