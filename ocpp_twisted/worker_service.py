"""A worker: ``twistd ocpp-worker``, action plug-ins for charge points that are connected elsewhere.

The top floor. Its options are those of the server that mean the same here, from the same table, and
it reads the same files: what is for gateways only is passed over.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, maybeDeferred
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.failure import Failure

from ocpp_twisted.attached import IAttached, Surroundings
from ocpp_twisted.command_line import taker
from ocpp_twisted.complaints import Complaints
from ocpp_twisted.config import Document, Given, load, value_of
from ocpp_twisted.data_directory import data_directory
from ocpp_twisted.discovery import choose, look_in
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.hub import Hub
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.logs import LogOptions, observer, under_twistd
from ocpp_twisted.options import OPTIONS, RECORDS
from ocpp_twisted.plugins.nats import check_installed
from ocpp_twisted.records import IRecords
from ocpp_twisted.security.passwords import Passwords, Workers
from ocpp_twisted.service import end_with_failure, obey_signals

__all__ = ["Options", "WorkerService", "WorkerSettings", "makeService"]

_log = Logger()

#: The options of the server that a worker has too.
_NAMES = (
    *(name for name, option in OPTIONS.items() if option.plugin is not None),
    *(name for name in OPTIONS if name.startswith("log-")),
    "action-plugin",
    "data-dir",
    "grace",
)
#: Those that only a gateway has.
_OF_GATEWAYS = {"nats-route", "nats-heartbeat", "nats-patience"}
WORKER_OPTIONS = {
    name: option for name, option in OPTIONS.items() if name in _NAMES and name not in _OF_GATEWAYS
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker is to do.

    :ivar action_plugins: the first that handles a request answers it.
    :ivar plugin_config: plug-in name to what its ``start`` gets; ``nats`` for the worker itself.
    :ivar data_directory: where files are kept.
    :ivar grace: seconds that handlers have to end when the worker stops.
    :ivar logs: what is logged.
    """

    action_plugins: Sequence[IActionPlugin]
    plugin_config: Mapping[str, Mapping[str, Any]]
    data_directory: Path = Path("ocpp-data")
    grace: float = 10.0
    logs: LogOptions = field(default_factory=LogOptions)


def make(command_line: Mapping[str, Given], document: Document) -> WorkerSettings:
    """The settings that a command line and a file ask for together; the command line wins.

    :raises ConfigurationError: if a value is wrong, or things do not go together.
    """
    Complaints(document.wrong).tell()
    given = {**document.given, **command_line}
    value = {name: value_of(option, given.get(name)) for name, option in WORKER_OPTIONS.items()}
    plugins = choose(IActionPlugin, value["action-plugin"] or ["local"])
    directory = value["data-dir"] or data_directory()
    if value["store"] is None:
        value["store"] = f"sqlite:///{directory.absolute() / 'records.db'}"
    return WorkerSettings(
        action_plugins=plugins,
        plugin_config=_plugin_config(document, value, plugins),
        data_directory=directory,
        grace=value["grace"],
        logs=LogOptions(
            levels=dict(value["log-level"]),
            format=value["log-format"],
            file=value["log-file"],
            size=value["log-size"],
            files=value["log-files"],
        ),
    )


def _plugin_config(
    document: Document, value: Mapping[str, Any], plugins: Sequence[IActionPlugin]
) -> dict[str, dict[str, Any]]:
    config = {name: dict(table) for name, table in document.plugins.items()}
    keeping = [plugin.name for plugin in plugins if IRecords.providedBy(plugin)]
    for name, option in WORKER_OPTIONS.items():
        if option.plugin is not None:
            plugin, key = option.plugin
            for each in keeping if plugin == RECORDS else [plugin]:
                config.setdefault(each, {})[key] = value[name]
    return config


class Options(usage.Options):
    """See ``twistd ocpp-worker --help``.

    :ivar given: the options of `WORKER_OPTIONS` that were given.
    :ivar settings: what they and the file ask for; there once they have been parsed.
    :ivar logs: what is logged, and where; None if twistd logs as its own options say.
    """

    synopsis = "--nats URL [--action-plugin NAME] [options]"
    longdesc = (
        "Runs action plug-ins for charge points that are connected to gateways (twistd ocpp "
        "--action-plugin nats). Any number of workers share the messages of a group. "
        "Try: twistd -n ocpp-worker --nats nats://localhost:4222 --action-plugin local"
    )

    settings: WorkerSettings
    logs: LogOptions | None = None

    def __init__(self) -> None:
        super().__init__()
        self.docs = {option: " ".join(text.split()) for option, text in self.docs.items()}
        self.given: dict[str, Given] = {}
        self._document = Document()

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; what is wrong with it ends the program with one sentence."""
        look_in(Path.cwd())
        if self.parent is not None:
            _install_reactor()
        try:
            super().parseOptions(options)
        except (usage.UsageError, ConfigurationError) as error:
            hint = "(all options: twistd ocpp-worker --help)"
            raise SystemExit(f"twistd ocpp-worker: {error}\n{hint}") from error

    def opt_config(self, path: str) -> None:
        """TOML file with any of these options; those on the command line win."""
        self._document = load(path)

    def postOptions(self) -> None:
        """Make the settings, and see whether they and twistd's own options go together."""
        check_installed()
        self.settings = make(self.given, self._document)
        asked = [name for name in (*self._document.given, *self.given) if name.startswith("log-")]
        if self.parent is not None:
            self.logs = under_twistd(self.settings.logs, asked, self.parent)


