"""Commands over HTTP, as transcripts: the request, the CALL on the wire, the response."""

from __future__ import annotations

from twisted.internet import reactor

from ocpp_twisted.identity import Identity
from ocpp_twisted.limits import Limits
from tests.plugins.http.case import API, HTTPTestCase
from tests.support import until

CALLS = f"{API}/charge-points/CP1/calls"


class CallTests(HTTPTestCase):
    async def test_a_call_and_its_result_go_through_as_they_are(self) -> None:
        await self.start()
        wire = self.online()
        asked = self.ask(
            "POST",
            CALLS,
            b'{"payload": {"value": "1.50", "key":  "A\\u00e9\\u000a"}, "action": '
            b'"ChangeConfiguration"}',
        )
        await until(lambda: wire.transport.sent, reactor)
        (sent,) = wire.hears()
        message_id = sent.split('"')[1]
        self.assertEqual(
            sent,
            f'[2,"{message_id}","ChangeConfiguration",{{"value":"1.50","key":"A\\u00e9\\u000a"}}]',
        )
        wire.says(f'[3, "{message_id}", {{ "status" :"Rejected"}}]')
        response = await asked
        self.assertEqual(response.status, 200)
        self.assertEqual(response["content-type"], "application/json")
        self.assertEqual(
            response.body, b'{"outcome":"CALLRESULT","payload":{ "status" :"Rejected"}}'
        )

    async def test_numbers_keep_their_spelling(self) -> None:
        await self.start()
        wire = self.online()
        limit = '{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":6.0}]}'
        profile = (
            '{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile",'
            f'"chargingProfileKind":"Relative","chargingSchedule":{limit}}}'
        )
        payload = f'{{"connectorId":0,"csChargingProfiles":{profile}}}'
        body = f'{{"action":"SetChargingProfile","payload":{payload}}}'
        asked = self.ask("POST", CALLS, body.encode())
        await until(lambda: wire.transport.sent, reactor)
        (sent,) = wire.hears()
        self.assertTrue(sent.endswith(f'"SetChargingProfile",{payload}]'), sent)
        wire.says(f'[3,"{sent.split(chr(34))[1]}",{{"status":"Accepted"}}]')
        await asked

    async def test_a_callerror_is_an_outcome(self) -> None:
        await self.start()
        wire = self.online()
        asked = self.call("ClearCache")
        message_id = await self.hears_call(wire)
        wire.says(f'[4,"{message_id}","NotSupported","not here",{{"a":[1]}}]')
        response = await asked
        self.assertEqual(response.status, 200)
        self.assertEqual(
            response.json,
            {
                "outcome": "CALLERROR",
                "errorCode": "NotSupported",
                "errorDescription": "not here",
                "errorDetails": {"a": [1]},
            },
        )

    async def test_a_charge_point_with_a_name_and_slashes(self) -> None:
        await self.start()
        wire = self.online(Identity("a/b ü", "depot 1"))
        path = f"{API}/charge-points/a%2Fb%20%C3%BC/calls?name=depot%201"
        asked = self.ask("POST", path, {"action": "ClearCache"})
        message_id = await self.hears_call(wire)
        wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        self.assertEqual((await asked).status, 200)

    async def test_a_client_that_goes_away_takes_what_was_not_sent_with_it(self) -> None:
        await self.start()
        wire = self.online()
        first = self.call("ClearCache")
        message_id = await self.hears_call(wire)
        for key, left in ({}, 0), ({"idempotency_key": "k"}, 1):
            asked = self.call("GetConfiguration", **key)
            await until(lambda: wire.connection._session.calls.queued, reactor)
            asked.cancel()
            await asked.addErrback(lambda failure: None)
            await until(lambda left=left: wire.connection._session.calls.queued == left, reactor)
        wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        wire.says(f'[3,"{await self.hears_call(wire)}",{{}}]')
        retry = await self.call("GetConfiguration", idempotency_key="k")
        self.assertEqual(((await first).status, retry.status), (200, 200))


