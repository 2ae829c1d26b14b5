"""Records over HTTP: charge points, id tags, transactions, and what charge points told."""

from __future__ import annotations

from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ocpp_twisted.identity import Identity
from ocpp_twisted.records import (
    ChargePoint,
    ChargingProfile,
    Event,
    Fact,
    IRecords,
    MeterSample,
    Reservation,
    Transaction,
)
from tests.plugins.http.case import API, HTTPTestCase
from tests.plugins.http.memory import NOW, MemoryRecords

TAG = {
    "idTag": "RED",
    "status": "Accepted",
    "expiryDate": None,
    "parentIdTag": None,
    "maxTransactions": None,
}


class MemoryTests(SynchronousTestCase):
    def test_it_keeps_to_the_interface(self) -> None:
        verifyObject(IRecords, MemoryRecords())


class RecordsCase(HTTPTestCase):
    async def started(self) -> MemoryRecords:
        self.records = MemoryRecords()
        await self.start([self.records])
        return self.records

    def put(self, path, body):
        return self.ask("PUT", API + path, body)

    def post(self, path, body=None, **headers):
        return self.ask("POST", API + path, body, **headers)

    def delete(self, path):
        return self.ask("DELETE", API + path)

    async def refused(self, asked, *problem, path=None) -> str:
        response = await asked
        self.assertEqual(response.problem, problem)
        self.assertEqual(response.json.get("path"), path)
        return response.json["detail"]


class ChargePointTests(RecordsCase):
    async def test_who_is_connected(self) -> None:
        await self.start()
        for identity in (Identity("b"), Identity("a", "z"), Identity("c"), Identity("a")):
            self.online(identity)
        first = (await self.get("/charge-points?limit=3")).json
        self.assertEqual([one["id"] for one in first["items"]], ["a", "b", "c"])
        second = (await self.get(f"/charge-points?limit=3&after={first['next']}")).json
        self.assertIsNone(second["next"])
        (last,) = second["items"]
        self.assertEqual((last["id"], last["name"], last["version"]), ("a", "z", "1.6"))
        self.assertEqual((last["connected"], last["peer"]), (True, "memory"))
        self.assertEqual((await self.get("/charge-points?connected=false")).json["items"], [])

    async def test_what_it_does_wrong(self) -> None:
        await self.start()
        charge_point = self.online()
        self.assertEqual((await self.get("/charge-points/CP1")).json["repairs"], [])
        for number in (1, 2):
            charge_point.says(f'[2,"{number}","Heartbeat",null]')
        (repair,) = (await self.get("/charge-points/CP1")).json["repairs"]
        wrong = {"kind": "null-payload", "action": "Heartbeat", "path": "$"}
        self.assertEqual(repair, {**wrong, "count": 2})
        (listed,) = (await self.get("/charge-points")).json["items"]
        self.assertNotIn("repairs", listed)

    async def test_who_is_known(self) -> None:
        records = await self.started()
        for name in ("CP1", "CP2"):
            records.charge_points[Identity(name)] = ChargePoint(
                id=name, vendorName="ACME", version="2.1", lastSeen=NOW
            )
        self.online("CP2")

        async def ids(query):
            page = (await self.get(f"/charge-points{query}")).json
            return [(one["id"], one["connected"], one["version"]) for one in page["items"]]

        first, second = ("CP1", False, "2.1"), ("CP2", True, "1.6")
        self.assertEqual(await ids(""), [first, second])
        self.assertEqual(await ids("?connected=true"), [second])
        self.assertEqual(await ids("?connected=false"), [first])
        self.assertEqual(await ids("?limit=1&after=1"), [second])
        one = (await self.get("/charge-points/CP1")).json
        self.assertEqual((one["vendorName"], one["lastSeen"]), ("ACME", "2026-01-02T03:04:05Z"))
        wrong = self.get("/charge-points?after=x")
        await self.refused(wrong, 400, "invalid-request", path="after")

    async def test_a_charge_point_is_entered_and_forgotten(self) -> None:
        await self.started()
        path = "/charge-points/CP%2F1?name=depot"
        await self.refused(self.get(path), 404, "unknown-charge-point")
        entered = await self.put(path, {"admission": "Pending"})
        self.assertEqual((entered.status, entered.json["admission"]), (200, "Pending"))
        self.assertEqual((await self.get(path)).json, entered.json)
        calls = self.post("/charge-points/CP%2F1/calls?name=depot", {"action": "ClearCache"})
        await self.refused(calls, 409, "not-connected")
        wrong = self.put(path, {"admission": "Perhaps"})
        await self.refused(wrong, 400, "invalid-request", path="$.admission")
        self.assertEqual((await self.delete(path)).status, 204)
        await self.refused(self.delete(path), 404, "unknown-charge-point")

    async def test_an_id_with_which_nobody_can_connect(self) -> None:
        await self.started()
        for identity in ("a%00b", "a%0ab", "x" * 256):
            response = await self.ask("PUT", f"{API}/charge-points/{identity}", {})
            self.assertEqual(response.problem, (400, "invalid-request"))

    async def test_a_connection_is_closed(self) -> None:
        await self.start()
        wire = self.online()
        closed = await self.delete("/charge-points/CP1/connection")
        self.assertEqual((closed.status, closed.body), (204, b""))
        self.assertEqual(wire.transport.closed, (1000, "closed by the operator"))
        wire.connection.lost("gone")
        again = self.delete("/charge-points/CP1/connection")
        await self.refused(again, 404, "unknown-charge-point")


