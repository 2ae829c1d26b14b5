"""What a server is to do: said in a program, or in a TOML file, or on the command line.

Imports the options, and the floors below for what they become. The file's keys are the names of
the options; tables are for the plug-ins, ``[plugins.NAME]``, and for quirk profiles,
``[[quirks.profile]]``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from twisted.cred.checkers import ICredentialsChecker
from zope.interface.interface import InterfaceClass

from ocpp_twisted import quirks
from ocpp_twisted.complaints import Complaints
from ocpp_twisted.data_directory import data_directory
from ocpp_twisted.discovery import available, choose
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import IActionPlugin, IActiveCallPlugin
from ocpp_twisted.limits import Limits
from ocpp_twisted.logs import LogOptions
from ocpp_twisted.options import OPTIONS, RECORDS, Option
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.recording.file import Recording
from ocpp_twisted.records import IRecords
from ocpp_twisted.security.binding import Binding
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.security.proxies import Proxies
from ocpp_twisted.values import endpoint_description
from ocpp_twisted.websocket.certificates import TLSFiles
from ocpp_twisted.websocket.server import WebSocketOptions
from ocpp_twisted.websocket.urls import DEFAULT_TEMPLATES, Templates

__all__ = ["Document", "Given", "Settings", "load", "make", "read", "value_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server is to do.

    :ivar ws: Twisted endpoint descriptions to listen on, for example ``tcp:9000``.
    :ivar wss: the same for WebSockets over TLS.
    :ivar wss_legacy: the same for old charge points, with TLS 1.0 and up.
    :ivar security_profiles: what charge points have to prove, by ``ws``, ``wss`` or an element of
        these three; 0 where nothing is said.
    :ivar auth: who knows passwords besides the records: checkers of twisted.cred that take
        `twisted.cred.credentials.IUsernamePassword`.
    :ivar known_only: whether only those charge points come in that an operator has entered.
    :ivar hide_unknown: whether those that are not known are not told so.
    :ivar tls: the files for TLS; without a certificate one for development is made and kept in
        `data_directory`.
    :ivar binding: how a client certificate names its charge point.
    :ivar reuse_port: whether several processes may listen on the same ports.
    :ivar action_plugins: the first that handles a request answers it.
    :ivar active_plugins: what sends commands.
    :ivar plugin_config: plug-in name to what its ``start`` gets.
    :ivar quirks: what charge points may do wrong.
    :ivar grace: seconds that open calls have to end when the server stops.
    :ivar drain_rate: how many connections are closed in a second then; None for all at once.
    :ivar recording: which messages to write into which file; None for no recording.
    :ivar measured: whether `Server.operations` is made though no plug-in shows it.
    :ivar logs: what is logged. A server writes no log by itself: see `ocpp_twisted.logs`.
    """

    ws: Sequence[str] = ()
    wss: Sequence[str] = ()
    wss_legacy: Sequence[str] = ()
    security_profiles: Mapping[str, SecurityProfile] = field(default_factory=dict)
    auth: Sequence[ICredentialsChecker] = ()
    known_only: bool = False
    hide_unknown: bool = False
    tls: TLSFiles = field(default_factory=TLSFiles)
    binding: Binding = field(default_factory=Binding)
    reuse_port: bool = False
    data_directory: Path = Path("ocpp-data")
    action_plugins: Sequence[IActionPlugin] = ()
    active_plugins: Sequence[IActiveCallPlugin] = ()
    plugin_config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    websocket: WebSocketOptions = field(default_factory=WebSocketOptions)
    limits: Limits = field(default_factory=Limits)
    quirks: Quirks = field(default_factory=Quirks)
    grace: float = 10.0
    drain_rate: int | None = None
    recording: Recording | None = None
    measured: bool = False
    logs: LogOptions = field(default_factory=LogOptions)

    def security_profile(self, scheme: str, description: str) -> SecurityProfile:
        """What charge points have to prove at a listener: ``ws`` or ``wss``, and its endpoint."""
        chosen = self.security_profiles
        return chosen.get(description, chosen.get(scheme, SecurityProfile.NONE))

    @property
    def plugins(self) -> list[Any]:
        """All plug-ins, in the order in which they start."""
        return [*self.action_plugins, *self.active_plugins]


