"""The command line: what each process gets to do, and a sentence for all that cannot be."""

from __future__ import annotations

import contextlib
import io
import re
import resource
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.stress.options import parse, plans
from ocpp_twisted.stress.plan import Plan
from ocpp_twisted.stress.room import processes, sources
from tests.certificates import Authority

URL = "-u ws://127.0.0.1:9000"
_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
FILES = 1_048_576 if _LIMIT == resource.RLIM_INFINITY else _LIMIT


def planned(line: str) -> list[Plan]:
    return plans(parse(line.split()))


class OptionTests(SynchronousTestCase):
    def test_the_usual(self) -> None:
        (plan,) = planned(URL)
        self.assertEqual(
            (plan.urls, plan.version, plan.kind, plan.boot, plan.connections, plan.rate),
            (["ws://127.0.0.1:9000"], "1.6", "heartbeat", True, 1000, 1.0),
        )
        self.assertEqual((plan.duration, plan.ramp, plan.timeout), (60.0, 1000.0, 30.0))
        self.assertEqual((plan.prefix, plan.sources, plan.verify), ("stress-", [], True))

    def test_all_of_them(self) -> None:
        line = (
            f"{URL} --url ws://localhost:9001/ocpp -c 7 -n 0.25 -d 1h2m3s --version 2.0.1 "
            "--message mix --no-boot --ramp 12.5 --timeout 1.5 --processes 3 --source 127.0.0.9 "
            "--source ::1 --prefix CP --password secret --json -"
        )
        first, second, third = planned(line)
        self.assertEqual([plan.first for plan in (first, second, third)], [0, 1, 2])
        self.assertEqual([list(plan.mine) for plan in (first, second)], [[0, 3, 6], [1, 4]])
        self.assertEqual({plan.step for plan in (first, second, third)}, {3})
        self.assertEqual(len({plan.run for plan in (first, second, third)}), 1)
        self.assertEqual(first.urls, ["ws://127.0.0.1:9000", "ws://localhost:9001/ocpp"])
        self.assertEqual(
            (first.rate, first.duration, first.ramp, first.timeout), (0.25, 3723.0, 12.5, 1.5)
        )
        self.assertEqual((first.version, first.kind, first.boot), ("2.0.1", "mix", False))
        self.assertEqual(first.sources, ["127.0.0.9", "::1"])
        self.assertEqual((first.prefix, first.password), ("CP", "secret"))

    def test_times(self) -> None:
        for text, seconds in {"5m": 300, "90s": 90, "90": 90, "0.5s": 0.5, "1h": 3600}.items():
            self.assertEqual(planned(f"{URL} -d {text}")[0].duration, seconds)

    def test_no_two_runs_have_the_same_message_ids(self) -> None:
        self.assertNotEqual(planned(URL)[0].run, planned(URL)[0].run)

    def not_understood(self, line: str, sentence: str) -> None:
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            error = self.assertRaises(SystemExit, planned, line)
        self.assertEqual(error.code, 2)
        self.assertIn(sentence, told.getvalue())

    def test_what_cannot_be_understood(self) -> None:
        where = "is not where a central system is: write ws://HOST:PORT or wss://HOST:PORT"
        for line, sentence in (
            ("", "required: -u/--url"),
            ("-u http://127.0.0.1", f"'http://127.0.0.1' {where}"),
            ("-u ws://", where),
            ("-u ws://host:99999", where),
            ("-u ws://user:word@host", where),
            ("-u ws://host/?a=b", where),
            (f"{URL} -c 0", "'0' is not a whole number from 1 on"),
            (f"{URL} -c many", "'many' is not a whole number from 1 on"),
            (f"{URL} -n 0", "'0' is not a number above 0"),
            (f"{URL} -n inf", "'inf' is not a number above 0"),
            (f"{URL} --ramp=-1", "'-1' is not a number above 0"),
            (f"{URL} -d soon", "'soon' is not a time: write 90s, 5m or 1h30m"),
            (f"{URL} -d 0s", "'0s' is not a time"),
            (f"{URL} --timeout 5x", "'5x' is not a time"),
            (f"{URL} --source here", "'here' is not an IP address"),
            (f"{URL} --version 1.5", "invalid choice: '1.5'"),
            (f"{URL} --message all", "invalid choice: 'all'"),
            (f"{URL} --conn 5", "unrecognized arguments: --conn 5"),
        ):
            self.not_understood(line, sentence)

    def cannot_be(self, line: str, sentence: str) -> None:
        error = self.assertRaises(ConfigurationError, planned, line)
        self.assertIn(sentence, str(error))

    def test_an_id_that_cannot_be(self) -> None:
        self.cannot_be(f"{URL} --prefix {'x' * 300}", "is longer than 255 characters")

    def test_ids(self) -> None:
        path = Path(self.mktemp())
        self.cannot_be(f"{URL} --ids {path}", f"--ids: {path} cannot be read: No such file")
        path.write_text("one\ntwo\n")
        self.assertEqual(list(planned(f"{URL} --ids {path} -c 2")[0].names()), ["one", "two"])
        self.cannot_be(f"{URL} --ids {path} -c 3", "has 2 different ids, for 3 connections")
        path.write_text("one\none\ntwo\n")
        self.cannot_be(f"{URL} --ids {path} -c 2", f"{path} has an id twice")
        path.write_text("o\tne\n")
        self.cannot_be(f"{URL} --ids {path} -c 1", "'o\\tne' holds characters that cannot")
        path.write_bytes(b"\xff\n")
        self.cannot_be(f"{URL} --ids {path} -c 1", "cannot be read: it is not UTF-8")

    def test_tls(self) -> None:
        cert, key = Authority("ca").issue("CP").write(Path(self.mktemp()) / "cp.pem")
        wss = "-u wss://127.0.0.1:9000"
        (plan,) = planned(f"{wss} --ca {cert} --cert {cert} --key {key} --insecure")
        self.assertEqual((plan.ca, plan.cert, plan.key), (str(cert), str(cert), str(key)))
        self.assertFalse(plan.verify)
        self.cannot_be(f"{wss} --cert {cert}", "a client certificate needs its key")
        self.cannot_be(f"{wss} --ca {key}.not", f"{key}.not")
        for option in (f"--ca {cert}", f"--cert {cert}", f"--key {key}", "--insecure"):
            name = option.split()[0]
            self.cannot_be(f"{URL} {option}", f"{name} is for wss:// only, and no --url is that")


