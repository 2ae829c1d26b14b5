"""Every message accepts, refuses and gives back what its JSON schema says.

jsonschema judges each payload by the schema's own draft; the catalogue must agree. Where it
deliberately does not is in `tests.messages.test_differences` and docs/deviations.md.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import CallFault
from ocpp_twisted.ocppj import times
from tests.messages import payloads
from tests.messages.schemas import ABSENT, Message, messages

few = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class SchemaTests:
    """What holds for the messages of any version."""

    package: str
    skip = ABSENT

    def test_accepts_what_is_valid_and_gives_it_back(self: Any) -> None:
        for message in messages(self.package):
            self._check_valid(message)

    def _check_valid(self: Any, message: Message) -> None:
        @few
        @given(payloads.valid(message))
        def check(payload: Any) -> None:
            text = json.dumps(payload, ensure_ascii=False).encode()
            assert message.is_valid(text), f"{message}: not a valid example: {payload}"
            written = message.catalogue.write(message.read(text))
            assert _same(json.loads(written), json.loads(text)), f"{message}: {written!r}"

        check()

    def test_every_place_changed_is_judged_as_the_schema_judges_it(self: Any) -> None:
        seen: set[str] = set()
        for message in messages(self.package):
            for change in payloads.changes(message, seen):
                text = json.dumps(change.value).encode()
                valid = message.is_valid(text)
                try:
                    message.read(text)
                except CallFault as fault:
                    self.assertFalse(valid, f"{message}: {change} is valid, but: {fault}")
                    code = message.catalogue.rules.codes[change.fault]
                    self.assertEqual(fault.code, code, f"{message}: {change}: {fault}")
                else:
                    self.assertTrue(valid, f"{message}: {change} was accepted")

    def test_payloads_that_are_no_objects(self: Any) -> None:
        for message in messages(self.package):
            for text in (b"[]", b'"x"', b"1", b"true", b"", b"{", b"\xff"):
                fault = self.assertRaises(CallFault, message.read, text)
                self.assertIn(fault.code, ("FormatViolation",), message)


class SchemaTests16(SchemaTests, SynchronousTestCase):
    package = "v16"


class SchemaTests20(SchemaTests, SynchronousTestCase):
    package = "v20"


class SchemaTests201(SchemaTests, SynchronousTestCase):
    package = "v201"


class SchemaTests21(SchemaTests, SynchronousTestCase):
    package = "v21"


def _same(ours: Any, theirs: Any) -> bool:
    """Whether two JSON values are the same; times, if they are the same up to the millisecond."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(
            _same(ours[name], theirs[name]) for name in ours
        )
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if isinstance(ours, str) and isinstance(theirs, str) and ours != theirs:
        moment = times.read(theirs)
        cut = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return ours.endswith("Z") and times.read(ours) == cut
    return type(ours) is type(theirs) and bool(ours == theirs)