class Given(NamedTuple):
    """An option that is given.

    :ivar where: what errors call it.
    :ivar texts: its values, as they would stand on the command line.
    :ivar base: the directory that paths in it are relative to.
    """

    where: str
    texts: Sequence[str]
    base: Path = Path()


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds.

    :ivar where: what errors call it.
    :ivar given: option name to what is given for it.
    :ivar plugins: plug-in name to its table.
    :ivar quirks: the profiles that stand in it; None if there are none.
    :ivar wrong: what is wrong with its keys and types, a sentence each.
    """

    where: str = "the configuration"
    given: Mapping[str, Given] = field(default_factory=dict)
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quirks: Quirks | None = None
    wrong: Sequence[str] = ()


def read(
    path: str | Path,
    *,
    action_plugins: Sequence[IActionPlugin] | None = None,
    active_plugins: Sequence[IActiveCallPlugin] | None = None,
) -> Settings:
    """What a TOML file asks for, as ``twistd ocpp --config`` reads it.

    :param action_plugins: the program's own, instead of those that the file names.
    :param active_plugins: the same.
    :raises ConfigurationError: if it cannot be read, or anything in it is unknown or wrong; the
        text names the file and the key.
    """
    wrong = Complaints()
    settings = make(
        {}, load(path), wrong, action_plugins=action_plugins, active_plugins=active_plugins
    )
    wrong.tell()
    return settings


# -- the file ---------------------------------------------------------------------------------


def load(path: str | Path) -> Document:
    """A TOML file, its keys and types checked.

    :raises ConfigurationError: if it cannot be read, or is no TOML.
    """
    path, where = Path(path), str(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {where}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{where} is not UTF-8, as TOML has to be: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not TOML: {error}") from error
    wrong = Complaints()
    plugins = table.pop("plugins", {})
    if not isinstance(plugins, dict) or not all(
        isinstance(each, dict) for each in plugins.values()
    ):
        wrong.add(f"{where}: plugins holds a table for each plug-in: [plugins.NAME]")
        plugins = {}
    profiles = None
    if isinstance(table.get("quirks"), dict):
        with wrong.collect():
            profiles = quirks.from_document(table.pop("quirks"), f"{where}: quirks")
    given = {}
    for key, value in table.items():
        if key not in OPTIONS:
            near = _suggestion(key, [*OPTIONS, "plugins"])
            wrong.add(f"{where}: there is no option {key!r}{near}")
            continue
        given[key] = Given(f"{where}: {key}", [], path.parent)  # also if its type is wrong
        with wrong.collect():
            texts = _texts(OPTIONS[key], value, given[key].where)
            if texts:
                given[key] = given[key]._replace(texts=texts)
            else:
                del given[key]
    return Document(where, given, plugins, profiles, wrong.sentences)


_TYPES: dict[tuple[type, ...], str] = {
    (str,): "a string",
    (bool,): "true or false",
    (int, float): "a number",
    (int, str): "a port (9000) or a string",
}


def _texts(option: Option, value: Any, where: str) -> list[str]:
    """A value of the file as the command line would have it: none for false."""
    values = value if option.several and isinstance(value, list) else [value]
    if any(type(each) not in option.types for each in values):
        expected = _TYPES[option.types] + (", or a list of these" if option.several else "")
        raise ConfigurationError(f"{where} is {expected}, not {value!r}")
    return [str(each) for each in values if each is not False]


# -- all that is given ------------------------------------------------------------------------


def make(
    command_line: Mapping[str, Given],
    document: Document,
    wrong: Complaints,
    *,
    action_plugins: Sequence[IActionPlugin] | None = None,
    active_plugins: Sequence[IActiveCallPlugin] | None = None,
    listening: bool = True,
) -> Settings:
    """The settings that a command line and a file ask for together; the command line wins.

    :param wrong: what is wrong is told to it; the settings are of no use then, but to see what
        else is wrong.
    :param listening: whether there has to be something to listen on.
    """
    for sentence in document.wrong:
        wrong.add(sentence)
    given = {**document.given, **command_line}
    value = {}
    for name, option in OPTIONS.items():
        value[name] = value_of(option, None)
        with wrong.collect():
            value[name] = value_of(option, given.get(name))
    _check_together(given, wrong, listening)
    security_profiles = _security_profiles(value, wrong)
    if action_plugins is None:
        names = value["action-plugin"] or ["local"]
        action_plugins = _chosen(IActionPlugin, "action-plugin", names, wrong)
    http = _http(value, wrong)
    if active_plugins is None:
        names = value["active-plugin"]
        if http and "http" not in names:
            names = [*names, "http"]
        active_plugins = _chosen(IActiveCallPlugin, "active-plugin", names, wrong)
    plugins = [*action_plugins, *active_plugins]
    if value["nats"] and all(plugin.name != "nats" for plugin in plugins):
        wrong.add(
            "--nats is for the plug-ins nats: add --action-plugin nats or --active-plugin nats"
        )
    directory = value["data-dir"] or data_directory()
    _check_authority(value, wrong)
    if value["store"] is None:
        value["store"] = f"sqlite:///{directory.absolute() / 'records.db'}"
    templates, profiles = Templates(DEFAULT_TEMPLATES), Quirks()
    with wrong.collect():
        templates = _templates(value["url-template"], given.get("url-template"))
    with wrong.collect():
        profiles = _quirks(value["quirks"], document, "quirks" in command_line)
    return Settings(
        ws=value["ws"],
        wss=value["wss"],
        wss_legacy=value["wss-legacy"],
        security_profiles=security_profiles,
        auth=value["auth"],
        known_only=value["charge-points"] == "known",
        hide_unknown=value["hide-unknown"],
        tls=_tls(value, wrong),
        binding=replace(
            value["client-certificate-id"],
            organizations=tuple(value["client-certificate-organization"]),
        ),
        reuse_port=value["reuse-port"],
        data_directory=directory,
        action_plugins=action_plugins,
        active_plugins=active_plugins,
        plugin_config=_plugin_config(document, value, plugins, http, wrong),
        websocket=WebSocketOptions(
            templates=templates,
            ping_interval=value["ping-interval"],
            ping_timeout=value["ping-timeout"],
            handshake_timeout=value["handshake-timeout"],
            tls_handshake_timeout=value["tls-handshake-timeout"],
            first_message_timeout=_first_message_timeout(value),
            message_timeout=value["message-timeout"],
            max_message_size=value["max-message-size"],
            max_messages_per_second=value["max-messages-per-second"],
            max_write_buffer=value["max-write-buffer"],
            max_connections=value["max-connections"],
            max_connections_per_address=value["max-connections-per-address"],
            max_closing_per_id=value["max-closing-per-id"],
            max_handshakes=value["max-handshakes"],
            proxies=_proxies(value, wrong),
        ),
        limits=Limits(
            call_timeout=value["call-timeout"],
            queued_calls=value["max-queued-calls"],
            open_calls=value["max-open-calls"],
            json_depth=value["max-json-depth"],
        ),
        quirks=profiles,
        grace=value["grace"],
        drain_rate=value["drain-rate"],
        recording=_recording(value),
        logs=LogOptions(
            levels=dict(value["log-level"]),
            format=value["log-format"],
            file=value["log-file"],
            size=value["log-size"],
            files=value["log-files"],
        ),
    )


def value_of(option: Option, given: Given | None) -> Any:
    """The value of an option: what is given, else its default.

    :raises ConfigurationError: if it is wrong.
    """
    if option.is_flag:
        return given is not None
    if given is None or not given.texts:
        if option.several:
            return []
        return None if option.default is None else option.check(option.default)
    try:
        values = [option.check(text) for text in given.texts]
    except ValueError as error:
        raise ConfigurationError(f"{given.where}: {error}") from error
    values = [given.base / each if isinstance(each, Path) else each for each in values]
    return values if option.several else values[-1]


def _check_together(given: Mapping[str, Given], wrong: Complaints, listening: bool) -> None:
    if listening and not given.keys() & {"ws", "wss", "wss-legacy"}:
        wrong.add(
            "there is nothing to listen on: give --ws PORT, --wss PORT or both, "
            "for example --ws 9000 --wss 9443"
        )
    for name, each in given.items():
        needs = OPTIONS[name].needs
        if needs and not given.keys() & set(needs):
            wrong.add(f"{each.where} is for --{needs[0]}: add --{needs[0]}, or leave it out")


def _chosen(
    kind: InterfaceClass, option: str, names: Sequence[str], wrong: Complaints
) -> list[Any]:
    plugins = []
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            wrong.add(f"--{option} {name} is given twice")
        with wrong.collect():
            plugins += choose(kind, [name])
    return plugins


def _security_profiles(value: Mapping[str, Any], wrong: Complaints) -> dict[str, SecurityProfile]:
    """By scheme or endpoint."""
    listeners = [("ws", each) for each in value["ws"]]
    listeners += [("wss", each) for each in [*value["wss"], *value["wss-legacy"]]]
    chosen: dict[str, SecurityProfile] = {}
    for which, profile in value["security-profile"]:
        schemes = [which] if which in ("ws", "wss") else ["ws", "wss"] if not which else []
        keys = schemes or [endpoint_description(which)]
        concerned = [each for each in listeners if each[0] in keys or each[1] in keys]
        if which and not concerned:
            wrong.add(
                f"--security-profile {which}={profile:d}: there is no listener {which}; name it as "
                "it is given to --ws or --wss"
            )
        for scheme, description in concerned:
            if fault := _misfit(scheme, description, profile, value):
                wrong.add(
                    f"--security-profile: profile {profile:d} {fault}, and --{scheme} "
                    f"{description} is to have it: say which listener has which profile, for "
                    "example --security-profile ws=1 --security-profile wss=2"
                )
        chosen.update(dict.fromkeys(keys, profile))
    return chosen


def _misfit(
    scheme: str, description: str, profile: SecurityProfile, value: Mapping[str, Any]
) -> str:
    """Why a listener cannot have a security profile; empty if it can."""
    if scheme == "wss" and profile == SecurityProfile.BASIC:
        return "is without TLS"
    if scheme == "wss" or profile <= SecurityProfile.BASIC:
        return ""
    if not value["proxy"]:
        return "needs TLS (or a --proxy that ends it)"
    if profile == SecurityProfile.CLIENT_CERTIFICATE:
        if description.startswith("haproxy:"):
            return "needs a client certificate, of which the PROXY protocol says nothing"
        if not value["proxy-identity-header"]:
            return "needs TLS (or a --proxy that tells its certificates: --proxy-identity-header)"
    return ""


def _proxies(value: Mapping[str, Any], wrong: Complaints) -> Proxies:
    listeners = [*value["ws"], *value["wss"], *value["wss-legacy"]]
    behind = [each for each in listeners if each.startswith("haproxy:")]
    if behind and not value["proxy"]:
        wrong.add(f"{behind[0]} lets in listed proxies only: add --proxy ADDRESS")
    return Proxies(
        networks=tuple(value["proxy"]), identity_header=value["proxy-identity-header"] or ""
    )


def _tls(value: Mapping[str, Any], wrong: Complaints) -> TLSFiles:
    certificates, keys = value["tls-cert"], value["tls-key"]
    if certificates and len(certificates) != len(keys):
        wrong.add(
            "--tls-cert and --tls-key go together: give a key for each certificate, in the same "
            "order (the same file twice, if it holds both)"
        )
    return TLSFiles(
        pairs=list(zip(certificates, keys, strict=False)),
        client_cas=value["tls-client-ca"],
        crls=value["tls-crl"],
    )


def _check_authority(value: Mapping[str, Any], wrong: Complaints) -> None:
    if bool(value["ca-cert"]) != bool(value["ca-key"]):
        wrong.add("--ca-cert and --ca-key go together: give both, or neither")
    for name in ("ca-cert", "ca-organization"):
        if value[name] and value["certificate-authority"] == "none":
            wrong.add(f"--{name} is for --certificate-authority: add --certificate-authority local")


def _first_message_timeout(value: Mapping[str, Any]) -> float:
    """Whoever has been accepted before the server started may say nothing but Heartbeats."""
    given: float | None = value["first-message-timeout"]
    return max(900.0, 2.0 * value["heartbeat-interval"]) if given is None else given


def _templates(templates: Sequence[str], given: Given | None) -> Templates:
    try:
        return Templates(templates or DEFAULT_TEMPLATES)
    except ValueError as error:
        assert given is not None
        raise ConfigurationError(f"{given.where}: {error}") from error


def _quirks(named: Quirks | Path, document: Document, on_command_line: bool) -> Quirks:
    if document.quirks is not None and not on_command_line:
        return document.quirks
    return quirks.load(named) if isinstance(named, Path) else named


def _recording(value: Mapping[str, Any]) -> Recording | None:
    if value["record"] is None:
        return None
    return Recording(
        path=value["record"],
        charge_points=value["record-charge-point"],
        size=value["record-size"],
        files=value["record-files"],
        hide_id_tokens=value["record-hide-id-tokens"],
    )


def _plugin_config(
    document: Document,
    value: Mapping[str, Any],
    chosen: Iterable[Any],
    http: Mapping[str, Any],
    wrong: Complaints,
) -> dict[str, dict[str, Any]]:
    """The plug-ins' tables, and in them the options that are for a plug-in."""
    names = {plugin.name: plugin for plugin in chosen}
    known = set(names)
    if document.plugins:
        known.update(plugin.name for plugin in available())
    keeping = [name for name, plugin in names.items() if IRecords.providedBy(plugin)]
    for name in document.plugins:
        if name not in known:
            wrong.add(
                f"{document.where}: [plugins.{name}]: there is no plug-in {name!r}"
                + _suggestion(name, known)
            )
    config = {name: dict(table) for name, table in document.plugins.items()}
    for name, option in OPTIONS.items():
        if option.plugin is None:
            continue
        plugin, key = option.plugin
        for each in keeping if plugin == RECORDS else [plugin]:
            if key in config.setdefault(each, {}):
                wrong.add(
                    f"{document.where}: [plugins.{each}]: {key} is an option of its own: "
                    f"write {name} = ... before the first table"
                )
            config[each][key] = value[name]
    if http:
        config["http"] = {**config.get("http", {}), **http}
    return config


def _http(value: Mapping[str, Any], wrong: Complaints) -> dict[str, Any]:
    """The configuration of the plug-in http, which --http chooses."""
    file = value["http-token-file"]
    if value["http"] is None:
        return {}
    config = {"listen": value["http"], "origins": value["http-cors"]}
    if file is not None:
        config["token"] = _token(file, wrong)
    elif token := os.environ.get("OCPP_TOKEN"):
        config["token"] = token
    return config


def _token(file: Path, wrong: Complaints) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        wrong.add(f"--http-token-file: cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        wrong.add(f"--http-token-file: {file} holds no token: it is not UTF-8")
    return None


def _suggestion(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word.replace("_", "-"), known, 1) or get_close_matches(word, known, 1)
    if near:
        return f"; is it {near[0]!r} that you mean?"
    return f"; there are: {', '.join(sorted(known))}"
