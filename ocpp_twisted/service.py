"""The server: plug-ins, a central system and listening sockets, put together and run.

The top floor: imports everyone. ``twistd ocpp`` runs `makeService`; a program of your own makes
a `Server` from `Settings` and starts it.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    DeferredLock,
    inlineCallbacks,
    maybeDeferred,
)
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from ocpp_twisted.attached import IAttached, Surroundings
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.check import problems
from ocpp_twisted.command_line import Options
from ocpp_twisted.config import Settings
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.garbage import settle
from ocpp_twisted.hub import Herald, Hub
from ocpp_twisted.interfaces import (
    IActionPlugin,
    IActiveCaller,
    IConnectionOwner,
    IListsNodes,
    IProvidesCaller,
    ISharedMemory,
    IShowsOperations,
    IStopsLast,
)
from ocpp_twisted.logs import log_frame, observer
from ocpp_twisted.measuring import Counted
from ocpp_twisted.metrics import Messages
from ocpp_twisted.operations import Operations, certificate_days, of_sockets
from ocpp_twisted.recording.file import RecordingFile
from ocpp_twisted.recording.redaction import Pseudonyms
from ocpp_twisted.recording.settings import told
from ocpp_twisted.recording.tap import Tap
from ocpp_twisted.records import IRecords
from ocpp_twisted.security.door import Doorkeeper
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.security.passwords import Passwords, Workers
from ocpp_twisted.security.records import IDoorRecords, MemoryDoorRecords
from ocpp_twisted.systemd import Systemd
from ocpp_twisted.versions import CATALOGUES
from ocpp_twisted.watch import Watch
from ocpp_twisted.websocket.certificates import TLSFiles, development_certificate
from ocpp_twisted.websocket.listen import listen
from ocpp_twisted.websocket.reload import ReloadedTLS
from ocpp_twisted.websocket.server import Entrance, OCPPServerFactory
from ocpp_twisted.websocket.tls import TLSFactory
from ocpp_twisted.websocket.turnstile import Turnstile

__all__ = [
    "Options",
    "Server",
    "Settings",
    "end_with_failure",
    "makeService",
    "obey_signals",
]

_log = Logger()


class Server(Service):
    """Listens for charge points from `startService` to `stopService`.

    :ivar central_system: knows the charge points, and calls them.
    :ivar hub: where plug-ins that are `IAttached` publish and listen.
    :ivar operations: how it is; None if `Settings.measured` is false and no plug-in shows it.
    :raises ConfigurationError: if the certificate cannot be used.
    """

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self.settings = settings
        showing = any(IShowsOperations.providedBy(plugin) for plugin in settings.plugins)
        self._messages = Messages() if showing or settings.measured else None
        self.hub = Hub()
        self._attached = [plugin for plugin in settings.plugins if IAttached.providedBy(plugin)]
        heralds = [Herald(self.hub)] if self._attached else []
        #: Active plug-ins that hear who comes and goes, to the very last.
        self._hearing = [one for one in settings.active_plugins if IActionPlugin.providedBy(one)]
        self.central_system = CentralSystem(
            [*settings.action_plugins, *self._hearing, *heralds],
            reactor,
            limits=settings.limits,
            quirks=settings.quirks,
            observer=self._messages,
            shared=next(
                (one for one in settings.active_plugins if ISharedMemory.providedBy(one)), None
            ),
        )
        self._reactor = reactor
        owner: IConnectionOwner = self.central_system
        self._watch: Watch | None = None
        if any(plugin.sees_messages for plugin in self._attached):
            owner = self._watch = Watch(owner, self.hub)
        self._recording: RecordingFile | None = None
        if (recording := settings.recording) is not None:
            self._recording = RecordingFile(
                recording,
                reactor,
                settings=told(
                    settings.action_plugins,
                    settings.plugin_config,
                    settings.quirks.as_document(),
                    settings.limits,
                ),
            )
            owner = Tap(
                owner,
                self._recording.write,
                chosen=recording.chooses,
                pseudonym=Pseudonyms() if recording.hide_id_tokens else None,
            )
        if settings.logs.frames:
            owner = Tap(owner, log_frame)
        self._workers = Workers(reactor)
        self._passwords = Passwords(self._workers.run)
        websocket = settings.websocket
        if websocket.doorkeeper is None:
            websocket = replace(websocket, doorkeeper=self._doorkeeper())
        self._factory = OCPPServerFactory(owner, reactor, websocket)
        self._listeners: list[tuple[str, str, IProtocolFactory]] = [
            ("ws", description, self._entrance("ws", description)) for description in settings.ws
        ]
        self._tls: ReloadedTLS | None = None
        if settings.wss or settings.wss_legacy:
            self._tls = ReloadedTLS(self._tls_files(), reactor)
            for descriptions, legacy in ((settings.wss, False), (settings.wss_legacy, True)):
                for description in descriptions:
                    profile = settings.security_profile("wss", description)
                    tls = self._tls.listener(
                        client_certificates=profile == SecurityProfile.CLIENT_CERTIFICATE,
                        legacy=legacy,
                    )
                    entrance = self._entrance("wss", description)
                    secure = TLSFactory(tls, False, entrance, reactor)
                    self._listeners.append(("wss", description, secure))
        self._factory.accepting = False
        self.operations = self._make_operations()
        self._ports: list[IListeningPort] = []
        self._bound: Deferred[None] | None = None
        self._starting: Deferred[None] | None = None
        self._stopping = DeferredLock()
        self._started: list[Any] = []

    def _entrance(self, scheme: str, description: str) -> Entrance:
        return Entrance(self._factory, self.settings.security_profile(scheme, description))

    def _doorkeeper(self) -> Doorkeeper | None:
        """None if there is nothing to ask anybody about."""
        settings = self.settings
        demanding = any(settings.security_profiles.values()) or settings.known_only
        plugins = settings.action_plugins
        records: Any = next((one for one in plugins if IDoorRecords.providedBy(one)), None)
        if records is None:
            if not demanding:
                return None
            records = MemoryDoorRecords(self._passwords)
        return Doorkeeper(
            records,
            self._passwords,
            settings.auth,
            known_only=settings.known_only,
            hide_unknown=settings.hide_unknown,
            binding=settings.binding,
            records_needed=demanding,
            busy=lambda: self._workers.busy,
        )

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens: those of `Settings.ws`, then those of `Settings.wss`."""
        return [port.getHost() for port in self._ports]

    def privilegedStartService(self) -> None:
        """Bind the sockets while the process may: twistd gives up its privileges afterwards."""
        self._bound = self._bind()

    @inlineCallbacks
    def startService(self) -> Generator[Any, Any, None]:
        """Listen, start the plug-ins, and let charge points in.

        :returns: a Deferred that fires when all is running. Its errback is a
            `ConfigurationError` if a plug-in or an address cannot be used, or a `CancelledError`
            if the service is stopped meanwhile; all that had been started is stopped then.
        """
        super().startService()
        self._starting = self._start()
        try:
            yield self._starting
        except Exception:
            yield self._stop()
            raise

    def stopService(self) -> Deferred[None]:
        """Stop listening, close every WebSocket, stop the plug-ins; fires when all is done.

        Active plug-ins stop first, so that no new call comes up; those that provide `IStopsLast`
        are told, and stop together with the action plug-ins.

        It takes no longer than three times `Settings.grace` and the WebSockets' close timeout (and
        what `Settings.drain_rate` needs), and no longer than their close timeout if no call is open
        and no plug-in takes its time.
        """
        super().stopService()
        if self._starting is not None:
            self._starting.cancel()  # does nothing if it has fired
        return self._stop()

    @inlineCallbacks
    def _start(self) -> Generator[Any, Any, None]:
        yield self._bound or self._bind()
        if self._recording is not None:
            self._recording.start()
        if self._tls is not None:
            self._tls.start()
        yield self._start_plugins()
        self._open()

    def _stop(self) -> Deferred[None]:
        """Who stops what is being stopped already waits until that is done."""
        stopped: Deferred[None] = self._stopping.run(self._take_down)
        return stopped

    @inlineCallbacks
    def _take_down(self) -> Generator[Any, Any, None]:
        self._factory.accepting = False
        ports, self._ports, self._bound = self._ports, [], None
        yield DeferredList(
            [maybeDeferred(port.stopListening) for port in ports], consumeErrors=True
        )
        active = self.settings.active_plugins
        last = [each for each in active if IStopsLast.providedBy(each)]
        for plugin in last:
            if plugin in self._started:
                try:
                    plugin.stopping()
                except Exception:
                    _log.failure("plug-in {name} failed while it stopped", name=plugin.name)
        yield self._stop_plugins(
            [each for each in active if each not in last and each not in self._hearing]
        )
        yield self.central_system.stop(self.settings.grace, self.settings.drain_rate)
        yield self._factory.drop_all()
        yield self._stop_plugins([*last, *self.settings.action_plugins, *self._hearing])
        if self._tls is not None:
            self._tls.stop()
        self._workers.stop()
        if self._recording is not None:
            self._recording.stop()

    def _make_operations(self) -> Operations | None:
        if self._messages is None:
            return None
        sources: list[Callable[[], Iterable[Counted]]] = [
            self._messages.measures,
            lambda: of_sockets(self._factory.counts),
        ]
        if (tls := self._tls) is not None:
            sources.append(lambda: certificate_days(tls.certificates_end, tls.crls_end))
        operations = Operations(self._obstacle, self.settings.plugins, sources)
        for plugin in self.settings.plugins:
            if IShowsOperations.providedBy(plugin):
                plugin.operations(operations)
        return operations

    def _obstacle(self) -> str:
        if self._factory.accepting:
            return ""
        return "it is stopping" if self._stopping.locked else "it is starting"

    def reload_tls(self) -> bool:
        """Read certificates, keys, client CAs and CRLs again, for the handshakes to come.

        It is done by itself within seconds when a file changes, too.

        :returns: whether they are used; otherwise the log says why, and the old ones stay.
        """
        return self._tls is None or self._tls.reload()

    def _tls_files(self) -> TLSFiles:
        if self.settings.tls.pairs:
            return self.settings.tls
        files = development_certificate(self.settings.data_directory)
        _log.warn(
            "WSS uses a self-signed certificate FOR DEVELOPMENT ONLY: {certificate} "
            "(give your own with --tls-cert and --tls-key)",
            certificate=str(files[0]),
        )
        return replace(self.settings.tls, pairs=[files])

    @inlineCallbacks
    def _bind(self) -> Generator[Any, Any, None]:
        for scheme, description, factory in self._listeners:
            try:
                port = yield listen(
                    self._reactor,
                    description,
                    factory,
                    self.settings.reuse_port,
                    self.settings.websocket.proxies,
                    partial(Turnstile, server=self._factory, secure=scheme == "wss"),
                )
                self._ports.append(port)
            except CannotListenError as error:
                raise ConfigurationError(
                    f"cannot listen for {scheme} on {description}: {error.socketError}; "
                    "choose another port, or stop what uses it"
                ) from error

    def _open(self) -> None:
        self._factory.accepting = True
        schemes = [scheme for scheme, _, _ in self._listeners]
        _log.info(
            "OCPP {versions} on {addresses}; action plug-ins: {action}; active plug-ins: {active}",
            versions=", ".join(CATALOGUES),
            addresses=", ".join(
                _url(scheme, address)
                for scheme, address in zip(schemes, self.addresses, strict=True)
            ),
            action=_names(self.settings.action_plugins),
            active=_names(self.settings.active_plugins),
        )

    @inlineCallbacks
    def _start_plugins(self) -> Generator[Any, Any, None]:
        surroundings = self._surroundings()
        for plugin in self._attached:
            plugin.attach(surroundings)
        caller: IActiveCaller = self.central_system
        for plugin in self.settings.plugins:
            config = self.settings.plugin_config.get(plugin.name, {})
            if IProvidesCaller.providedBy(plugin):
                caller = plugin.caller(caller, config)
        for plugin in self.settings.plugins:
            config = self.settings.plugin_config.get(plugin.name, {})
            try:
                yield maybeDeferred(plugin.start, caller, config)
                self._started.append(plugin)
            except Exception as error:
                if not self.running:
                    raise CancelledError from error
                text = f"plug-in {plugin.name!r} cannot start: {type(error).__name__}: {error}"
                raise ConfigurationError(text) from error
            if not self.running:
                raise CancelledError  # which this plug-in has taken no notice of

    def _surroundings(self) -> Surroundings:
        plugins = self.settings.action_plugins
        return Surroundings(
            hub=self.hub,
            records=next((one for one in plugins if IRecords.providedBy(one)), None),
            messages=self._watch.recent.of if self._watch is not None else lambda identity: (),
            data_directory=self.settings.data_directory,
            passwords=self._passwords,
            nodes=next((one for one in self.settings.plugins if IListsNodes.providedBy(one)), None),
        )

    def _stop_plugins(self, plugins: Sequence[Any]) -> Deferred[Any]:
        def stopped(failure: Failure, name: str) -> None:
            _log.failure("plug-in {name} failed while it stopped", failure=failure, name=name)

        stopping = []
        for plugin in plugins:
            if plugin in self._started:
                self._started.remove(plugin)
                stop = maybeDeferred(plugin.stop).addTimeout(self.settings.grace, self._reactor)
                stopping.append(stop.addErrback(stopped, plugin.name))
        return DeferredList(stopping)


