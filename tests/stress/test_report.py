"""The result as people and as programs read it, and what is told meanwhile."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from collections import Counter

import jsonschema
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.stress.options import parse
from ocpp_twisted.stress.progress import Progress
from ocpp_twisted.stress.report import as_json, as_text, milliseconds
from ocpp_twisted.stress.run import Result
from ocpp_twisted.stress.tally import Tally

COUNT = {"type": "integer", "minimum": 0}
NUMBER = {"type": "number", "minimum": 0}
REASONS = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}


def an_object(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TIMES = an_object(
    **dict.fromkeys(("count", "minimum", "p50", "p90", "p99", "p99.9", "maximum"), COUNT),
    mean=NUMBER,
    buckets={"type": "array", "items": {"type": "array", "items": COUNT, "minItems": 3}},
)
#: What docs/stress.md promises.
SCHEMA = an_object(
    good={"type": "boolean"},
    complete={"type": "boolean"},
    troubles={"type": "array", "items": {"type": "string"}},
    versions=an_object(
        **{key: {"type": "string"} for key in ("ocpp_twisted", "python", "twisted", "system")}
    ),
    options={"type": "object", "required": ["url", "connections", "rate", "duration", "version"]},
    seconds=NUMBER,
    connections=an_object(
        **dict.fromkeys(("asked", "opened", "open", "reopened"), COUNT),
        refused=REASONS,
        lost=REASONS,
    ),
    requests=an_object(
        **dict.fromkeys(
            (
                "due",
                "sent",
                "answered",
                "unexpected_answers",
                "unreadable_messages",
                "calls_of_the_server",
            ),
            COUNT,
        ),
        failed=REASONS,
    ),
    rate=an_object(asked=NUMBER, answered=NUMBER),
    latency=TIMES,
    service=TIMES,
    load=an_object(
        processes=COUNT,
        cpus=COUNT,
        cpu_seconds=NUMBER,
        cpu_per_request=NUMBER,
        resident_bytes=COUNT,
        bytes_per_connection=NUMBER,
    ),
)


def options(*more: str) -> Namespace:
    return parse(["-u", "ws://127.0.0.1:9000", "-c", "20", "-n", "0.5", "-d", "10s", *more])


def tally() -> Tally:
    made = Tally(
        asked=20,
        settled=20,
        open=19,
        opened=20,
        reopened=1,
        refused=Counter({"it answers 503 Busy": 2}),
        lost=Counter({"the central system closed with 1001": 2}),
        due=1104,
        sent=1103,
        answered=1100,
        answered_in_time=1000,
        failed=Counter({"CALLERROR InternalError": 3, "not connected when due": 1}),
        unexpected=5,
        unreadable=6,
        called=7,
        seconds=10.0,
        cpu=0.05,
        memory=60_190_000,
        memory_before=60_000_000,
    )
    made.latency.record([0.0004] * 550 + [0.0021] * 500 + [0.3] * 50)
    made.service.record([0.0003] * 1100)
    return made


class ReportTests(SynchronousTestCase):
    def test_json(self) -> None:
        for result in (Result(tally(), 2, False, ["oh"]), Result(Tally(), 1)):
            told = json.loads(json.dumps(as_json(options(), result)))
            jsonschema.validate(told, SCHEMA)
        told = as_json(options(), Result(tally(), 2, False, ["oh"]))
        self.assertEqual((told["good"], told["complete"], told["troubles"]), (False, False, ["oh"]))
        self.assertEqual(told["rate"], {"asked": 10.0, "answered": 100.0})
        self.assertEqual(told["connections"]["lost"], {"the central system closed with 1001": 2})
        self.assertEqual(told["requests"]["failed"]["CALLERROR InternalError"], 3)
        self.assertEqual(told["load"]["cpu_per_request"], 50.0)
        self.assertEqual(told["load"]["bytes_per_connection"], 10_000.0)
        self.assertEqual(told["latency"]["count"], 1100)
        self.assertEqual(sum(bucket[2] for bucket in told["latency"]["buckets"]), 1100)
        self.assertEqual(told["options"]["url"], ["ws://127.0.0.1:9000"])
        self.assertIsNone(told["options"]["ids"])

    def test_no_secret_is_told(self) -> None:
        told = as_json(options("--password", "geheim"), Result(tally(), 1))
        text = "\n".join(as_text(options("--password", "geheim"), Result(tally(), 1)))
        self.assertNotIn("geheim", json.dumps(told) + text)

    def test_text(self) -> None:
        text = "\n".join(as_text(options(), Result(tally(), 2, True, ["a process has ended"])))
        self.assertEqual(
            text,
            """\
20 charge points of OCPP 1.6, heartbeat, 0.5 a second each, 10.0 s

connections  20 opened of 20, reconnected 1; 19 open in the end
refused      2
               2  it answers 503 Busy
lost         2
               2  the central system closed with 1001
requests     1,104 due, 1,103 sent, 1,100 answered
failed       4
               3  CALLERROR InternalError
               1  not connected when due
besides      5 answers that nobody waited for, 6 messages that are no OCPP
rate         100.0 answered a second, of 10.0 asked
the load     2 processes, 50.0 us a request, 10.0 kB a connection, 60 MB
trouble      a process has ended

                  latency      service
minimum          0.400 ms     0.300 ms
mean              14.8 ms     0.300 ms
p50              0.401 ms     0.300 ms
p90               2.11 ms     0.300 ms
p99                300 ms     0.300 ms
p99.9              300 ms     0.300 ms
maximum            300 ms     0.300 ms

latency
  to  0.500 ms  50.000% ########################################
  to   1.00 ms   0.000%
  to   2.00 ms   0.000%
  to   5.00 ms  45.455% #####################################
  to   10.0 ms   0.000%
  to   20.0 ms   0.000%
  to   50.0 ms   0.000%
  to    100 ms   0.000%
  to    200 ms   0.000%
  to    500 ms   4.545% ####""",
        )

    def test_nothing_came_of_it(self) -> None:
        lines = list(as_text(options(), Result(Tally(asked=20), 1, False)))
        self.assertEqual(
            lines[0],
            "20 charge points of OCPP 1.6, heartbeat, 0.5 a second each, 0.0 s of 10 s: "
            "ended early",
        )
        self.assertNotIn("latency", lines)

    def test_three_digits(self) -> None:
        self.assertEqual(
            [milliseconds(time) for time in (7, 999, 1234, 12_345, 123_456, 1_234_567)],
            ["0.007 ms", "0.999 ms", "1.23 ms", "12.3 ms", "123 ms", "1,235 ms"],
        )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ProgressTests(SynchronousTestCase):
    def test_a_line_that_is_written_over(self) -> None:
        stream = Terminal()
        progress = Progress(stream)
        before = tally()
        now = Tally.of([before])
        now.latency.record([0.05] * 10)
        progress.tell("measuring", now, before)
        self.assertEqual(
            stream.getvalue(),
            "\r\x1b[Kmeasuring 10 s, 19 of 20 open, 1,100 answered, 10 just now, p50 50.2 ms, "
            "p99 50.2 ms, 4 failed, 2 refused, 2 lost",
        )
        progress.end()
        self.assertTrue(stream.getvalue().endswith("\r\x1b[K"))

    def test_a_line_every_five_seconds(self) -> None:
        stream = io.StringIO()
        progress = Progress(stream)
        for _ in range(11):
            progress.tell("connecting", Tally(asked=20, open=3), Tally())
        progress.end()
        self.assertEqual(stream.getvalue(), "connecting, 3 of 20 open\n" * 3)
