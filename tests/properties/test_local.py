"""Whatever a schema allows, `local` keeps and answers: a CALLERROR would only be tried again."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.ocppj.catalogue import Sender
from tests.messages import payloads, schemas
from tests.plugins.local.wire import Site

often = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Local(SynchronousTestCase):
    skip = schemas.ABSENT

    def check(self, package: str) -> None:
        catalogue = schemas.CATALOGUES[package]
        charge_point = Site().connect(catalogue.rules.subprotocol)
        told = [
            st.tuples(st.just(message.action), payloads.valid(message))
            for message in schemas.messages(package)
            if message.is_request
            and message.action in catalogue.actions
            and catalogue.actions[message.action].sent_by is Sender.CHARGE_POINT
            and catalogue.actions[message.action].response is not None
        ]
        self.assertGreater(len(told), 12)
        ids = count()

        @often
        @given(st.one_of(told))
        def answered(call: tuple[str, Any]) -> None:
            answer = charge_point.says(json.dumps([2, f"m{next(ids)}", *call]))
            self.assertEqual(json.loads(answer or "[0]")[0], 3, answer)

        answered()

    def test_v16(self) -> None:
        self.check("v16")

    def test_v20(self) -> None:
        self.check("v20")

    def test_v201(self) -> None:
        self.check("v201")

    def test_v21(self) -> None:
        self.check("v21")