class IdTagTests(RecordsCase):
    async def test_one(self) -> None:
        await self.started()
        path = "/id-tags/RED"
        await self.refused(self.get(path), 404, "not-found")
        entered = await self.put(path, {})
        self.assertEqual((entered.status, entered.json), (200, TAG))
        past = {**TAG, "expiryDate": "2001-02-03T04:05:06+02:00", "maxTransactions": 0}
        entered = await self.put(path, past)
        self.assertEqual(entered.json["expiryDate"], "2001-02-03T04:05:06+02:00")
        self.assertEqual((await self.get("/id-tags/red")).json, entered.json)
        self.assertEqual((await self.get("/id-tags")).json, {"items": [entered.json], "next": None})
        self.assertEqual((await self.delete(path)).status, 204)
        await self.refused(self.delete(path), 404, "not-found")

    async def test_what_is_not_valid(self) -> None:
        await self.started()
        for body, path in (
            ({"status": "Perhaps"}, "$.status"),
            ({"idTag": "BLUE"}, "$.idTag"),
            ({"expiryDate": "tomorrow"}, "$.expiryDate"),
            ({"expiryDate": "2001-02-03T04:05:06"}, "$.expiryDate"),
            ({"maxTransactions": -1}, "$.maxTransactions"),
        ):
            await self.refused(self.put("/id-tags/RED", body), 400, "invalid-request", path=path)
        nul = self.put("/id-tags/A%00", {})
        await self.refused(nul, 400, "invalid-request", path="idTag")
        long = self.put(f"/id-tags/{'x' * 256}", {})
        await self.refused(long, 400, "invalid-request", path="idTag")
        self.assertEqual(self.records.tags, {})

    async def test_many_as_json(self) -> None:
        await self.started()
        entered = await self.post("/id-tags", [{"idTag": "RED"}, {"idTag": "BLUE"}])
        self.assertEqual(entered.json, {"entered": 2, "new": 2})
        entered = await self.post("/id-tags", [{"idTag": "red"}, {"idTag": "GREEN"}])
        self.assertEqual(entered.json, {"entered": 2, "new": 1})
        wrong = self.post("/id-tags", [{"idTag": "A"}, {"idTag": ""}])
        await self.refused(wrong, 400, "invalid-request", path="$[1].idTag")
        wrong = self.post("/id-tags", [{"idTag": "A"}, {"idTag": "B", "statu": "Blocked"}])
        detail = await self.refused(wrong, 400, "invalid-request", path="$[1].statu")
        self.assertIn("there is idTag, status, expiryDate", detail)
        twice = self.post("/id-tags", [{"idTag": "A"}, {"idTag": "a"}])
        await self.refused(twice, 400, "invalid-request", path="$[1].idTag")
        self.assertEqual(list(self.records.tags), ["red", "blue", "green"])

    async def csv(self, text: str):
        return await self.post("/id-tags", text.encode(), content_type="text/csv; charset=utf-8")

    async def test_many_as_csv(self) -> None:
        await self.started()
        comma = 'RED,,,\r\n\r\n"A,B",Blocked,2001-02-03T04:05:06Z,2\r\n'
        semicolon = "RED;;;\n;; ;\nA,B;Blocked;2001-02-03T04:05:06Z;2\n"
        for text in (
            f"idTag,status,expiryDate,maxTransactions\r\n{comma}",
            f"\ufeffidTag;status;expiryDate;maxTransactions\n{semicolon}",
        ):
            self.records.tags.clear()
            self.assertEqual((await self.csv(text)).json, {"entered": 2, "new": 2})
            red, other = (await self.get("/id-tags")).json["items"]
            self.assertEqual(red, TAG)
            self.assertEqual(
                other,
                {
                    "idTag": "A,B",
                    "status": "Blocked",
                    "expiryDate": "2001-02-03T04:05:06Z",
                    "parentIdTag": None,
                    "maxTransactions": 2,
                },
            )

    async def test_csv_that_is_not_valid(self) -> None:
        await self.started()
        for text, path, wrong in (
            ("", "line 1", "names of columns"),
            ("RED\n", "line 1", "names of columns"),
            ("idTag,colour\n", "line 1", "names of columns"),
            ("idTag,status\nRED,Accepted\nBLUE,Perhaps\n", "line 3", "in status"),
            ("idTag,status\nRED\n", "line 2", "1 values for 2 columns"),
            ('idTag\n"RED\n', "line 2", "no CSV"),
            ("idTag\nRED\n\nred\n", "line 4", "twice"),
            ("idTag,status,idTag\nRED,Blocked,BLUE\n", "line 1", "a column stands there twice"),
        ):
            response = await self.csv(text)
            self.assertEqual(response.problem, (400, "invalid-request"), text)
            self.assertEqual(response.json["path"], path)
            self.assertIn(wrong, response.json["detail"])
        latin = self.post("/id-tags", b"idTag\n\xfc\n", content_type="text/csv")
        await self.refused(latin, 400, "invalid-request")
        self.assertEqual(self.records.tags, {})