for _name, _option in WORKER_OPTIONS.items():
    _method = taker(_name, _option)
    setattr(Options, "opt_" + _name.replace("-", "_"), _method)
    if _option.short:
        setattr(Options, f"opt_{_option.short}", _method)


def _install_reactor() -> None:
    """Take the reactor that NATS needs, unless twistd was told which (it has installed it then)."""
    if "twisted.internet.reactor" not in sys.modules:
        from twisted.internet import asyncioreactor

        asyncioreactor.install()


class WorkerService(Service):
    """Answers charge points over NATS from `startService` to `stopService`.

    :ivar hub: where plug-ins that are `IAttached` publish and listen.
    :raises ConfigurationError: if the settings, or a plug-in's custom actions, cannot be used.
    """

    def __init__(self, settings: WorkerSettings, reactor: Any) -> None:
        # They import nats-py, which may not be there.
        from ocpp_twisted.plugins.nats.caller import NatsCaller
        from ocpp_twisted.plugins.nats.directory import nodes_bucket
        from ocpp_twisted.plugins.nats.events import Events
        from ocpp_twisted.plugins.nats.link import Link
        from ocpp_twisted.plugins.nats.nodes import Sign
        from ocpp_twisted.plugins.nats.reach import check_reactor
        from ocpp_twisted.plugins.nats.settings import settings_of
        from ocpp_twisted.plugins.nats.worker import Worker

        check_reactor(reactor, "ocpp-worker")
        self.settings = settings
        self.hub = Hub()
        self._nats = settings_of(settings.plugin_config.get("nats", {}))
        self.link = Link(self._nats.link, reactor)
        self._caller = NatsCaller(self.link, self._nats.subjects)
        self._worker = Worker(self.link, self._nats, settings.action_plugins, self._caller, reactor)
        self._sign = Sign(
            self.link,
            nodes_bucket(self.link, self._nats.subjects, self._nats.replicas),
            self._nats.node,
            token_hex(8),
            "worker",
            lambda: {"openCalls": self._worker.open},
            reactor,
        )
        Events(self.link, self._nats.subjects, self._nats.node, reactor).listen(self.hub)
        self._reactor = reactor
        self._threads = Workers(reactor)
        self._started: list[IActionPlugin] = []

    @inlineCallbacks
    def startService(self) -> Generator[Any, Any, None]:
        """Start the plug-ins, then take messages; NATS may come later.

        :returns: a Deferred that fires when the plug-ins run. Its errback is a
            `ConfigurationError` if one cannot be used.
        """
        super().startService()
        surroundings = self._surroundings()
        for plugin in self.settings.action_plugins:
            if IAttached.providedBy(plugin):
                plugin.attach(surroundings)
            config = self.settings.plugin_config.get(plugin.name, {})
            try:
                yield maybeDeferred(plugin.start, self._caller, config)
            except Exception as error:
                text = f"plug-in {plugin.name!r} cannot start: {type(error).__name__}: {error}"
                raise ConfigurationError(text) from error
            self._started.append(plugin)
            if not self.running:
                return  # it has been stopped meanwhile
        self._worker.start()
        self._sign.start()
        self.link.start()
        _log.info(
            "a worker of the group {group}; its name: {node}; action plug-ins: {plugins}",
            group=self._nats.group,
            node=self._nats.node,
            plugins=", ".join(plugin.name for plugin in self._started),
        )

    @inlineCallbacks
    def stopService(self) -> Generator[Any, Any, None]:
        """Take no more messages, let handlers end, then stop the plug-ins; fires when all is done.

        Handlers have `WorkerSettings.grace` seconds, and the plug-ins as many after that.
        """
        super().stopService()
        yield self._worker.stop(self.settings.grace)
        stopping = []
        for plugin in reversed(self._started):
            stop = maybeDeferred(plugin.stop).addTimeout(self.settings.grace, self._reactor)
            stopping.append(stop.addErrback(_not_stopped, plugin.name))
        self._started.clear()
        yield DeferredList(stopping)
        self._threads.stop()
        yield self._sign.stop()
        yield self.link.stop()

    def _surroundings(self) -> Surroundings:
        plugins = self.settings.action_plugins
        return Surroundings(
            hub=self.hub,
            records=next((one for one in plugins if IRecords.providedBy(one)), None),
            messages=lambda identity: (),
            data_directory=self.settings.data_directory,
            passwords=Passwords(self._threads.run),
        )


def _not_stopped(failure: Failure, name: str) -> None:
    _log.failure("plug-in {name} failed while it stopped", failure=failure, name=name)


class _TwistdWorker(WorkerService):
    """A worker that is the whole program: it ends the process when it cannot start."""

    def __init__(self, settings: WorkerSettings, reactor: Any, log: ILogObserver | None) -> None:
        super().__init__(settings, reactor)
        self._log = log

    def setServiceParent(self, parent: Any) -> None:
        super().setServiceParent(parent)
        if self._log is not None:
            # Where twistd looks for what to log with, when it has made its application.
            parent.setComponent(ILogObserver, self._log)

    def startService(self) -> Deferred[None]:
        self._reactor.callWhenRunning(obey_signals, self._reactor)
        started: Deferred[None] = super().startService()
        return started.addErrback(end_with_failure, self._reactor)


def makeService(options: Options) -> WorkerService:
    """The worker that the command line asks for; called by ``twistd ocpp-worker``."""
    from twisted.internet import reactor  # only now has twistd installed the one that was asked for

    try:
        log = None if options.logs is None else observer(options.logs)
        return _TwistdWorker(options.settings, reactor, log)
    except ConfigurationError as error:
        raise SystemExit(f"ocpp-worker: {error}") from error
