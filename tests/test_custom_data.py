"""customData reaches handlers as it came, and goes out as it is (2.0.1 and 2.1, part 4)."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v21, v201
from ocpp_twisted.ocppj.message import CustomDataType
from ocpp_twisted.plugin import ActionPlugin, on
from tests.support import Wire, wire

#: Nothing in it may change: the order of keys, names that look like OCPP's or Python's, null, and
#: times, which are mended everywhere else.
CUSTOM: dict[str, Any] = {
    "zeta": {"customData": {"vendorId": "inner", "x": None}, "a": [1, 2.5, {"b": [[]]}]},
    "vendorId": "com.acme",
    "idToken": 5,
    "snake_case": True,
    "camelCase": "é \u2028 \\",
    "timestamp": "2026-01-02 03:04+02",
    "big": 2**70,
    "": {},
}


class CustomDataTests(SynchronousTestCase):
    def each(self) -> list[tuple[ModuleType, Wire, list[Any]]]:
        """The versions that have customData, each with a charge point and its Authorizes."""
        found = []
        for version, package in (("2.0.1", v201), ("2.1", v21)):

            class Plugin(ActionPlugin):
                taken: list[Any] = []  # noqa: RUF012

                @on(package.AuthorizeRequest)
                def authorize(self, charge_point, request, package=package):
                    self.taken.append(request)
                    info = package.IdTokenInfoType(
                        status="Accepted", customData=request.idToken.customData
                    )
                    return package.AuthorizeResponse(
                        idTokenInfo=info, customData=request.customData
                    )

            found.append((package, wire(Plugin(), version=version), Plugin.taken))
        return found

    def test_in_and_out_untouched(self) -> None:
        for _, cp1, taken in self.each():
            token = {"idToken": "x", "type": "Central", "customData": CUSTOM}
            cp1.says(json.dumps([2, "a1", "Authorize", {"idToken": token, "customData": CUSTOM}]))
            (request,) = taken
            for data in (request.customData, request.idToken.customData):
                self.assertEqual(data, CUSTOM)
                self.assertEqual(list(data), list(CUSTOM))
                self.assertEqual(data.vendorId, "com.acme")
            (answer,) = cp1.hears()
            payload = {
                "idTokenInfo": {"status": "Accepted", "customData": CUSTOM},
                "customData": CUSTOM,
            }
            self.assertEqual(json.loads(answer), [3, "a1", payload])
            written = json.dumps(CUSTOM, ensure_ascii=False, separators=(",", ":"))
            self.assertEqual(answer.count(written), 2)

    def test_untouched_where_the_message_itself_is_mended(self) -> None:
        class Plugin(ActionPlugin):
            @on(v201.StatusNotificationRequest)
            def status(self, charge_point, request):
                taken.append(request.customData)
                return v201.StatusNotificationResponse()

        taken: list[Any] = []
        cp1 = wire(Plugin(), version="2.0.1")
        status = {"timestamp": "2026-01-02 03:04+02", "connectorStatus": "Available"}
        place = {"evseId": 1, "connectorId": 1}
        call = [2, "s1", "StatusNotification", {**status, **place, "customData": CUSTOM}]
        cp1.says(json.dumps(call))
        self.assertEqual(cp1.hears(), ['[3,"s1",{}]'])
        self.assertEqual(taken, [CUSTOM])

    def test_in_our_calls_and_their_answers(self) -> None:
        for package, cp1, _ in self.each():
            data = CustomDataType(CUSTOM)
            result = cp1.connection.call(package.ClearCacheRequest(customData=data))
            ((_, message_id, _, payload),) = map(json.loads, cp1.hears())
            self.assertEqual(payload, {"customData": CUSTOM})
            answer = {"status": "Accepted", "customData": CUSTOM}
            cp1.says(json.dumps([3, message_id, answer]))
            self.assertEqual(self.successResultOf(result).customData, CUSTOM)

    def test_without_a_vendor_it_is_refused(self) -> None:
        for _, cp1, taken in self.each():
            token = {"idToken": "x", "type": "Central"}
            call = [2, "a1", "Authorize", {"idToken": token, "customData": {"x": 1}}]
            cp1.says(json.dumps(call))
            ((kind, _, code, *_),) = map(json.loads, cp1.hears())
            self.assertEqual((kind, code, taken), (4, "OccurrenceConstraintViolation", []))