class _TwistdServer(Server):
    """A server that is the whole program: it ends the process when it cannot start."""

    def __init__(self, settings: Settings, reactor: Any, log: ILogObserver | None) -> None:
        super().__init__(settings, reactor)
        self._log = log
        self._systemd = Systemd(reactor)

    def setServiceParent(self, parent: Any) -> None:
        super().setServiceParent(parent)
        if self._log is not None:
            # Where twistd looks for what to log with, when it has made its application.
            parent.setComponent(ILogObserver, self._log)

    def startService(self) -> Deferred[None]:
        self._reactor.callWhenRunning(obey_signals, self._reactor, self.reload_tls)
        return super().startService().addCallbacks(self._serves, self._failed)

    def stopService(self) -> Deferred[None]:
        self._systemd.stopping()
        return super().stopService()

    def _serves(self, _: None) -> None:
        settle()
        # Not before sockets are read and signals are heeded.
        self._reactor.callWhenRunning(self._systemd.ready)

    def _failed(self, failure: Failure) -> None:
        if not self.running:
            return  # stopped while it was starting
        end_with_failure(failure, self._reactor)


def makeService(options: Options) -> Server:
    """The server that the command line asks for; called by ``twistd ocpp``."""
    from twisted.internet import reactor  # only now has twistd installed the one that was asked for

    if sentences := problems(options.settings, options.logs):
        raise SystemExit("\n".join(f"ocpp: {sentence}" for sentence in sentences))
    try:
        log = None if options.logs is None else observer(options.logs)
        return _TwistdServer(options.settings, reactor, log)
    except ConfigurationError as error:
        raise SystemExit(f"ocpp: {error}") from error


