"""Whatever the schemas allow a central system to ask, a simulated charge point of 1.6 answers."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocpp_twisted.errors import CallErrorReceived, NotConnected, OCPPError
from ocpp_twisted.ocppj.catalogue import Sender
from tests.messages import payloads, schemas
from tests.simulator.case16 import Case

often = settings(
    max_examples=800,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
#: What may be refused, rather than answered.
REFUSALS = ("PropertyConstraintViolation", "OccurenceConstraintViolation", "NotSupported")


def tamed(payload: Any, number: int) -> Any:
    """The same of a connector that there is, and with a schedule that can be."""
    if number % 4 == 0:
        return payload
    if "connectorId" in payload:
        payload["connectorId"] = number % 3
    for name in ("csChargingProfiles", "chargingProfile"):
        if name in payload:
            profile = payload[name]
            profile["stackLevel"] %= 11
            periods = profile["chargingSchedule"]["chargingSchedulePeriod"]
            for place, period in enumerate(periods):
                period["startPeriod"] *= min(place, 1)
    return payload


class Anything(Case):
    skip = schemas.ABSENT

    def test_it_is_answered(self):
        catalogue = schemas.CATALOGUES["v16"]
        asked = [
            st.tuples(st.just(message.action), payloads.valid(message))
            for message in schemas.messages("v16")
            if message.is_request
            and catalogue.actions[message.action].sent_by is not Sender.CHARGE_POINT
        ]
        self.assertEqual(len(asked), 26)
        numbers = count()
        self.charge()

        @often
        @given(st.one_of(asked))
        def answered(call: tuple[str, Any]) -> None:
            action, payload = call
            number = next(numbers)
            text = json.dumps(tamed(payload, number)).encode()
            try:
                asking = self.network.central_system.call_json("CP1", action, text)
                self.network.result(asking)
            except CallErrorReceived as error:
                self.assertIn(error.code, REFUSALS, call)
            except NotConnected:
                pass  # it restarts
            except OCPPError as error:
                self.assertNotIn("InvalidResponse", type(error).__name__, call)
            # A car comes, and another one goes.
            outlet = number % 2 + 1
            if self.station.outlet(outlet).vehicle is None:
                self.station.plug_in(outlet)
            else:
                self.station.unplug(outlet)
            self.run_(1)

        answered()
        self.run_(1000)
        self.assertTrue(self.voice.online_now())
        self.assertEqual(self.station.charge_point.queued, 0)
