"""The command line of ``twistd ocpp``.

Imports the floors below, to check what it is given while it can still be told to the person who
typed it.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.endpoints import serverFromString
from twisted.python import usage

from ocpp_twisted.discovery import available, choose, look_in
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import IActionPlugin, IActiveCallPlugin
from ocpp_twisted.quirks import BUILT_IN, load
from ocpp_twisted.websocket.urls import DEFAULT_TEMPLATES, Templates

__all__ = ["Options", "endpoint_description"]


def endpoint_description(text: str) -> str:
    """A port number or a Twisted endpoint description, as an endpoint description.

    :raises ValueError: if it is neither; the text says how it should be.
    """
    if text.isdecimal():
        if int(text) > 65535:
            raise ValueError(f"{text} is no port: ports end at 65535")
        return f"tcp:{text}"
    try:
        serverFromString(None, text)
    except Exception as error:  # each kind of endpoint has its own way of being wrong
        raise ValueError(
            f"{text!r} is neither a port (9000) nor a Twisted endpoint "
            f"(tcp:9000:interface=127.0.0.1): {error}"
        ) from error
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{text!r} is not a number of seconds, 0 or more")
    return seconds


def _seconds_not_0(text: str) -> float:
    seconds = _seconds(text)
    if not seconds:
        raise ValueError("0 seconds are too few: everything would be late at once")
    return seconds


def _whole_seconds(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ValueError(f"{text!r} is not a number of whole seconds, 1 or more")
    return int(text)


def _bytes(text: str) -> int:
    if not text.isdecimal() or int(text) < 1024:
        raise ValueError(f"{text!r} is not a number of bytes, 1024 or more")
    return int(text)


def _files(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ValueError(f"{text!r} is not a number of files, 1 or more")
    return int(text)


def _install_reactor() -> None:
    """Take our own reactor, unless twistd was told which (it has installed that one then)."""
    if "twisted.internet.reactor" not in sys.modules and hasattr(select, "epoll"):
        from ocpp_twisted import epoll_reactor

        epoll_reactor.install()


def _data_directory() -> Path:
    """Where a service may keep things: systemd's word for it, or the user's own place."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.partition(":")[0])
    share = os.environ.get("XDG_DATA_HOME")
    return (Path(share) if share else Path.home() / ".local" / "share") / "ocpp_twisted"


