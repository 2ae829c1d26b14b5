"""What would keep a server from starting, seen without starting it, and without changing anything.

Imports the settings and the floors below. ``twistd ocpp`` asks before it starts, and with
``--check-config`` instead of that. A port that another program uses, or a database that cannot be
reached, shows at the start.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from ocpp_twisted.complaints import Complaints
from ocpp_twisted.config import Settings
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import IChecksConfig
from ocpp_twisted.logs import LogOptions, check_file
from ocpp_twisted.places import clash
from ocpp_twisted.recording.file import check_recording
from ocpp_twisted.security.handshake import SecurityProfile
from ocpp_twisted.websocket.certificates import check_development_certificate, load_tls
from ocpp_twisted.websocket.tls import ServerTLS

__all__ = ["problems"]


def problems(settings: Settings, logs: LogOptions | None) -> list[str]:
    """What is wrong, a sentence each.

    :param logs: what is logged, and where; None if that is not up to us.
    """
    wrong = Complaints()
    _addresses(settings, wrong)
    with wrong.collect():
        _tls(settings)
    log = None if logs is None else logs.file
    if logs is not None:
        with wrong.collect():
            check_file(logs)
    if (recording := settings.recording) is not None:
        with wrong.collect():
            check_recording(recording)
        if log is not None and log.resolve() == recording.path.resolve():
            wrong.add(f"{log} cannot be the log and the recording: choose another file for one")
    for plugin in settings.plugins:
        for sentence in _of_plugin(plugin, settings):
            wrong.add(sentence)
    return wrong.sentences


def _tls(settings: Settings) -> None:
    """:raises ConfigurationError: if its files cannot be used."""
    listeners = [*settings.wss, *settings.wss_legacy]
    if not listeners:
        return
    loaded = load_tls(settings.tls)
    if not loaded.pairs:
        check_development_certificate(settings.data_directory)
    demanded = [settings.security_profile("wss", each) for each in listeners]
    if SecurityProfile.CLIENT_CERTIFICATE in demanded and not loaded.client_cas:
        raise ConfigurationError(
            "security profile 3 demands client certificates, but nobody may issue them: give "
            "--tls-client-ca"
        )
    if loaded.pairs:
        ServerTLS(loaded, legacy=bool(settings.wss_legacy))


def _of_plugin(plugin: Any, settings: Settings) -> Iterable[str]:
    name = plugin.name
    if not IChecksConfig.providedBy(plugin):
        return []
    try:
        config = settings.plugin_config.get(name, {})
        return list(plugin.check_config(config, settings.data_directory))
    except Exception as error:  # a plug-in may be anybody's
        return [f"plug-in {name!r} cannot start: {type(error).__name__}: {error}"]


def _addresses(settings: Settings, wrong: Complaints) -> None:
    listening = [("--ws", each) for each in settings.ws]
    listening += [("--wss", each) for each in settings.wss]
    listening += [("--wss-legacy", each) for each in settings.wss_legacy]
    http = settings.plugin_config.get("http", {}).get("listen")
    if isinstance(http, str):
        listening.append(("--http", http))
    for (option, one), (other_option, other) in combinations(listening, 2):
        if clash(one, other):
            wrong.add(
                f"{option} {one} and {other_option} {other} are the same place to listen: "
                "choose another port for one of them"
            )
