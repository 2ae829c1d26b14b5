"""What a server is to do: said in a program, or in a TOML file, or on the command line.

Imports the options, and the floors below for what they become. The file's keys are the names of
the options; tables are for the plug-ins, ``[plugins.NAME]``, and for quirk profiles,
``[[quirks.profile]]``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from ocpp_twisted import quirks
from ocpp_twisted.data_directory import data_directory
from ocpp_twisted.discovery import available, choose
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import IActionPlugin, IActiveCallPlugin
from ocpp_twisted.limits import Limits
from ocpp_twisted.logs import LogOptions
from ocpp_twisted.options import OPTIONS, RECORDS, Option, endpoint_description
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.recording.file import Recording
from ocpp_twisted.records import IRecords
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.security.proxies import Proxies
from ocpp_twisted.websocket.server import WebSocketOptions
from ocpp_twisted.websocket.urls import DEFAULT_TEMPLATES, Templates

__all__ = ["Document", "Given", "Settings", "load", "make", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server is to do.

    :ivar ws: Twisted endpoint descriptions to listen on, for example ``tcp:9000``.
    :ivar wss: the same for WebSockets over TLS.
    :ivar security_profiles: what charge points have to prove, by ``ws``, ``wss`` or an element of
        these two; 0 where nothing is said.
    :ivar tls: the certificate's and the private key's file; None for a development certificate,
        kept in `data_directory`.
    :ivar reuse_port: whether several processes may listen on the same ports.
    :ivar action_plugins: the first that handles a request answers it.
    :ivar active_plugins: what sends commands.
    :ivar plugin_config: plug-in name to what its ``start`` gets.
    :ivar quirks: what charge points may do wrong.
    :ivar grace: seconds that open calls have to end when the server stops.
    :ivar recording: which messages to write into which file; None for no recording.
    :ivar measured: whether `Server.operations` is made though no plug-in shows it.
    :ivar logs: what is logged. A server writes no log by itself: see `ocpp_twisted.logs`.
    """

    ws: Sequence[str] = ()
    wss: Sequence[str] = ()
    security_profiles: Mapping[str, SecurityProfile] = field(default_factory=dict)
    tls: tuple[Path, Path] | None = None
    reuse_port: bool = False
    data_directory: Path = Path("ocpp-data")
    action_plugins: Sequence[IActionPlugin] = ()
    active_plugins: Sequence[IActiveCallPlugin] = ()
    plugin_config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    websocket: WebSocketOptions = field(default_factory=WebSocketOptions)
    limits: Limits = field(default_factory=Limits)
    quirks: Quirks = field(default_factory=Quirks)
    grace: float = 10.0
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
    """

    where: str = "the configuration"
    given: Mapping[str, Given] = field(default_factory=dict)
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quirks: Quirks | None = None


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
    return make({}, load(path), action_plugins=action_plugins, active_plugins=active_plugins)


# -- the file ---------------------------------------------------------------------------------


def load(path: str | Path) -> Document:
    """A TOML file, its keys and types checked.

    :raises ConfigurationError: as `read`.
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
    plugins = table.pop("plugins", {})
    if not isinstance(plugins, dict) or not all(
        isinstance(each, dict) for each in plugins.values()
    ):
        raise ConfigurationError(f"{where}: plugins holds a table for each plug-in: [plugins.NAME]")
    profiles = None
    if isinstance(table.get("quirks"), dict):
        profiles = quirks.from_document(table.pop("quirks"), f"{where}: quirks")
    for key in table:
        if key not in OPTIONS:
            raise ConfigurationError(
                f"{where}: there is no option {key!r}" + _suggestion(key, [*OPTIONS, "plugins"])
            )
    given = {
        key: Given(f"{where}: {key}", _texts(OPTIONS[key], value, f"{where}: {key}"), path.parent)
        for key, value in table.items()
    }
    return Document(
        where, {key: each for key, each in given.items() if each.texts}, plugins, profiles
    )


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
    *,
    action_plugins: Sequence[IActionPlugin] | None = None,
    active_plugins: Sequence[IActiveCallPlugin] | None = None,
    listening: bool = True,
) -> Settings:
    """The settings that a command line and a file ask for together; the command line wins.

    :param listening: whether there has to be something to listen on.
    :raises ConfigurationError: if a value is wrong, or things do not go together.
    """
    given = {**document.given, **command_line}
    value = {name: _value(name, option, given.get(name)) for name, option in OPTIONS.items()}
    if listening and not value["ws"] and not value["wss"]:
        raise ConfigurationError(
            "there is nothing to listen on: give --ws PORT, --wss PORT or both, "
            "for example --ws 9000 --wss 9443"
        )
    for kind in ("action-plugin", "active-plugin"):
        if twice := sorted({name for name in value[kind] if value[kind].count(name) > 1}):
            raise ConfigurationError(f"--{kind} {twice[0]} is given twice")
    if action_plugins is None:
        action_plugins = choose(IActionPlugin, value["action-plugin"] or ["local"])
    http = _http(value)
    if active_plugins is None:
        names = value["active-plugin"]
        if http and "http" not in names:
            names = [*names, "http"]
        active_plugins = choose(IActiveCallPlugin, names)
    plugins = [*action_plugins, *active_plugins]
    directory = value["data-dir"] or data_directory()
    if value["store"] is None:
        value["store"] = f"sqlite:///{directory.absolute() / 'records.db'}"
    return Settings(
        ws=value["ws"],
        wss=value["wss"],
        security_profiles=_security_profiles(value),
        tls=_tls(value),
        reuse_port=value["reuse-port"],
        data_directory=directory,
        action_plugins=action_plugins,
        active_plugins=active_plugins,
        plugin_config=_plugin_config(document, value, plugins, http),
        websocket=WebSocketOptions(
            templates=_templates(value["url-template"], given.get("url-template")),
            ping_interval=value["ping-interval"],
            ping_timeout=value["ping-timeout"],
            max_message_size=value["max-message-size"],
            proxies=_proxies(value),
        ),
        limits=Limits(call_timeout=value["call-timeout"]),
        quirks=_quirks(value["quirks"], document, "quirks" in command_line),
        grace=value["grace"],
        recording=_recording(value),
        logs=LogOptions(
            levels=dict(value["log-level"]),
            format=value["log-format"],
            file=value["log-file"],
            size=value["log-size"],
            files=value["log-files"],
        ),
    )


