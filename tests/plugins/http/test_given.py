"""Ids that the server gives out where a command lacks one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.ocppj.catalogue import Sender
from ocpp_twisted.plugins.http.given import GIVEN, with_id, without_id
from ocpp_twisted.versions import CATALOGUES
from tests.plugins.http.case import API, HTTPTestCase
from tests.plugins.http.memory import MemoryRecords
from tests.support import Wire, until

CALLS = f"{API}/charge-points/CP1/calls"
RESERVE = '{"connectorId":1,"expiryDate":"2031-01-01T00:00:00.0Z","idTag":"RED"}'


class GivenTests(HTTPTestCase):
    async def start_with_records(self, version: str = "1.6") -> Wire:
        self.records = MemoryRecords()
        await self.start([self.records])
        return self.online(version=version)

    async def test_the_id_is_the_last_member_and_the_rest_stays(self) -> None:
        wire = await self.start_with_records()
        asked = self.ask("POST", CALLS, f'{{"action":"ReserveNow","payload":{RESERVE}}}'.encode())
        await until(lambda: wire.transport.sent, reactor)
        (sent,) = wire.hears()
        self.assertTrue(sent.endswith(f'{RESERVE[:-1]},"reservationId":1}}]'), sent)
        wire.says(f'[3,"{sent.split(chr(34))[1]}",{{"status":"Accepted"}}]')
        answer = (
            b'{"outcome":"CALLRESULT","payload":{"status":"Accepted"},"given":{"reservationId":1}}'
        )
        self.assertEqual((await asked).body, answer)

    async def test_an_id_that_is_there_stays(self) -> None:
        wire = await self.start_with_records()
        asked = self.call("ReserveNow", {**json.loads(RESERVE), "reservationId": 7})
        wire.says(f'[3,"{await self.hears_call(wire)}",{{"status":"Accepted"}}]')
        self.assertNotIn("given", (await asked).json)

    async def test_v20_has_it_in_an_object(self) -> None:
        wire = await self.start_with_records("2.0")
        reservation = {"evse": {"id": 1}, "expiryDateTime": "2031-01-01T00:00:00Z"}
        token = {"idToken": "RED", "type": "Central"}
        asked = self.call("ReserveNow", {"reservation": reservation, "idToken": token})
        await until(lambda: wire.transport.sent, reactor)
        (sent,) = wire.hears()
        self.assertEqual(json.loads(sent)[3]["reservation"], {**reservation, "id": 1})
        wire.says(f'[4,"{sent.split(chr(34))[1]}","GenericError","",{{}}]')
        answer = (await asked).json
        self.assertEqual((answer["errorCode"], answer["given"]), ("GenericError", {"id": 1}))

    async def test_who_gets_no_answer_knows_the_id(self) -> None:
        wire = await self.start_with_records("2.0.1")
        payload = {"reportBase": "FullInventory"}
        asked = self.call("GetBaseReport", payload)
        await self.hears_call(wire)
        wire.connection.lost("gone")
        lost = (await asked).json
        self.assertEqual((lost["sent"], lost["given"]), (True, {"requestId": 1}))

    async def test_without_records(self) -> None:
        await self.start()
        self.online()
        refused = await self.call("ReserveNow", json.loads(RESERVE))
        self.assertEqual(refused.problem, (400, "invalid-request"))
        self.assertEqual(refused.json["path"], "$.payload.reservationId")

    async def test_records_that_cannot_be_reached(self) -> None:
        wire = await self.start_with_records()
        self.records.healthy = False
        refused = await self.call("ReserveNow", json.loads(RESERVE), idempotency_key="k")
        self.assertEqual(refused.problem, (503, "records-unavailable"))
        self.assertEqual(wire.hears(), [])
        self.records.healthy = True
        asked = self.call("ReserveNow", json.loads(RESERVE), idempotency_key="k")
        wire.says(f'[3,"{await self.hears_call(wire)}",{{"status":"Accepted"}}]')
        again = await self.call("ReserveNow", json.loads(RESERVE), idempotency_key="k")
        self.assertEqual((await asked).body, again.body)

    async def test_who_is_not_connected(self) -> None:
        self.records = MemoryRecords()
        await self.start([self.records])
        refused = await self.call("ReserveNow", json.loads(RESERVE))
        self.assertEqual(refused.problem, (404, "unknown-charge-point"))


class TableTests(SynchronousTestCase):
    def test_each_is_required_and_a_number(self) -> None:
        for version, actions in GIVEN.items():
            for action, path in actions.items():
                kind: Any = CATALOGUES[version].actions[action].request
                for name in path:
                    fields = {field.name: field for field in msgspec.structs.fields(kind)}
                    self.assertTrue(fields[name].required, (version, action))
                    kind = fields[name].type
                self.assertIn("int", str(kind), (version, action))

    def test_every_request_id_of_ours_is_there(self) -> None:
        for version, catalogue in CATALOGUES.items():
            required = {
                name
                for name, action in catalogue.actions.items()
                if action.sent_by is Sender.CENTRAL_SYSTEM
                for field in msgspec.structs.fields(action.request)
                if field.required and field.name in ("requestId", "remoteStartId")
            }
            self.assertEqual(required, GIVEN[version].keys() - {"ReserveNow"}, version)


class PayloadTests(SynchronousTestCase):
    def test_where_the_id_goes(self) -> None:
        for payload, expected in (
            (b"{}", b'{"id":5}'),
            (b" { } ", b' {"id":5}'),
            (b'{"a": "}" , "b":[1.50]}\n', b'{"a": "}" , "b":[1.50],"id":5}'),
            (b'{"\\u00e9":{"id":1}}', b'{"\\u00e9":{"id":1},"id":5}'),
        ):
            self.assertTrue(without_id(payload, ("id",)))
            self.assertEqual(expected, with_id(payload, ("id",), 5))

    def test_what_needs_none(self) -> None:
        for payload in (b'{"id":0}', b'{"i\\u0064":null}', b"[]", b"{", b"", b'"id"'):
            self.assertFalse(without_id(payload, ("id",)), payload)
        for payload in (b"{}", b'{"r":1}', b'{"r":{"id":1}}'):
            self.assertFalse(without_id(payload, ("r", "id")), payload)