class PageTests(SynchronousTestCase):
    def test_the_page_has_every_option(self) -> None:
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            self.assertRaises(SystemExit, parse, ["--help"])
        options = set(re.findall(r"--[a-z][a-z-]*", told.getvalue())) - {"--help"}
        page = (Path(__file__).parents[2] / "docs" / "stress.md").read_text()
        table = set(
            re.findall(r"--[a-z][a-z-]*", page.partition("## Options")[2].partition("##")[0])
        )
        self.assertEqual(options, table)


class RoomTests(SynchronousTestCase):
    def raised(self, function, *arguments) -> str:
        return str(self.assertRaises(ConfigurationError, function, *arguments))

    def test_as_few_processes_as_can(self) -> None:
        self.assertEqual(processes(1, 1, None), 1)
        self.assertEqual(processes(FILES - 50, 1, None), 1)
        self.assertEqual(processes(FILES - 49, 1, None), 2)
        self.assertEqual(processes(10, 1, 3), 3)
        self.assertEqual(processes(2, 1, 3), 2, "none without a connection")

    def test_more_for_a_high_rate(self) -> None:
        few, many = processes(100, 15_000, None), processes(100, 1e9, None)
        self.assertEqual(few, 1)
        self.assertGreaterEqual(many, few)

    def test_too_many_connections_for_so_many_processes(self) -> None:
        text = self.raised(processes, 2 * FILES, 1, 2)
        self.assertIn("need 3 processes, not 2: each may open", text)

    def test_too_many_connections(self) -> None:
        text = self.raised(processes, 20 * FILES, 1, None)
        self.assertIn("raise the hard limit (ulimit -Hn), or say --processes 21", text)

    def test_addresses_as_they_are_needed(self) -> None:
        here = ["ws://127.0.0.1:9000"]
        self.assertEqual(sources(1000, here, []), [])
        many = sources(50_000, here, [])
        self.assertEqual(many[:2], ["127.0.0.2", "127.0.0.3"])
        self.assertGreaterEqual(len(many), 2)
        self.assertEqual(len(sources(5_000_000, here, [])), len(set(sources(5_000_000, here, []))))
        self.assertEqual(sources(1000, here, ["127.0.0.7"]), ["127.0.0.7"])

    def test_addresses_that_have_to_be_given(self) -> None:
        for url in ("ws://192.0.2.1:9000", "ws://example.com", "ws://[::1]:9000"):
            self.assertEqual(sources(1000, [url], []), [])
            self.assertIn("give each with --source", self.raised(sources, 500_000, [url], []))
        self.assertIn("each has", self.raised(sources, 500_000, ["ws://127.0.0.1"], ["127.0.0.2"]))