class RefusedTests(HTTPTestCase):
    async def refused(self, body, *problem, path=None) -> str:
        response = await self.ask("POST", CALLS, body)
        self.assertEqual(response.problem, problem)
        self.assertEqual(response.json.get("path"), path)
        return response.json["detail"]

    async def test_what_the_schema_does_not_allow_is_not_sent(self) -> None:
        await self.start()
        wire = self.online()
        wrong = 400, "invalid-request"
        detail = await self.refused(
            {"action": "Reset", "payload": {"type": "Gentle"}}, *wrong, path="$.payload.type"
        )
        self.assertIn("Gentle", detail)
        await self.refused({"action": "Reset"}, *wrong, path="$.payload.type")
        await self.refused({"action": "Reset", "payload": []}, *wrong, path="$.payload")
        await self.refused({"action": "Rest", "payload": {}}, *wrong, path="$.action")
        await self.refused({"action": "Reset", "timeout": 0}, *wrong, path="$.timeout")
        await self.refused({"action": "Reset", "timeout": "1"}, *wrong, path="$.timeout")
        await self.refused({"payload": {}}, *wrong, path="$")
        detail = await self.refused({"action": "Reset", "paylod": {}}, *wrong, path="$.paylod")
        self.assertEqual(detail, "there is no field 'paylod'; there is action, payload, timeout")
        half = b'{"action":"DataTransfer","payload":{"data":["a","\\udc00"]}}'
        detail = await self.refused(half, *wrong, path="$.payload.data[1]")
        self.assertIn("surrogate", detail)
        await self.refused(b'{"action":"\\ud800"}', *wrong, path="$.action")
        await self.refused(b'{"action":"Reset","\\ud800":1}', *wrong, path="$")
        await self.refused(b"{", *wrong, path="$")
        await self.refused(b"", *wrong, path="$")
        await self.refused(b"\xff", *wrong, path="$")
        no_text = b'{"action":"Reset","payload":{"type":"\xff"}}'
        for headers in {}, {"idempotency_key": "k"}:
            response = await self.ask("POST", CALLS, no_text, **headers)
            self.assertEqual(response.problem, wrong)
        deep = b"[" * 200_000 + b"]" * 200_000
        await self.refused(b'{"action":"Reset","payload":' + deep + b"}", *wrong, path="$")
        self.assertEqual(wire.hears(), [])

    async def test_who_is_not_there(self) -> None:
        await self.start()
        body = {"action": "ClearCache"}
        await self.refused(body, 404, "unknown-charge-point")

    async def test_a_full_queue(self) -> None:
        await self.start(limits=Limits(queued_calls=1))
        wire = self.online()
        first = self.call("ClearCache")
        message_id = await self.hears_call(wire)
        waiting = self.call("GetConfiguration")
        await until(lambda: wire.connection._session.calls.queued, reactor)
        await self.refused({"action": "ClearCache"}, 429, "queue-full")
        for name, status in ((message_id, '{"status":"Accepted"}'), (None, "{}")):
            message_id = name or await self.hears_call(wire)
            wire.says(f'[3,"{message_id}",{status}]')
        self.assertEqual([(await first).status, (await waiting).status], [200, 200])

    async def test_no_answer_in_time(self) -> None:
        await self.start()
        self.online()
        response = await self.ask("POST", CALLS, {"action": "ClearCache", "timeout": 0.02})
        self.assertEqual(response.problem, (504, "timed-out"))
        self.assertIs(response.json["sent"], True)
        response = await self.ask("POST", CALLS, {"action": "ClearCache", "timeout": 0.001})
        self.assertEqual(response.problem, (504, "timed-out"))

    async def test_the_connection_is_lost_at_once(self) -> None:
        await self.start()
        wire = self.online()
        asked = self.call("ClearCache")
        await self.hears_call(wire)
        queued = self.call("GetConfiguration")
        await until(lambda: wire.connection._session.calls.queued, reactor)
        wire.connection.lost("gone")
        lost = await asked
        self.assertEqual(lost.problem, (502, "connection-lost"))
        self.assertIs(lost.json["sent"], True)
        self.assertEqual((await queued).problem, (409, "not-connected"))

    async def test_an_answer_that_is_none(self) -> None:
        await self.start()
        wire = self.online()
        asked = self.call("ClearCache")
        wire.says(f'[3,"{await self.hears_call(wire)}",{{"status":"Perhaps"}}]')
        self.assertEqual((await asked).problem, (502, "invalid-response"))

    async def test_who_was_rejected_is_not_called(self) -> None:
        await self.start()
        wire = self.online()
        wire.connection.remembered.registration.boot_answered("Rejected")
        await self.refused({"action": "ClearCache"}, 409, "call-not-allowed")
        self.assertEqual(wire.hears(), [])


class IdempotencyTests(HTTPTestCase):
    async def test_a_retry_gets_the_same_answer(self) -> None:
        await self.start()
        wire = self.online()
        first = self.call("ClearCache", idempotency_key="k")
        message_id = await self.hears_call(wire)
        second = self.call("ClearCache", idempotency_key="k")
        other = await self.call("GetConfiguration", idempotency_key="k")
        self.assertEqual(other.problem, (422, "key-reused"))
        wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        third = await self.call("ClearCache", idempotency_key="k")
        self.assertEqual({(await first).body, (await second).body}, {third.body})
        self.assertEqual(third.json["payload"], {"status": "Accepted"})
        self.assertEqual(wire.hears(), [])

    async def test_white_space_makes_no_other_request(self) -> None:
        await self.start()
        wire = self.online()
        first = self.ask("POST", CALLS, b'{"action":"ClearCache"}', idempotency_key="k")
        wire.says(f'[3,"{await self.hears_call(wire)}",{{"status":"Accepted"}}]')
        second = self.ask("POST", CALLS, b'{ "action": "ClearCache" }', idempotency_key="k")
        self.assertEqual((await first).body, (await second).body)

    async def test_what_was_not_sent_is_tried_again(self) -> None:
        await self.start()
        self.assertEqual((await self.call("ClearCache", idempotency_key="k")).status, 404)
        wire = self.online()
        asked = self.call("ClearCache", idempotency_key="k")
        wire.says(f'[3,"{await self.hears_call(wire)}",{{"status":"Accepted"}}]')
        self.assertEqual((await asked).status, 200)

    async def test_what_was_sent_is_not_tried_again(self) -> None:
        await self.start()
        wire = self.online()
        asked = self.call("ClearCache", idempotency_key="k")
        await self.hears_call(wire)
        wire.connection.lost("gone")
        self.assertEqual((await asked).status, 502)
        again = self.online()
        retry = await self.call("ClearCache", idempotency_key="k")
        self.assertEqual(retry.problem, (502, "connection-lost"))
        self.assertEqual(again.hears(), [])

    async def test_keys_that_are_none(self) -> None:
        await self.start()
        self.online()
        for key in ("", "k" * 256):
            refused = await self.call("ClearCache", idempotency_key=key)
            self.assertEqual(refused.problem, (400, "invalid-request"))