def _value(name: str, option: Option, given: Given | None) -> Any:
    if option.is_flag:
        return given is not None
    if given is None:
        if option.several:
            return []
        return None if option.default is None else option.check(option.default)
    try:
        values = [option.check(text) for text in given.texts]
    except ValueError as error:
        raise ConfigurationError(f"{given.where}: {error}") from error
    values = [given.base / each if isinstance(each, Path) else each for each in values]
    return values if option.several else values[-1]


def _tls(value: Mapping[str, Any]) -> tuple[Path, Path] | None:
    certificate, key = value["tls-cert"], value["tls-key"]
    if bool(certificate) != bool(key):
        raise ConfigurationError("--tls-cert and --tls-key go together: give both, or neither")
    if certificate and not value["wss"]:
        raise ConfigurationError("--tls-cert is for --wss: add --wss PORT")
    return (certificate, key) if certificate else None


def _security_profiles(value: Mapping[str, Any]) -> dict[str, SecurityProfile]:
    """By scheme or endpoint; refused if a listener cannot be what it is to be."""
    listeners = [(scheme, each) for scheme in ("ws", "wss") for each in value[scheme]]
    chosen: dict[str, SecurityProfile] = {}
    for which, profile in value["security-profile"]:
        schemes = [which] if which in ("ws", "wss") else ["ws", "wss"] if not which else []
        keys = schemes or [endpoint_description(which)]
        concerned = [each for each in listeners if each[0] in keys or each[1] in keys]
        if not concerned:
            raise ConfigurationError(
                f"--security-profile {which}={profile:d}: there is no listener {which}; name it as "
                "it is given to --ws or --wss"
            )
        for scheme, description in concerned:
            if fault := _misfit(scheme, profile, bool(value["proxy"])):
                raise ConfigurationError(
                    f"--security-profile: profile {profile:d} {fault}, and --{scheme} "
                    f"{description} is to have it: say which listener has which profile, for "
                    "example --security-profile ws=1 --security-profile wss=2"
                )
        chosen.update(dict.fromkeys(keys, profile))
    return chosen


def _misfit(scheme: str, profile: SecurityProfile, behind_proxies: bool) -> str:
    """Why a listener cannot have a security profile; empty if it can."""
    if scheme == "wss" and profile == SecurityProfile.BASIC:
        return "is without TLS"
    if scheme == "ws" and profile > SecurityProfile.BASIC and not behind_proxies:
        return "needs TLS (or a --proxy that ends it)"
    return ""


def _proxies(value: Mapping[str, Any]) -> Proxies:
    if not value["proxy"]:
        if value["proxy-identity-header"]:
            raise ConfigurationError(
                "--proxy-identity-header is believed from listed proxies only: add --proxy ADDRESS"
            )
        if any(each.startswith("haproxy:") for each in [*value["ws"], *value["wss"]]):
            raise ConfigurationError(
                "an endpoint with haproxy: lets in listed proxies only: add --proxy ADDRESS"
            )
    return Proxies(
        networks=tuple(value["proxy"]), identity_header=value["proxy-identity-header"] or ""
    )


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
        if value["record-charge-point"] or value["record-hide-id-tokens"]:
            raise ConfigurationError("--record-... is for --record: add --record FILE")
        return None
    return Recording(
        path=value["record"],
        charge_points=value["record-charge-point"],
        size=value["record-size"],
        files=value["record-files"],
        hide_id_tokens=value["record-hide-id-tokens"],
    )


def _plugin_config(
    document: Document, value: Mapping[str, Any], chosen: Iterable[Any], http: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The plug-ins' tables, and in them the options that are for a plug-in."""
    names = {plugin.name: plugin for plugin in chosen}
    known = set(names)
    if document.plugins:
        known.update(plugin.name for plugin in available())
    keeping = [name for name, plugin in names.items() if IRecords.providedBy(plugin)]
    for name in document.plugins:
        if name not in known:
            raise ConfigurationError(
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
                raise ConfigurationError(
                    f"{document.where}: [plugins.{each}]: {key} is an option of its own: "
                    f"write {name} = ... before the first table"
                )
            config[each][key] = value[name]
    if http:
        config["http"] = {**config.get("http", {}), **http}
    return config


def _http(value: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the plug-in http, which --http chooses."""
    file = value["http-token-file"]
    if value["http"] is None:
        if file or value["http-cors"]:
            raise ConfigurationError("--http-... is for --http: add --http PORT")
        return {}
    config = {"listen": value["http"], "origins": value["http-cors"]}
    if file is not None:
        try:
            config["token"] = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            text = f"--http-token-file: cannot read {file}: {error.strerror}"
            raise ConfigurationError(text) from error
    elif token := os.environ.get("OCPP_TOKEN"):
        config["token"] = token
    return config


def _suggestion(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word.replace("_", "-"), known, 1) or get_close_matches(word, known, 1)
    if near:
        return f"; is it {near[0]!r} that you mean?"
    return f"; there are: {', '.join(sorted(known))}"
