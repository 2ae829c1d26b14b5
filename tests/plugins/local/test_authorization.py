from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocpp_twisted.plugins.local import Decision, IAuthorizer, LocalPlugin
from ocpp_twisted.records import IdTag
from tests.plugins.local.wire import NOW, NOW_TEXT, Line, Site, at, at_text, of

HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "n",
    "issuerKeyHash": "k",
    "serialNumber": "1",
    "responderURL": "http://ocsp.example.com",
}
TOKEN = {"idToken": "DE8ACC12E46L89", "type": "eMAID"}
CANNOT_CHECK = {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}
V2 = ("ocpp2.0", "ocpp2.0.1", "ocpp2.1")


def asks(site: Site, subprotocol: str, id_tag: str = "ANNA") -> dict[str, Any]:
    """What an Authorize says of a tag."""
    charge_point = site.connect(subprotocol)
    if subprotocol == "ocpp1.6":
        info: dict[str, Any] = charge_point.calls("Authorize", idTag=id_tag)["idTagInfo"]
        return info
    token = {"idToken": id_tag, "type": "ISO14443"}
    answer = charge_point.calls("Authorize", idToken=token)
    assert answer.keys() == {"idTokenInfo"}, answer
    token_info: dict[str, Any] = answer["idTokenInfo"]
    return token_info


