"""The OpenAPI document: it names everything that is served, and its schemas are schemas."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator

from tests.plugins.http.case import API, HTTPTestCase
from tests.plugins.http.memory import MemoryRecords


class OpenAPITests(HTTPTestCase):
    async def asked(self) -> dict[str, Any]:
        await self.start([MemoryRecords()])
        self.document = (await self.ask("GET", "/openapi.json")).json
        return self.document

    def validator(self, name: str) -> Draft202012Validator:
        schema = {"$ref": f"#/components/schemas/{name}", **self.document}
        return Draft202012Validator(schema)

    async def test_its_references_and_schemas(self) -> None:
        document = await self.asked()
        schemas = document["components"]["schemas"]
        for name, schema in schemas.items():
            Draft202012Validator.check_schema(schema)
            self.assertRegex(name, r"^[A-Za-z0-9._-]+$")
        references = re.findall(r'"\$ref": "#/components/schemas/([^"]*)"', json.dumps(document))
        self.assertEqual(set(references) - set(schemas), set())

    async def test_every_path_is_served_with_its_methods(self) -> None:
        document = await self.asked()
        for path, methods in document["paths"].items():
            served = await self.ask("OPTIONS", path.replace("{", "").replace("}", ""))
            allowed = {name.lower() for name in served["allow"].split(", ")}
            self.assertEqual(allowed - {"head", "options"}, set(methods), path)
            for method, described in methods.items():
                named = [one["name"] for one in described.get("parameters", ())]
                for parameter in re.findall(r"{(\w+)}", path):
                    self.assertIn(parameter, named, (method, path))
        ids = [
            described["operationId"]
            for methods in document["paths"].values()
            for described in methods.values()
        ]
        self.assertEqual(len(ids), len(set(ids)))

    async def test_a_call(self) -> None:
        document = await self.asked()
        call = document["paths"][f"{API}/charge-points/{{id}}/calls"]["post"]
        self.assertEqual(
            set(call["responses"]),
            {
                *("200", "400", "401", "403", "404", "409", "413", "415", "422", "429"),
                *("500", "502", "503", "504"),
            },
        )
        close = document["paths"][f"{API}/transactions/{{id}}/close"]["post"]
        self.assertEqual({"413", "415"} & set(close["responses"]), set())
        named = {one["name"]: one["in"] for one in call["parameters"]}
        self.assertEqual(named, {"id": "path", "name": "query", "Idempotency-Key": "header"})
        call = self.validator("Call")
        self.assertTrue(call.is_valid({"action": "Reset", "payload": {"type": "Soft"}}))
        self.assertFalse(call.is_valid({"payload": {}}))
        self.assertFalse(call.is_valid({"action": "Reset", "timeout": 0}))
        given = {"outcome": "CALLRESULT", "payload": {}, "given": {"reservationId": 17}}
        self.assertTrue(self.validator("CallResult").is_valid(given))
        self.assertFalse(self.validator("CallResult").is_valid({**given, "given": 17}))
        described = document["components"]["schemas"]["CallError"]["properties"]["given"]
        self.assertIn("the id that was given out", described["description"])

    async def test_docstrings_become_descriptions(self) -> None:
        document = await self.asked()
        self.assertNotIn(":ivar", json.dumps(document))
        call = document["components"]["schemas"]["Call"]
        self.assertEqual(call["description"], "A command.")
        self.assertIn("seconds until the call", call["properties"]["timeout"]["description"])
        listed = document["paths"][f"{API}/transactions"]["get"]["parameters"]
        (since,) = [one for one in listed if one["name"] == "since"]
        self.assertEqual(since["schema"], {"type": "string", "format": "date-time"})
        self.assertIn("at this time or later", since["description"])

    async def test_what_is_answered_is_as_described(self) -> None:
        await self.asked()
        self.online()
        one = (await self.get("/charge-points/CP1")).json
        self.validator("ChargePointState").validate(one)
        problem = (await self.get("/charge-points/CP2")).json
        self.validator("ProblemDetails").validate(problem)
