"""What the charge points of a load say is what the versions' schemas allow."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.ocppj.events import CallReceived
from ocpp_twisted.ocppj.session import Session
from ocpp_twisted.stress.messages import KINDS, boot, messages
from ocpp_twisted.versions import CATALOGUES

TIME = "2026-01-02T03:04:05Z"


class MessageTests(SynchronousTestCase):
    def test_a_strict_reader_takes_them(self) -> None:
        for version, catalogue in CATALOGUES.items():
            for kind in KINDS:
                for action, payload in (*messages(kind, version, TIME), boot(version)):
                    call = b'[2,"1","%b",%b]' % (action.encode(), payload)
                    event = Session(catalogue, lambda: "x").receive(call)
                    self.assertIsInstance(event, CallReceived, (version, call))
                    self.assertFalse(event.repairs)

    def test_kinds(self) -> None:
        for version in CATALOGUES:
            actions = {
                kind: [action for action, _ in messages(kind, version, TIME)] for kind in KINDS
            }
            self.assertEqual(
                actions,
                {
                    "heartbeat": ["Heartbeat"],
                    "meter-values": ["MeterValues"],
                    "mix": ["MeterValues", "Heartbeat", "MeterValues", "StatusNotification"],
                },
            )

    def test_five_sampled_values(self) -> None:
        for version in CATALOGUES:
            ((_, payload),) = messages("meter-values", version, TIME)
            (value,) = json.loads(payload)["meterValue"]
            self.assertEqual(len(value["sampledValue"]), 5)
            self.assertEqual(value["timestamp"], TIME)
