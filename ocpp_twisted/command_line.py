"""The command line of ``twistd ocpp``: the options, and what to do instead of serving.

Imports the options and the configuration, which it joins.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python import usage

from ocpp_twisted.check import problems
from ocpp_twisted.complaints import Complaints
from ocpp_twisted.config import Document, Given, Settings, load, make
from ocpp_twisted.discovery import available, look_in
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.logs import LogOptions, under_twistd
from ocpp_twisted.options import OPTIONS, Option

__all__ = ["Options", "install_reactor", "taker"]


def install_reactor() -> None:
    """Take our own reactor, unless twistd was told which (it has installed that one then)."""
    if "twisted.internet.reactor" not in sys.modules and hasattr(select, "epoll"):
        from ocpp_twisted import epoll_reactor

        epoll_reactor.install()


class Options(usage.Options, AuthOptionMixin):
    """See ``twistd ocpp --help``.

    Of the mixin are ``--help-auth`` and ``--help-auth-type``; ``--auth`` is in `OPTIONS`, since it
    may stand in the file, too.

    :ivar given: the options of `OPTIONS` that were given.
    :ivar settings: what they and the file ask for; there once they have been parsed.
    :ivar logs: what is logged, and where; None if twistd logs as its own options say.
    """

    synopsis = "--ws PORT [--wss PORT] [options]"
    longdesc = (
        "Runs the central side of OCPP-J for charge points of OCPP 1.6, 2.0, 2.0.1 and 2.1. "
        "A charge point connects to ws://HOST:PORT/ocpp/ID and speaks the version that it and "
        "this server agree on. Try: twistd -n ocpp --ws 9000 --wss 9443"
    )

    supportedInterfaces = (IUsernamePassword,)
    settings: Settings
    logs: LogOptions | None = None

    def __init__(self) -> None:
        super().__init__()
        self.docs = {option: " ".join(text.split()) for option, text in self.docs.items()}
        self.given: dict[str, Given] = {}
        self._document = Document()
        self._check_only = False

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; what is wrong with it ends the program with one sentence."""
        look_in(Path.cwd())
        if self.parent is not None:
            install_reactor()
        try:
            super().parseOptions(options)
        except (usage.UsageError, ConfigurationError) as error:
            told = "\n".join(f"twistd ocpp: {line}" for line in str(error).splitlines())
            raise SystemExit(f"{told}\n(all options: twistd ocpp --help)") from error

    def opt_config(self, path: str) -> None:
        """TOML file with any of these options; those on the command line win."""
        self._document = load(path)

    def opt_check_config(self) -> None:
        """Say what is wrong with the options and the --config file, start nothing, and exit."""
        self._check_only = True

    def opt_version(self) -> None:
        """Display the versions of ocpp_twisted and Twisted, and exit."""
        print(f"ocpp_twisted {version('ocpp-twisted')}, Twisted {version('twisted')}")
        raise SystemExit(0)

    def opt_list_plugins(self) -> None:
        """List the plug-ins that can be chosen, and exit."""
        rows = [("NAME", "KIND", "FROM")]
        rows += [(plugin.name, plugin.kind, plugin.where) for plugin in available()]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for name, kind, where in rows:
            print(f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {where}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Make the settings, and see whether they and twistd's own options go together."""
        wrong = Complaints()
        self.settings = make(self.given, self._document, wrong)
        given = {**self._document.given, **self.given}
        asked = [name for name in given if name.startswith("log-")]
        if self.parent is not None:
            with wrong.collect():
                self.logs = under_twistd(self.settings.logs, asked, self.parent)
        if self._check_only:
            logs = self.settings.logs if self.parent is None else self.logs
            for sentence in problems(self.settings, logs):
                wrong.add(sentence)
        wrong.tell()
        if self._check_only:
            print(f"{self._document.where} is good")
            raise SystemExit(0)


def taker(name: str, option: Option) -> Callable[..., None]:
    """The method with which `usage.Options` takes an option into its dictionary ``given``."""

    def take(self: Any, text: str) -> None:
        before = self.given[name].texts if option.several and name in self.given else ()
        self.given[name] = Given(f"--{name}", [*before, text])

    def take_flag(self: Any) -> None:
        self.given[name] = Given(f"--{name}", ["True"])

    method: Any = take_flag if option.is_flag else take
    again = " Repeatable." if option.several else ""
    default = f" [default: {option.default}]" if option.default is not None else ""
    method.__doc__ = option.help + again + default
    return method  # type: ignore[no-any-return]


for _name, _option in OPTIONS.items():
    _method = taker(_name, _option)
    setattr(Options, "opt_" + _name.replace("-", "_"), _method)
    if _option.short:
        setattr(Options, f"opt_{_option.short}", _method)