class Options(usage.Options):
    """See ``twistd ocpp --help``."""

    synopsis = "--ws PORT [--wss PORT] [options]"
    longdesc = (
        "Runs the central side of OCPP-J for charge points of OCPP 1.6, 2.0, 2.0.1 and 2.1. "
        "A charge point connects to ws://HOST:PORT/ocpp/ID and speaks the version that it and "
        "this server agree on. Try: twistd -n ocpp --ws 9000 --wss 9443"
    )

    optFlags = [  # noqa: RUF012
        [
            "reuse-port",
            None,
            (
                "Share the ports: start the same command several times, and the kernel spreads the "
                "charge points over the processes."
            ),
        ],
        [
            "record-hide-id-tokens",
            None,
            "Replace id tokens in the recording by pseudonyms.",
        ],
    ]

    optParameters = [  # noqa: RUF012
        [
            "tls-cert",
            None,
            None,
            (
                "PEM file: the certificate for --wss, then its intermediate certificates. "
                "Without it one for development is made and kept in the data directory."
            ),
        ],
        ["tls-key", None, None, "PEM file: the private key of --tls-cert."],
        ["data-dir", "d", None, "Where files are kept. [default: ~/.local/share/ocpp_twisted]"],
        [
            "heartbeat-interval",
            None,
            "300",
            "Seconds between Heartbeats, told to charge points when they boot.",
        ],
        ["call-timeout", None, "30", "Seconds a charge point has to answer a call."],
        [
            "ping-interval",
            None,
            "60",
            "Seconds of silence after which a charge point is pinged; 0 for never.",
        ],
        [
            "ping-timeout",
            None,
            "30",
            "Seconds after the ping until a charge point that stays silent is dropped.",
        ],
        ["max-message-size", None, "1048576", "Bytes a message may have, 1024 or more."],
        ["grace", None, "10", "Seconds that open calls have to end when the server stops."],
        [
            "quirks",
            None,
            "standard",
            (
                "What charge points may do wrong: standard, tolerant, strict, or a TOML file of "
                "profiles (docs/quirks.md)."
            ),
        ],
        [
            "record",
            None,
            None,
            "File: write all messages into it as JSON Lines, without secrets (docs/recording.md).",
        ],
        ["record-size", None, "10485760", "Bytes after which --record begins a new file."],
        ["record-files", None, "9", "Older files that --record keeps: FILE.1 is the newest."],
    ]

    _numbers: ClassVar[Mapping[str, Callable[[str], float]]] = {
        "heartbeat-interval": _whole_seconds,
        "call-timeout": _seconds_not_0,
        "ping-interval": _seconds,
        "ping-timeout": _seconds_not_0,
        "grace": _seconds,
        "max-message-size": _bytes,
        "record-size": _bytes,
        "record-files": _files,
    }

    def __init__(self) -> None:
        super().__init__()
        self.docs = {option: " ".join(text.split()) for option, text in self.docs.items()}
        self["ws"] = []
        self["wss"] = []
        self["action-plugins"] = []
        self["active-plugins"] = []
        self["url-templates"] = []
        self["record-charge-points"] = []

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; what is wrong with it ends the program with one sentence."""
        look_in(Path.cwd())
        if self.parent is not None:
            _install_reactor()
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"twistd ocpp: {error}\n(all options: twistd ocpp --help)") from error

    def opt_version(self) -> None:
        """Display the versions of ocpp_twisted and Twisted, and exit."""
        print(f"ocpp_twisted {version('ocpp-twisted')}, Twisted {version('twisted')}")
        raise SystemExit(0)

    def opt_ws(self, listen: str) -> None:
        """Listen for WebSockets on a port (9000) or a Twisted endpoint
        (tcp:9000:interface=127.0.0.1). Repeatable.
        """
        self["ws"].append(_checked(endpoint_description, listen, "--ws"))

    def opt_wss(self, listen: str) -> None:
        """Listen for WebSockets over TLS: a port (9443) or an endpoint, as for --ws. Repeatable."""
        self["wss"].append(_checked(endpoint_description, listen, "--wss"))

    def opt_action_plugin(self, name: str) -> None:
        """A plug-in that answers charge points. Repeatable: the first that handles an action
        answers it. [default: local]
        """
        self["action-plugins"].append(name)

    def opt_active_plugin(self, name: str) -> None:
        """A plug-in that sends commands to charge points. Repeatable. [default: none]"""
        self["active-plugins"].append(name)

    def opt_url_template(self, template: str) -> None:
        """A path of connection URLs, with {id} at its end and {name} at most once before it.
        Repeatable. [default: /ocpp/{name}/{id}, /ocpp/{id} and /{id}]
        """
        self["url-templates"].append(template)

    def opt_record_charge_point(self, pattern: str) -> None:
        """Record the charge points with such an id (DEPOT-*) only. Repeatable.
        [default: all]
        """
        self["record-charge-points"].append(pattern)

    def opt_list_plugins(self) -> None:
        """List the plug-ins that can be chosen, and exit."""
        rows = [("NAME", "KIND", "FROM")]
        rows += [(plugin.name, plugin.kind, plugin.where) for plugin in available()]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for name, kind, where in rows:
            print(f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {where}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Check what belongs together, and load the plug-ins."""
        if not self["ws"] and not self["wss"]:
            raise usage.UsageError(
                "there is nothing to listen on: give --ws PORT, --wss PORT or both, "
                "for example --ws 9000 --wss 9443"
            )
        for kind in ("action", "active"):
            names = self[f"{kind}-plugins"]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise usage.UsageError(f"--{kind}-plugin {twice[0]} is given twice")
        for option, check in self._numbers.items():
            self[option] = _checked(check, self[option], f"--{option}")
        if bool(self["tls-cert"]) != bool(self["tls-key"]):
            raise usage.UsageError("--tls-cert and --tls-key go together: give both, or neither")
        if self["tls-cert"] and not self["wss"]:
            raise usage.UsageError("--tls-cert is for --wss: add --wss PORT")
        if not self["record"] and (self["record-charge-points"] or self["record-hide-id-tokens"]):
            raise usage.UsageError("--record-... is for --record: add --record FILE")
        try:
            self["quirks"] = BUILT_IN.get(self["quirks"]) or load(self["quirks"])
        except ConfigurationError as error:
            raise usage.UsageError(f"--quirks: {error}") from error
        templates = self["url-templates"] or DEFAULT_TEMPLATES
        self["templates"] = _checked(Templates, templates, "--url-template")
        self["data-dir"] = Path(self["data-dir"]) if self["data-dir"] else _data_directory()
        try:
            self["action"] = choose(IActionPlugin, self["action-plugins"] or ["local"])
            self["active"] = choose(IActiveCallPlugin, self["active-plugins"])
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error


def _checked(check: Callable[[Any], Any], value: Any, option: str) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise usage.UsageError(f"{option}: {error}") from error
