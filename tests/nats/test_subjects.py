"""Subjects: any id makes a token, and comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.nats.subjects import (
    Subjects,
    charge_point_key,
    charge_point_of,
    token,
    untoken,
    version_token,
)


class Tokens(SynchronousTestCase):
    def test_plain_ones_stay(self) -> None:
        for text in ("CP1", "a_b-C", "0"):
            self.assertEqual(token(text), text)

    def test_others(self) -> None:
        for text, expected in {
            "": "=",
            "=": "=3D",
            "a.b": "a=2Eb",
            "*": "=2A",
            ">": "=3E",
            "a b": "a=20b",
            "ü/1:2": "=C3=BC=2F1=3A2",
        }.items():
            self.assertEqual(token(text), expected)
            self.assertEqual(untoken(expected), text)

    def test_what_is_none(self) -> None:
        for text in ("", "a.b", "=2", "=2e", "==", "=FF", "a\n", "ü"):
            with self.assertRaises(ValueError):
                untoken(text)

    @given(st.text(st.characters(codec="utf-8")))
    def test_any_text_comes_back(self, text: str) -> None:
        self.assertRegex(token(text), r"\A[A-Za-z0-9_=-]+\Z")
        self.assertEqual(untoken(token(text)), text)

    @given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
    def test_a_charge_point_comes_back(self, charge_point: str, name: str) -> None:
        identity = Identity(charge_point, name)
        self.assertEqual(charge_point_of(charge_point_key(identity)), identity)
        self.assertEqual(charge_point_key(identity).count("."), 1)


class AllSubjects(SynchronousTestCase):
    def test_versions(self) -> None:
        versions = [version_token(version) for version in ("1.6", "2.0", "2.0.1", "2.1")]
        self.assertEqual(versions, ["v16", "v20", "v201", "v21"])

    def test_subjects(self) -> None:
        subjects = Subjects("my.ocpp")
        self.assertEqual(
            [
                subjects.action("workers", "2.0.1", "Heartbeat"),
                subjects.actions("a.b"),
                subjects.result("workers", "1.6", "Reset"),
                subjects.results("workers"),
                subjects.online("workers"),
                subjects.offline("workers"),
                subjects.call("CP.1"),
                subjects.call(Identity("CP1", "depot")),
                subjects.fence("host-1"),
            ],
            [
                "my.ocpp.action.workers.v201.Heartbeat",
                "my.ocpp.action.a=2Eb.>",
                "my.ocpp.result.workers.v16.Reset",
                "my.ocpp.result.workers.>",
                "my.ocpp.online.workers",
                "my.ocpp.offline.workers",
                "my.ocpp.call.=.CP=2E1",
                "my.ocpp.call.depot.CP1",
                "my.ocpp.node.host-1.fence",
            ],
        )

    def test_a_prefix_that_cannot_be_used(self) -> None:
        for prefix in ("", "a..b", "a.", ">", "a b", "ü"):
            with self.assertRaisesRegex(ValueError, "is no prefix of subjects"):
                Subjects(prefix)