class Known(SynchronousTestCase):
    """Only tags that were entered may charge."""

    def setUp(self) -> None:
        self.site = Site(authorize="known")

    def told(self, status: str, **more: Any) -> None:
        """All versions say this of ANNA."""
        self.assertEqual({"status": status, **more}, asks(self.site, "ocpp1.6"))
        for subprotocol in V2:
            self.assertEqual(status, asks(self.site, subprotocol)["status"])

    def test_accepted(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA"))
        self.told("Accepted")

    def test_capital_and_small_letters_are_the_same(self) -> None:
        self.site.put_tags(IdTag(idTag="anna"))
        self.told("Accepted")

    def test_unknown(self) -> None:
        self.assertEqual({"status": "Invalid"}, asks(self.site, "ocpp1.6"))
        for subprotocol in V2:
            self.assertEqual({"status": "Unknown"}, asks(self.site, subprotocol))

    def test_blocked(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA", status="Blocked"))
        self.told("Blocked")

    def test_expired(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA", expiryDate=NOW))
        self.told("Expired", expiryDate=NOW_TEXT)

    def test_expires_later(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA", expiryDate=at(1)))
        self.told("Accepted", expiryDate=at_text(1))
        self.assertEqual(at_text(1), asks(self.site, "ocpp2.0.1")["cacheExpiryDateTime"])

    def test_blocked_stays_blocked_when_it_expires(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA", status="Blocked", expiryDate=NOW))
        self.told("Blocked", expiryDate=NOW_TEXT)

    def test_parent_and_group(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA", parentIdTag="FAMILY"))
        self.told("Accepted", parentIdTag="FAMILY")
        for subprotocol in V2:
            group = asks(self.site, subprotocol)["groupIdToken"]
            self.assertEqual({"idToken": "FAMILY", "type": "Central"}, group)

    def test_parent_that_is_too_long_for_the_version_is_not_told(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA", parentIdTag="F" * 21))
        self.told("Accepted")
        self.assertEqual("F" * 21, asks(self.site, "ocpp2.0.1")["groupIdToken"]["idToken"])

    def test_limit_does_not_matter_before_the_start(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA", maxTransactions=0))
        self.told("Accepted")

    def test_no_token_at_all(self) -> None:
        for subprotocol in ("ocpp2.0.1", "ocpp2.1"):
            token = {"idToken": "", "type": "NoAuthorization"}
            answer = self.site.connect(subprotocol).calls("Authorize", idToken=token)
            self.assertEqual({"idTokenInfo": {"status": "Accepted"}}, answer)

    def test_removed(self) -> None:
        self.site.put_tags(IdTag(idTag="ANNA"))
        self.assertTrue(self.successResultOf(self.site.plugin.delete_id_tag("anna")))
        self.assertEqual({"status": "Invalid"}, asks(self.site, "ocpp1.6"))


class Open(SynchronousTestCase):
    """Tags that nobody has entered may charge."""

    def test_unknown(self) -> None:
        for subprotocol in ("ocpp1.6", *V2):
            self.assertEqual({"status": "Accepted"}, asks(Site(), subprotocol))

    def test_blocked_is_blocked_all_the_same(self) -> None:
        site = Site()
        site.put_tags(IdTag(idTag="ANNA", status="Blocked"))
        self.assertEqual({"status": "Blocked"}, asks(site, "ocpp1.6"))


class Limit(SynchronousTestCase):
    """A tag with `maxTransactions`: only the start is told ConcurrentTx."""

    def setUp(self) -> None:
        self.site = Site(authorize="known")
        self.site.put_tags(IdTag(idTag="ANNA", maxTransactions=1))

    def starts(self, charge_point: Line, minute: int = 0, id_tag: str = "ANNA") -> Any:
        return charge_point.calls(
            "StartTransaction",
            connectorId=1,
            idTag=id_tag,
            meterStart=0,
            timestamp=at_text(minute),
        )

    def test_v16(self) -> None:
        first, second = self.site.connect("ocpp1.6"), self.site.connect("ocpp1.6", "CP2")
        begun = self.starts(first)
        self.assertEqual("Accepted", begun["idTagInfo"]["status"])
        self.assertEqual("ConcurrentTx", self.starts(second, id_tag="anna")["idTagInfo"]["status"])
        # The retry of each has the answer that it had.
        self.assertEqual("Accepted", self.starts(first)["idTagInfo"]["status"])
        self.assertEqual("ConcurrentTx", self.starts(second)["idTagInfo"]["status"])
        first.calls(
            "StopTransaction",
            transactionId=begun["transactionId"],
            meterStop=1,
            timestamp=at_text(5),
            idTag="ANNA",
        )
        self.assertEqual("Accepted", self.starts(first, 6)["idTagInfo"]["status"])

    def test_v2(self) -> None:
        for subprotocol in V2:
            self.setUp()
            told = [
                self.event(self.site.connect(subprotocol, id_), "Started", 0)
                for id_ in ("CP1", "CP2", "CP1")
            ]
            self.assertEqual(["Accepted", "ConcurrentTx", "Accepted"], told, subprotocol)
            ended = self.event(self.site.connect(subprotocol, "CP1"), "Ended", 1)
            self.assertEqual("Accepted", ended)

    def event(self, charge_point: Line, kind: str, seq_no: int) -> str:
        version = charge_point.version
        info = {"id" if version == "ocpp2.0" else "transactionId": "T1"}
        answer = charge_point.calls(
            "TransactionEvent",
            eventType=kind,
            seqNo=seq_no,
            timestamp=at_text(seq_no),
            triggerReason="Authorized",
            idToken={"idToken": "ANNA", "type": "ISO14443"},
            **{"transactionData" if version == "ocpp2.0" else "transactionInfo": info},
        )
        status: str = answer["idTokenInfo"]["status"]
        return status

    def test_what_a_retry_is_told_is_kept(self) -> None:
        first, second = (self.site.connect("ocpp1.6", name) for name in ("CP1", "CP2"))
        number = self.starts(first)["transactionId"]
        self.assertEqual("ConcurrentTx", self.starts(second)["idTagInfo"]["status"])
        first.calls(
            "StopTransaction",
            transactionId=number,
            meterStop=9,
            timestamp="2024-05-01T13:00:00Z",
        )
        self.assertEqual("Accepted", self.starts(second)["idTagInfo"]["status"])
        kept = [each.idTagStatus for each in of(self.site.plugin.list_transactions()).items]
        self.assertEqual(["Accepted", "Accepted"], kept)


class Certificates(SynchronousTestCase):
    def test_chain_cannot_be_verified(self) -> None:
        for version in ("ocpp2.0.1", "ocpp2.1"):
            charge_point = Site().connect(version)
            self.assertEqual(
                CANNOT_CHECK, charge_point.calls("Authorize", idToken=TOKEN, certificate="PEM")
            )

    def test_hashes_cannot_be_verified(self) -> None:
        for version in ("ocpp2.0.1", "ocpp2.1"):
            charge_point = Site().connect(version)
            answer = charge_point.calls(
                "Authorize", idToken=TOKEN, iso15118CertificateHashData=[HASH]
            )
            self.assertEqual(CANNOT_CHECK, answer)

    def test_hashes_cannot_be_verified_v20(self) -> None:
        hashes = {"15118CertificateHashData": [HASH]}
        charge_point = Site().connect("ocpp2.0")
        self.assertEqual(CANNOT_CHECK, charge_point.calls("Authorize", idToken=TOKEN, **hashes))


@implementer(IAuthorizer)
class Roaming:
    """Knows one tag of its own, later, and leaves the others to the records."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.waiting: list[Deferred[Decision | None]] = []

    def authorize(self, charge_point: Any, id_tag: str, request: Any) -> Deferred[Decision | None]:
        self.asked.append((id_tag, request.ACTION))
        decision: Deferred[Decision | None] = Deferred()
        self.waiting.append(decision)
        return decision


class Authorizer(SynchronousTestCase):
    """A user's own."""

    def setUp(self) -> None:
        self.roaming = roaming = Roaming()

        class Mine(LocalPlugin):
            authorizer = roaming

        self.site = Site(Mine, authorize="known")
        self.charge_point = self.site.connect("ocpp1.6")

    def says(self, decision: Decision | None) -> None:
        self.roaming.waiting.pop().callback(decision)

    def test_decides(self) -> None:
        self.charge_point.says('[2,"1","Authorize",{"idTag":"ROAMER"}]')
        self.assertEqual([], self.charge_point.sent)
        self.says(Decision("Accepted", expiry=NOW + timedelta(hours=1)))
        self.assertEqual(
            '[3,"1",{"idTagInfo":{"status":"Accepted","expiryDate":"2024-05-01T13:00:00Z"}}]',
            self.charge_point.sent[-1],
        )

    def test_leaves_it_to_the_records(self) -> None:
        self.charge_point.says('[2,"1","Authorize",{"idTag":"OTHER"}]')
        self.says(None)
        self.assertIn('"Invalid"', self.charge_point.sent[-1])

    def test_is_asked_about_a_start(self) -> None:
        self.charge_point.says(
            '[2,"1","StartTransaction",{"connectorId":1,"idTag":"ROAMER","meterStart":0,'
            f'"timestamp":"{NOW_TEXT}"}}]'
        )
        self.assertEqual([("ROAMER", "StartTransaction")], self.roaming.asked)
        self.says(Decision("Blocked"))
        self.assertIn('"Blocked"', self.charge_point.sent[-1])
        self.assertEqual("Blocked", self.site.transaction().idTagStatus)

    def fails(self) -> None:
        self.roaming.waiting.pop().errback(ZeroDivisionError("the other system is away"))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_who_starts_is_to_ask_again(self) -> None:
        self.charge_point.says('[2,"1","Authorize",{"idTag":"ROAMER"}]')
        self.fails()
        self.assertIn('"InternalError"', self.charge_point.sent[-1])

    def test_an_end_is_kept_though_it_fails(self) -> None:
        self.charge_point.says(
            '[2,"1","StopTransaction",{"transactionId":7,"idTag":"ROAMER","meterStop":9,'
            f'"timestamp":"{NOW_TEXT}"}}]'
        )
        self.fails()
        self.assertEqual('[3,"1",{}]', self.charge_point.sent[-1])
        self.assertEqual((NOW, "ROAMER"), self.ended())

    def test_an_end_in_v2_is_kept_though_it_fails(self) -> None:
        charge_point = self.site.connect("ocpp2.0.1")
        charge_point.says(
            '[2,"1","TransactionEvent",{"eventType":"Ended","seqNo":3,"triggerReason":'
            '"StopAuthorized","idToken":{"idToken":"ROAMER","type":"ISO14443"},'
            f'"timestamp":"{NOW_TEXT}","transactionInfo":{{"transactionId":"T1"}}}}]'
        )
        self.fails()
        self.assertEqual('[3,"1",{}]', charge_point.sent[-1])
        self.assertEqual((NOW, "ROAMER"), self.ended())

    def ended(self) -> Any:
        transaction = self.site.transaction()
        return transaction.stopped, transaction.stopIdTag