def transaction(number: int, **more) -> Transaction:
    fields = {"chargePoint": "CP1", "name": "", "version": "1.6", "started": NOW, **more}
    return Transaction(id=number, transactionId=40 + number, **fields)


class TransactionTests(RecordsCase):
    async def started(self) -> MemoryRecords:
        records = await super().started()
        for one in (
            transaction(1, idTag="RED"),
            transaction(2, idTag="BLUE", stopped=NOW, chargePoint="CP2"),
            transaction(3, idTag="RED", name="depot", started=NOW + timedelta(hours=1)),
        ):
            records.transactions[one.id] = one
        return records

    async def test_which(self) -> None:
        await self.started()
        for query, numbers in (
            ("", [1, 2, 3]),
            ("?chargePoint=CP1", [1]),
            ("?chargePoint=CP1&name=depot", [3]),
            ("?idTag=RED", [1, 3]),
            ("?open=true", [1, 3]),
            ("?open=false", [2]),
            ("?since=2026-01-02T03:30:00Z", [3]),
            ("?until=2026-01-02T03:30:00Z", [1, 2]),
            ("?limit=2&after=1", [2, 3]),
        ):
            page = (await self.get(f"/transactions{query}")).json
            self.assertEqual([one["id"] for one in page["items"]], numbers, query)
        nameless = self.get("/transactions?name=depot")
        await self.refused(nameless, 400, "invalid-request", path="chargePoint")

    async def test_one_and_its_end(self) -> None:
        await self.started()
        one = (await self.get("/transactions/1")).json
        self.assertEqual((one["transactionId"], one["idTag"], one["stopped"]), (41, "RED", None))
        closed = await self.post("/transactions/1/close")
        self.assertEqual(closed.json["closed"], "2026-01-02T03:04:05Z")
        self.assertEqual((await self.get("/transactions/1")).json, closed.json)
        for path in ("/transactions/9", "/transactions/x", "/transactions/%C2%B2"):
            await self.refused(self.get(path), 404, "not-found")
        await self.refused(self.post("/transactions/9/close"), 404, "not-found")

    async def test_meter_values(self) -> None:
        records = await self.started()
        records.samples[1] = [
            MeterSample(
                timestamp=NOW,
                value=value,
                measurand="Energy.Active.Import.Register",
                context="Sample.Periodic",
                location="Outlet",
                unit="Wh",
                signed=signed,
            )
            for value, signed in ((10.5, None), ("ab", {"encodingMethod": 'a"b'}))
        ]
        page = (await self.get("/transactions/1/meter-values")).json
        self.assertEqual([one["value"] for one in page["items"]], [10.5, "ab"])
        table = await self.get("/transactions/1/meter-values?format=csv&limit=1")
        self.assertEqual(table["content-type"], "text/csv; charset=utf-8")
        self.assertEqual(table["link"], '<?format=csv&limit=1&after=1>; rel="next"')
        self.assertEqual(
            table.body.decode(),
            "timestamp,value,measurand,phase,location,context,unit,signed\r\n"
            "2026-01-02T03:04:05Z,10.5,Energy.Active.Import.Register,,Outlet,Sample.Periodic,Wh,\r\n",
        )
        rest = await self.get("/transactions/1/meter-values?format=csv&limit=1&after=1")
        self.assertIsNone(rest["link"])
        self.assertIn(b'"{""encodingMethod"":""a\\""b""}"', rest.body)
        self.assertEqual((await self.get("/transactions/2/meter-values")).json["items"], [])
        await self.refused(self.get("/transactions/9/meter-values"), 404, "not-found")


