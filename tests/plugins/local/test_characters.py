"""Characters that not every database can keep: NUL, and halves of surrogate pairs.

Whatever the database, what holds them is kept and answered as anything else is.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.ocppj.message import Send
from ocpp_twisted.records import IdTag
from ocpp_twisted.versions import CATALOGUES
from tests.plugins.local.samples import payload
from tests.plugins.local.test_every_action import sent_to_us
from tests.plugins.local.wire import NOW_TEXT, Site, of

TEXT = "x"  # see `samples`


def with_nul(value: Any) -> Any:
    """The same with a NUL in every text that is free."""
    if isinstance(value, dict):
        return {name: with_nul(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_nul(inner) for inner in value]
    return "\0" if value == TEXT else value


class Nul(SynchronousTestCase):
    def test_in_every_text(self) -> None:
        for catalogue in CATALOGUES.values():
            charge_point = Site().connect(catalogue.rules.subprotocol)
            for name in sent_to_us(catalogue):
                action = catalogue.actions[name]
                request = with_nul(payload(action.request, True))
                if not issubclass(action.request, Send) and name != "DataTransfer":
                    charge_point.calls(name, **request)
        self.assertEqual([], self.flushLoggedErrors())

    def test_in_a_tag_that_nobody_has_entered(self) -> None:
        site = Site(authorize="known")
        site.put_tags(IdTag(idTag="A"), IdTag(idTag="A\N{REPLACEMENT CHARACTER}"))
        charge_point = site.connect("ocpp1.6")
        for tag in ("A\0", "\0", "A\0B"):
            told = charge_point.calls("Authorize", idTag=tag)
            self.assertEqual({"idTagInfo": {"status": "Invalid"}}, told)
        start = {"connectorId": 1, "meterStart": 0, "timestamp": NOW_TEXT}
        told = charge_point.calls("StartTransaction", idTag="A\0", **start)
        self.assertEqual({"status": "Invalid"}, told["idTagInfo"])
        station = site.connect("ocpp2.0.1", "CP2")
        token = {"idToken": "A\0", "type": "Central"}
        told = station.calls("Authorize", idToken=token)
        self.assertEqual({"idTokenInfo": {"status": "Unknown"}}, told)

    def test_in_a_tag_that_is_to_be_entered(self) -> None:
        records = Site().plugin
        for wrong in ("A\0", "\ud800"):
            for tag in (IdTag(idTag=wrong), IdTag(idTag="A", parentIdTag=wrong)):
                error = self.failureResultOf(records.put_id_tags([tag]), ValueError)
                self.assertIn(repr(wrong), error.getErrorMessage())
            self.assertIsNone(of(records.get_id_tag(wrong)))
            self.assertFalse(of(records.delete_id_tag(wrong)))
        self.assertEqual((), of(records.list_id_tags()).items)

    def test_where_a_program_asks(self) -> None:
        records = Site().plugin
        for wrong in ("A\0", "\ud800"):
            self.assertIsNone(of(records.get_charge_point(wrong)))
            self.assertEqual((), of(records.list_transactions(wrong, id_tag=wrong)).items)
            self.assertEqual((), of(records.list_events(wrong, wrong)).items)
            self.assertIsNone(of(records.find_transaction(wrong, wrong)))
