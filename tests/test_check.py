"""What is seen before a server starts: all that is wrong, and nothing is changed by looking."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.command_line import Options
from ocpp_twisted.logs import LogOptions
from ocpp_twisted.places import clash, only_here
from ocpp_twisted.service import makeService
from ocpp_twisted.websocket.tls import development_certificate


class CheckTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir()
        self.data = self.place / "data"
        self.patch(os, "environ", {**os.environ, "OCPP_TOKEN": ""})

    def check(self, *arguments: str) -> list[str]:
        """What ``--check-config`` complains of."""
        given = ["--check-config", f"--data-dir={self.data}", *arguments]
        before = sorted(self.place.rglob("*"))
        with redirect_stdout(StringIO()) as out:
            error = self.assertRaises(SystemExit, Options().parseOptions, given)
        self.assertEqual(sorted(self.place.rglob("*")), before)
        if error.code == 0:
            self.assertEqual(out.getvalue(), "the configuration is good\n")
            return []
        *sentences, hint = str(error).split("\n")
        self.assertEqual(hint, "(all options: twistd ocpp --help)")
        return [sentence.removeprefix("twistd ocpp: ") for sentence in sentences]

    def complaint(self, *arguments: str) -> str:
        """The only one."""
        (sentence,) = self.check(*arguments)
        return sentence


class CheckTests(CheckTestCase):
    def test_all_is_well(self) -> None:
        log, record = self.place / "ocpp.log", self.place / "ocpp.jsonl"
        self.assertEqual(
            self.check(
                "--ws=9000",
                "--wss=9443",
                "--http=tcp:8080",
                f"--log-file={log}",
                f"--record={record}",
            ),
            [],
        )

    def test_all_that_is_wrong_is_told(self) -> None:
        file = self.place / "ocpp.toml"
        file.write_text('wsss = 1\ngrace = "soon"\nrecord-size = 2048\n[plugins.lokal]\n')
        missing = self.place / "missing"
        found = self.check(
            f"--config={file}",
            "--ws=9000",
            "--http=9000",
            "--call-timeout=0",
            "--action-plugin=none-such",
            "--action-plugin=local",
            "--wss=9443",
            f"--tls-cert={missing}/cert.pem",
            f"--tls-key={missing}/key.pem",
            f"--quirks={missing}/quirks.toml",
            f"--http-token-file={missing}/token",
            f"--log-file={missing}/log",
            f"--store=sqlite:///{missing}/records.db",
        )
        for sentence, text in zip(
            found,
            (
                "there is no option 'wsss'",
                "grace is a number, not 'soon'",
                "--call-timeout: 0 seconds",
                "ocpp.toml: record-size is for --record: ",
                "there is no action plug-in 'none-such'",
                "--http-token-file: cannot read",
                "the quirk profiles in",
                "there is no plug-in 'lokal'",
                "--ws tcp:9000 and --http tcp:9000:interface=127.0.0.1 are the same place",
                f"cannot read the certificate {missing}/cert.pem",
                f"cannot log into {missing}/log: there is no directory {missing} (make it)",
                f"records.db cannot be opened: there is no directory {missing} (make it)",
            ),
            strict=True,
        ):
            self.assertIn(text, sentence)

    def test_the_start_refuses_the_same(self) -> None:
        options = Options()
        log, record = self.place / "no" / "log", self.place / "no" / "record"
        options.parseOptions(
            ["--ws=0", f"--data-dir={self.data}", f"--log-file={log}", f"--record={record}"]
        )
        options.logs = options.settings.logs
        error = self.assertRaises(SystemExit, makeService, options)
        self.assertEqual(
            [line.partition(":")[0] for line in str(error).splitlines()], ["ocpp", "ocpp"]
        )
        self.assertIn(f"cannot log into {log}", str(error))
        self.assertIn(f"cannot record into {record}", str(error))
        self.assertEqual(list(self.place.iterdir()), [])

    def test_the_same_port_twice(self) -> None:
        for one, other in (
            ("--ws=9000", "--wss=9000"),
            ("--ws=9000", "--ws=tcp:9000:interface=127.0.0.1"),
            ("--ws=9000", "--http=9000"),
        ):
            self.assertIn("are the same place to listen", self.complaint(one, other))
        self.assertEqual(self.check("--ws=0", "--wss=0", "--http=0"), [])

    def test_certificates(self) -> None:
        one, other = self.place / "one", self.place / "other"
        certificate, key = development_certificate(one)
        _, other_key = development_certificate(other)
        given = ("--wss=9443", f"--tls-cert={certificate}")
        self.assertEqual(self.check(*given, f"--tls-key={key}"), [])
        told = self.complaint(*given, f"--tls-key={other_key}")
        self.assertIn("does not belong to the certificate", told)

    def test_the_data_directory(self) -> None:
        self.data.write_text("a file")
        told = self.check("--ws=0", "--wss=0", "--http=tcp:0")
        self.assertEqual(len(told), 3)
        self.assertIn(f"cannot keep a development certificate in {self.data}: ", told[0])
        self.assertIn("records.db cannot be opened: ", told[1])
        self.assertIn("the token's file ", told[2])
        for sentence in told:
            self.assertIn("is no directory", sentence)
        self.assertEqual(self.check("--ws=0", "--http=0", "--store=sqlite://"), [])

    def test_one_file_for_two(self) -> None:
        file, same = self.place / "file", self.place / "same"
        file.touch()
        same.symlink_to(file)
        told = self.complaint("--ws=0", f"--log-file={file}", f"--record={same}")
        self.assertIn("cannot be the log and the recording", told)

    def test_stores(self) -> None:
        self.assertIn("the store is no URL", self.complaint("--ws=0", "--store=records"))
        self.assertIn("a mysql URL", self.complaint("--ws=0", "--store=mysql://root@localhost/a"))

    def test_a_table_that_its_plugin_stumbles_over(self) -> None:
        file = self.place / "ocpp.toml"
        file.write_text('active-plugin = "http"\n[plugins.http]\nlisten = 8080\n')
        told = self.complaint("--ws=0", f"--config={file}")
        self.assertIn("plug-in 'http' cannot start: TypeError: ", told)
        file.write_text('active-plugin = "http"\n[plugins.http]\nport = 8080\nport2 = 1\n')
        self.assertEqual(len(self.check("--ws=0", f"--config={file}")), 2)

    def test_tokens(self) -> None:
        token = self.place / "token"
        token.write_text("short")
        given = ("--ws=0", "--http=0", f"--http-token-file={token}")
        self.assertIn("the token of the option cannot be used", self.complaint(*given))
        token.write_bytes(b"\xff" * 32)
        self.assertIn("it is not UTF-8", self.complaint(*given))
        self.data.mkdir()
        kept = self.data / "http-token"
        kept.write_text("0123456789abcdef")
        kept.chmod(0o644)
        self.assertIn("others may read", self.complaint("--ws=0", "--http=tcp:0"))
        kept.chmod(0o600)
        self.assertEqual(self.check("--ws=0", "--http=tcp:0"), [])


class TwistdTests(CheckTestCase):
    def test_sizes_without_a_file(self) -> None:
        twistd = {"logger": None, "syslog": 0, "logfile": None, "nodaemon": 1}
        for option in ("--log-size=2048", "--log-files=3"):
            options = Options()
            options.parent = twistd
            error = self.assertRaises(SystemExit, options.parseOptions, ["--ws=0", option])
            name = option.partition("=")[0]
            self.assertIn(f"{name} is for a file: add --log-file FILE", str(error))
            for more in ({"nodaemon": 0}, {"logfile": "theirs"}):
                options = Options()
                options.parent = {**twistd, **more}
                options.parseOptions(["--ws=0", option])
                assert isinstance(options.logs, LogOptions)


class PlaceTests(SynchronousTestCase):
    def test_what_clashes(self) -> None:
        for one, other, expected in (
            ("tcp:1", "tcp:1", True),
            ("tcp:1", "tcp:2", False),
            ("tcp:0", "tcp:0", False),
            ("tcp:1", "tcp:port=1:interface=10.0.0.1", True),
            ("tcp:1:interface=10.0.0.2", "tcp:1:interface=10.0.0.1", False),
            ("tcp:1", "ssl:1:privateKey=a.pem", True),
            ("tcp:1:interface=0.0.0.0", "tcp:1:interface=127.0.0.1", True),
            (r"tcp:1:interface=\:\:1", r"tcp6:1:interface=\:\:1", True),
            ("tcp6:1", "tcp:1", False),
            ("unix:/a", "unix:/a", True),
            ("unix:/a", "tcp:1", False),
            ("systemd:domain=INET:index=0", "systemd:domain=INET:index=1", False),
        ):
            self.assertIs(clash(one, other), expected, (one, other))
            self.assertIs(clash(other, one), expected, (other, one))

    def test_what_only_this_machine_reaches(self) -> None:
        for description in (
            "tcp:1:interface=127.0.0.1",
            r"tcp6:1:interface=\:\:1",
            "unix:/a",
        ):
            self.assertTrue(only_here(description), description)
        for description in ("tcp:1", "ssl:1", "tcp:1:interface=10.0.0.1", "tcp:1:interface=a"):
            self.assertFalse(only_here(description), description)