class ToldTests(RecordsCase):
    async def test_what_charge_points_told(self) -> None:
        records = await self.started()
        who = {"chargePoint": "CP1", "name": ""}
        records.reservations = [
            Reservation(id=1, reservationId=7, idTag="A", expiryDate=NOW, status="Used", **who)
        ]
        records.profiles = [
            ChargingProfile(
                id=1,
                evseId=0,
                chargingProfileId=3,
                stackLevel=0,
                chargingProfilePurpose="TxProfile",
                profile={"a": 1},
                timestamp=NOW,
                **who,
            )
        ]
        records.events = [
            Event(id=number, kind=kind, timestamp=NOW, data={}, **who)
            for number, kind in enumerate(("NotifyEvent", "SecurityEventNotification"))
        ]
        records.facts = [
            Fact(kind=kind, key="", timestamp=NOW, data=data, **who)
            for kind, data in (
                ("configuration", {"key": "WifiPassword", "value": "hush"}),
                ("certificate", {"serialNumber": "1"}),
            )
        ]
        for path, count in (
            ("/reservations", 1),
            ("/reservations?active=true", 0),
            ("/reservations?active=false&chargePoint=CP1", 1),
            ("/reservations?chargePoint=CP2", 0),
            ("/charging-profiles", 1),
            ("/charging-profiles?chargePoint=CP2", 0),
            ("/security-events", 1),
            ("/security-events?until=2026-01-01T00:00:00Z", 0),
            ("/security-events?chargePoint=CP2", 0),
            ("/charge-points/CP1/facts", 2),
            ("/charge-points/CP1/facts?kind=certificate", 1),
            ("/charge-points/CP1/facts?kind=log", 0),
            ("/charge-points/CP1/facts?name=depot", 0),
            ("/charge-points/CP2/facts", 0),
        ):
            self.assertEqual(len((await self.get(path)).json["items"]), count, path)
        (event,) = (await self.get("/security-events")).json["items"]
        self.assertEqual(event["kind"], "SecurityEventNotification")
        password, certificate = (await self.get("/charge-points/CP1/facts")).json["items"]
        self.assertEqual(password["data"], {"key": "WifiPassword", "value": "***"})
        self.assertEqual(certificate["data"], {"serialNumber": "1"})


class WithoutRecordsTests(RecordsCase):
    async def test_there_are_none(self) -> None:
        await self.start()
        for path in (
            "/id-tags",
            "/id-tags/RED",
            "/transactions",
            "/transactions/1",
            "/reservations",
            "/charging-profiles",
            "/security-events",
            "/charge-points/CP1/facts",
        ):
            detail = await self.refused(self.get(path), 501, "no-records")
            self.assertIn("--action-plugin", detail)
        await self.refused(self.put("/charge-points/CP1", {}), 501, "no-records")

    async def test_they_fail(self) -> None:
        records = await self.started()
        self.patch(records, "get_transaction", lambda number: 1 / 0)
        response = await self.get("/transactions/1")
        self.assertEqual(response.problem, (500, "internal-error"))
        self.assertNotIn(b"division", response.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_they_cannot_be_reached(self) -> None:
        records = await self.started()
        records.healthy = False
        for path in ("/id-tags", "/charge-points", "/transactions/1"):
            response = await self.get(path)
            self.assertEqual(response.problem, (503, "records-unavailable"))
            self.assertEqual(response["retry-after"], "5")
        # Whether it has ever been here, nobody can say.
        self.assertEqual((await self.call("ClearCache")).problem, (409, "not-connected"))
