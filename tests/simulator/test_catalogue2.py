"""Every action that the central system may send has an answer, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings

from ocpp_twisted.ocppj.catalogue import Sender
from ocpp_twisted.versions import CATALOGUES
from tests.messages import payloads, schemas
from tests.simulator.case2 import each

PACKAGES = {"2.0": "v20", "2.0.1": "v201", "2.1": "v21"}


class Answers:
    version: str

    def asked(self) -> list[str]:
        """The actions that the central system may send."""
        actions = CATALOGUES[self.version].actions.values()
        return [each.name for each in actions if each.sent_by is not Sender.CHARGE_POINT]

    def test_there_is_a_handler_for_each(self):
        without = [
            action
            for action in self.asked()
            if not any(
                handler.request_handler(self.version, action) for handler in self.voice.handlers
            )
        ]
        self.assertEqual(without, [])

    def test_any_valid_request_is_answered(self):
        for message in schemas.messages(PACKAGES[self.version]):
            if message.is_request and message.action in self.asked():
                self._check(message)

    test_any_valid_request_is_answered.skip = schemas.ABSENT  # type: ignore[attr-defined]

    def _check(self, message: schemas.Message):
        @settings(max_examples=8, deadline=None, database=None)
        @given(payloads.valid(message))
        def answers(payload: Any):
            self.charge_somewhere()
            request = message.read(json.dumps(payload).encode())
            self.answer(request)  # a CALLERROR would be an errback
            self.run_for(30)
            failures = self.flushLoggedErrors()
            self.assertEqual(failures, [], f"{message.action} {payload}")

        answers()

    def charge_somewhere(self):
        """A transaction goes on, if one can."""
        if self.station.outlets[0].vehicle is None:
            self.station.plug_in(1)
        if self.voice.evses[0].permit is None:
            self.station.present("AA", 1)
        self.run_for(1)


globals().update(each(Answers))
