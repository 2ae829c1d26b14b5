"""Everything that a charge point may send, in every version, is answered as the schema says."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.ocppj.catalogue import Catalogue, Sender
from ocpp_twisted.ocppj.message import Send
from ocpp_twisted.plugins.local import LocalPlugin
from ocpp_twisted.versions import CATALOGUES
from tests.plugins.local.samples import payload
from tests.plugins.local.wire import Site

#: How many actions a charge point may send: a catalogue that lost some would prove nothing.
COUNTS = {"1.6": 14, "2.0": 26, "2.0.1": 25, "2.1": 37}


class EveryAction(SynchronousTestCase):
    def test_counts(self) -> None:
        found = {catalogue.version: len(sent_to_us(catalogue)) for catalogue in CATALOGUES.values()}
        self.assertEqual(COUNTS, found)

    def test_has_a_handler(self) -> None:
        plugin = LocalPlugin()
        missing = [
            (catalogue.version, action)
            for catalogue in CATALOGUES.values()
            for action in sent_to_us(catalogue)
            if action != "DataTransfer"  # the library answers for vendors that nobody knows
            and plugin.request_handler(catalogue.version, action) is None
        ]
        self.assertEqual([], missing)

    def test_what_the_central_system_sends_has_none(self) -> None:
        plugin = LocalPlugin()
        for catalogue in CATALOGUES.values():
            for action in catalogue.actions.keys() - set(sent_to_us(catalogue)):
                self.assertIsNone(plugin.request_handler(catalogue.version, action), action)

    def test_required_fields_only(self) -> None:
        self.send_all(full=False)

    def test_every_field(self) -> None:
        self.send_all(full=True)
        self.assertEqual([], self.flushLoggedErrors())

    def send_all(self, full: bool) -> None:
        for catalogue in CATALOGUES.values():
            charge_point = Site().connect(catalogue.rules.subprotocol)
            for name in sent_to_us(catalogue):
                action = catalogue.actions[name]
                request = payload(action.request, full)
                if issubclass(action.request, Send):
                    self.assertIsNone(charge_point.says(json.dumps([6, "s1", name, request])))
                    continue
                answer = json.dumps(charge_point.calls(name, **request)).encode()
                # Strictly an answer of this version, and writing it again changes nothing.
                response = action.read_response(answer)
                self.assertEqual(json.loads(answer), json.loads(catalogue.write(response)))


def sent_to_us(catalogue: Catalogue) -> list[str]:
    return [
        name
        for name, action in catalogue.actions.items()
        if action.sent_by is not Sender.CENTRAL_SYSTEM
    ]
