"""Faults by name, and messages that are made wrong."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.simulator.faults import FAULTS, Fault, fault_of_words
from ocpp_twisted.simulator.spoiling import SPOILING, spoiled

CALL = b'[2,"1","Authorize",{"idTag":"RED"}]'
RESULT = b'[3,"1",{"status":"Accepted"}]'


class FaultTests(SynchronousTestCase):
    def refused(self, words: str) -> str:
        return str(self.assertRaises(ValueError, fault_of_words, words.split()))

    def test_each_has_its_defaults(self) -> None:
        for name in FAULTS:
            self.assertEqual(Fault.of(name).name, name)
        self.assertEqual(Fault.of("answer-late").seconds, 60)
        self.assertEqual(Fault.of("half-open").alive, 30)

    def test_as_people_write_it(self) -> None:
        fault = fault_of_words(["answer-late", "seconds=20", "share=0.5"])
        self.assertEqual((fault.seconds, fault.share), (20, 0.5))
        self.assertEqual(fault_of_words(["off-spec", "way=truncated"]).way, "truncated")

    def test_as_people_read_it(self) -> None:
        self.assertEqual(str(Fault.of("off-spec")), "off-spec share=1.0")
        self.assertEqual(str(Fault.of("half-open")), "half-open alive=30.0 seconds=30.0")

    def test_what_is_wrong_is_said(self) -> None:
        for words, said in (
            ("never-anwser", "there is no fault 'never-anwser'; did you mean never-answer?"),
            ("sulk", "there is no fault 'sulk'; there are: never-answer, answer-late, "),
            ("never-answer seconds=1", "never-answer has no parameter 'seconds'; it has share"),
            ("never-answer share", "'share' is no parameter: write it like seconds=20"),
            ("never-answer share=half", "share is a number, not 'half'"),
            ("never-answer share=2", "share is at most 1, which is all, not 2.0"),
            ("answer-late seconds=-1", "seconds is a number, 0 or more, not -1.0"),
            ("answer-late seconds=inf", "seconds is a number, 0 or more, not inf"),
            ("answer-late seconds=nan", "seconds is a number, 0 or more, not nan"),
            ("off-spec way=odd", "there is no way 'odd'; there are: truncated, "),
        ):
            self.assertIn(said, self.refused(words))


class SpoiledTests(SynchronousTestCase):
    def test_exactly(self) -> None:
        for way, expected in (
            ("not-json", b"[2,'1','Authorize',{'idTag':'RED'}]"),
            ("not-utf-8", b'[2,"1","Authorize",{"idTag":"RED"},"\xff"]'),
            ("no-array", b'{"message":[2,"1","Authorize",{"idTag":"RED"}]}'),
            ("empty", b"[]"),
            ("unknown-type", b'[9,"1","Authorize",{"idTag":"RED"}]'),
            ("type-as-text", b'["2","1","Authorize",{"idTag":"RED"}]'),
            ("surplus-element", b'[2,"1","Authorize",{"idTag":"RED"},{}]'),
            ("missing-element", b'[2,"1","Authorize"]'),
            ("unknown-action", b'[2,"1","AuthorizeNow",{"idTag":"RED"}]'),
            ("four-elements", b'[4,"1","GenericError",""]'),
            ("unknown-code", b'[4,"1","SomethingElse","",{}]'),
            ("null-payload", b'[2,"1","Authorize",null]'),
            ("payload-as-text", b'[2,"1","Authorize","{\\"idTag\\": \\"RED\\"}"]'),
            ("unknown-field", b'[2,"1","Authorize",{"idTag":"RED","vendorExtra":1}]'),
            ("missing-field", b'[2,"1","Authorize",{}]'),
            ("null-field", b'[2,"1","Authorize",{"idTag":null}]'),
            ("wrong-type", b'[2,"1","Authorize",{"idTag":{}}]'),
        ):
            self.assertEqual(spoiled(CALL, way, Random(1)), expected)

    def test_all_of_them_of_any_message(self) -> None:
        for way in SPOILING:
            for message in (
                CALL,
                RESULT,
                b'[4,"1","NotSupported","",{}]',
                b'[2,"1","Heartbeat",{}]',
            ):
                self.assertNotEqual(spoiled(message, way, Random(1)), message, way)

    def test_chance_decides_and_can_be_repeated(self) -> None:
        made = [[spoiled(CALL, "", Random(seed)) for seed in range(100)] for _ in range(2)]
        self.assertEqual(made[0], made[1])
        self.assertGreater(len(set(made[0])), 15)