def end_with_failure(failure: Failure, reactor: Any) -> None:
    """End a process of twistd that cannot start, with exit code 1 and a line in the log."""
    if failure.check(ConfigurationError):
        _log.critical("{reason}", reason=failure.getErrorMessage())
    else:
        _log.failure("it cannot start", failure=failure)
    # twistd has no other way to end with this exit code. What was registered before this is
    # not run; logs are flushed as they are written.
    atexit.register(os._exit, 1)
    reactor.callWhenRunning(reactor.stop)


def obey_signals(reactor: Any, reload_tls: Callable[[], Any] = bool) -> None:
    """Stop on SIGTERM and SIGINT with exit code 0 (twistd's own handlers end with the signal).

    A second signal ends the process at once. SIGHUP reads the files for TLS again.
    """
    signals = (signal.SIGTERM, signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        for known in signals:
            signal.signal(known, signal.SIG_DFL)
        reactor.callFromThread(reactor.stop)

    for known in signals:
        signal.signal(known, stop)
    if hangup := getattr(signal, "SIGHUP", None):  # Windows has none
        signal.signal(hangup, lambda number, frame: reactor.callFromThread(reload_tls))


def _url(scheme: str, address: IAddress) -> str:
    if isinstance(address, IPv4Address):
        return f"{scheme}://{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"{scheme}://[{address.host}]:{address.port}"
    return f"{scheme} at {address}"


def _names(plugins: Sequence[Any]) -> str:
    return ", ".join(plugin.name for plugin in plugins) or "none"
