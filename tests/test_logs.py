"""Logs: which events, in which form, and where they are written."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.identity import Identity
from ocpp_twisted.logs import FRAMES, LogOptions, level, log_frame, observer, under_twistd
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.recording.tap import Tap
from tests.support import MemoryTransport


class LogsTestCase(SynchronousTestCase):
    def logger(self, *levels: str, namespace: str = "a.b", **more: Any) -> Logger:
        """A logger of which `said` tells what is written."""
        options = LogOptions(levels=dict(level(each) for each in levels), **more)
        self.stream = StringIO()
        return Logger(namespace, observer=LogPublisher(observer(options, self.stream)))

    def said(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def texts(self) -> list[str]:
        return [line.partition("] ")[2] for line in self.said()]


class LevelTests(LogsTestCase):
    def test_info_and_above(self) -> None:
        log = self.logger()
        log.debug("no")
        log.info("yes")
        log.critical("too")
        self.assertEqual(self.texts(), ["yes", "too"])

    def test_a_namespace_and_what_is_below_it(self) -> None:
        for namespace, expected in (("a.b", 1), ("a.b.c", 1), ("a", 0), ("a.bc", 0), ("", 0)):
            log = self.logger("error", "a.b=debug", namespace=namespace)
            log.debug("yes")
            self.assertEqual(len(self.said()), expected, namespace)

    def test_autobahn_does_not_say_again_what_we_say(self) -> None:
        for levels, expected in (
            ((), 0),
            (("debug",), 1),
            (("critical",), 0),
            (("autobahn=warn",), 1),
        ):
            log = self.logger(*levels, namespace="autobahn.twisted.websocket.X")
            log.warn("dropping connection")
            self.assertEqual(len(self.said()), expected, levels)

    def test_whether_messages_are_logged(self) -> None:
        for levels, expected in (
            ((), False),
            (("debug",), True),
            (("debug", f"{FRAMES}=info"), False),
            (("ocpp_twisted=debug",), True),
            ((f"{FRAMES}=debug",), True),
        ):
            options = LogOptions(levels=dict(level(each) for each in levels))
            self.assertIs(options.frames, expected, levels)


class TextTests(LogsTestCase):
    def test_time_namespace_and_level(self) -> None:
        self.logger().info("{who} came", who="CP1")
        (line,) = self.said()
        self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[a\.b#info\] CP1 came$")

    def test_a_peer_cannot_begin_a_line_nor_drive_a_terminal(self) -> None:
        self.logger().info("{words}", words="a\n2026 [x#info] forged\r\x1b[31m\u202e\ud800é")
        self.assertEqual(self.texts(), [r"a\n2026 [x#info] forged\r\x1b[31m\u202e\ud800é"])

    def test_what_a_peer_says_is_bounded(self) -> None:
        self.logger().info("{words}", words="x" * 1_000_000)
        self.assertLess(len(self.stream.getvalue()), 20_000)

    def test_a_traceback_is_indented(self) -> None:
        failure = Failure(ValueError("first\nsecond\x1b"))
        self.logger().failure("it failed", failure=failure)
        first, *others = self.said()
        self.assertIn("[a.b#critical] it failed", first)
        self.assertTrue(all(line.startswith("\t") for line in others))
        self.assertIn(r"	second\x1b", others)

    def test_a_traceback_is_bounded(self) -> None:
        self.logger().failure("it failed", failure=Failure(ValueError("line\n" * 1_000_000)))
        self.assertLess(len(self.said()), 210)


class JsonTests(LogsTestCase):
    def line(self) -> dict[str, Any]:
        (line,) = self.said()
        return json.loads(line)

    def test_a_line(self) -> None:
        log = self.logger(format="json")
        log.warn("{who} came {times} times", who="CP1", times=3, odd=("a", 1))
        line = self.line()
        self.assertRegex(line.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(
            line,
            {
                "level": "warn",
                "namespace": "a.b",
                "message": "CP1 came 3 times",
                "who": "CP1",
                "times": 3,
                "odd": "('a', 1)",
            },
        )
        self.assertTrue(self.said()[0].startswith('{"time":'))

    def test_a_charge_point_is_told_by_its_identity(self) -> None:
        central_system = CentralSystem([ActionPlugin()], Clock())
        connection = central_system.connection_made(
            Identity("CP1", "acme"), "ocpp1.6", MemoryTransport()
        )
        self.logger(format="json").info("online: {charge_point}", charge_point=connection)
        self.assertEqual(self.line()["charge_point"], "acme/CP1")
        self.assertIn("<Connection acme/CP1, OCPP 1.6, memory>", self.line()["message"])

    def test_what_cannot_be_told_or_written(self) -> None:
        class Odd:
            def __str__(self) -> str:
                raise ValueError

        self.logger(format="json").info("a\ud800", odd=Odd())
        self.assertEqual(self.line()["message"], r"a\ud800")
        self.assertEqual(self.line()["odd"], "(it cannot be told: ValueError)")

    def test_a_traceback(self) -> None:
        self.logger(format="json").failure("it failed", failure=Failure(ValueError("why")))
        self.assertIn("ValueError: why", self.line()["traceback"])


class FrameTests(LogsTestCase):
    def test_messages_without_secrets(self) -> None:
        transport = MemoryTransport()
        lines = []
        owner = Tap(CentralSystem([ActionPlugin()], Clock()), lines.append)
        receiver = owner.connection_made(Identity("CP1"), "ocpp1.6", transport)
        receiver.receive(b'[2,"1","Heartbeat",{}]')
        receiver.receive(b'[2,"2","X",{"password":"hunter2"}]')
        receiver.receive(b'[2,"3\npassword')
        log = self.logger("debug", namespace=FRAMES)
        self.patch(log_frame.__globals__["_frames"], "observer", log.observer)
        for line in lines:
            log_frame(line)
        told = self.texts()
        self.assertEqual(told[0], 'CP1 in [2,"1","Heartbeat",{}]')
        self.assertTrue(told[1].startswith("CP1 out [4,"), told[1])
        self.assertEqual(told[2], 'CP1 in [2,"2","X",{"password":"***"}]')
        self.assertIn("CP1 in (14 bytes are withheld)", told)


class FileTests(LogsTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.file = self.directory / "ocpp.log"

    def written(self, **more: Any) -> Logger:
        """A logger into the file."""
        options = LogOptions(file=self.file, size=1024, files=2, **more)
        return Logger("a", observer=LogPublisher(observer(options)))

    def test_rotation_keeps_to_count_and_size(self) -> None:
        log = self.written()
        for number in range(200):
            log.info("{what} {number}", what="é" * (number % 300), number=number)
        files = sorted(path.name for path in self.directory.iterdir())
        self.assertEqual(files, ["ocpp.log", "ocpp.log.1", "ocpp.log.2"])
        self.assertIn(" 199", self.file.read_text())
        for file in self.directory.iterdir():
            self.assertLessEqual(file.stat().st_size, 1024)

    def test_an_event_that_no_file_holds(self) -> None:
        for form in ("text", "json"):
            log = self.written(format=form)
            log.warn("{words}", words="é" * 600)
            said = self.file.read_text().splitlines()[-1]
            self.assertRegex(said, r"an event of \d{4} bytes is left out: a file may have 1024")
            self.assertIn("warn", said)
            self.assertNotIn("é", said)
            log.failure("it failed", failure=Failure(ValueError("line\n" * 1000)))
            self.assertIn("bytes is left out", self.file.read_text().splitlines()[-1])

    def test_nobody_else_may_read_it(self) -> None:
        log = self.written()
        for number in range(50):
            log.info("line {number}", number=number)
        self.assertEqual(len(list(self.directory.iterdir())), 3)
        for file in self.directory.iterdir():
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)

    def test_a_file_that_is_there_keeps_its_mode(self) -> None:
        self.file.touch()
        self.file.chmod(0o640)
        log = self.written()
        for number in range(50):
            log.info("line {number}", number=number)
        for file in self.directory.iterdir():
            self.assertEqual(file.stat().st_mode & 0o777, 0o640)

    def test_a_file_that_cannot_be_written(self) -> None:
        options = LogOptions(file=Path("/none-such/ocpp.log"))
        error = self.assertRaises(ConfigurationError, observer, options)
        expected = "cannot log into /none-such/ocpp.log: there is no directory /none-such (make it)"
        self.assertIn(expected, str(error))


class TwistdTests(SynchronousTestCase):
    """With twistd's own options."""

    def under(
        self, options: LogOptions, asked: tuple[str, ...] = (), **more: object
    ) -> LogOptions | None:
        twistd = {"logger": None, "syslog": 0, "logfile": None, "nodaemon": 1, **more}
        return under_twistd(options, asked, twistd)

    def test_where_it_logs(self) -> None:
        ours, plain = LogOptions(file=Path("ours")), LogOptions(levels={"": LogLevel.warn})
        self.assertIs(self.under(plain), plain)
        self.assertIs(self.under(plain, logfile="-"), plain)
        self.assertIs(self.under(ours), ours)
        self.assertIs(self.under(ours, nodaemon=0), ours)
        for more, name in (
            ({"nodaemon": 0}, "twistd.log"),
            ({"logfile": "theirs"}, "theirs"),
            ({"logfile": "theirs", "nodaemon": 0}, "theirs"),
        ):
            expected = LogOptions(levels={"": LogLevel.warn}, file=Path(name))
            self.assertEqual(self.under(plain, **more), expected)
        self.assertIsNone(self.under(plain, logfile="-", nodaemon=0))

    def test_its_own_loggers(self) -> None:
        for more in ({"logger": "a.b"}, {"syslog": 1}):
            self.assertIsNone(self.under(LogOptions(), **more))
            error = self.assertRaises(
                ConfigurationError, self.under, LogOptions(), ("log-format",), **more
            )
            (theirs,) = more
            self.assertEqual(
                str(error),
                f"--log-format does not go together with twistd's --{theirs}: "
                "leave out one of them",
            )

    def test_two_files(self) -> None:
        error = self.assertRaises(
            ConfigurationError, self.under, LogOptions(file=Path("a")), (), logfile="b"
        )
        self.assertIn("--log-file=a does not go together with twistd's --logfile=b", str(error))
