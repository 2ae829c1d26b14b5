"""The settings that the recorded server had, and those of a replay, which begins with them.

Imports the quirks, the records and the recording's lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ocpp_twisted import quirks
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.quirks import Quirks
from ocpp_twisted.recording.lines import NotALine, read
from ocpp_twisted.recording.settings import RecordedSettings, may_be_told
from ocpp_twisted.records import IRecords

__all__ = ["config_of", "missing", "quirks_of", "recorded"]

#: Where a plug-in that keeps records has them: never told, and never that of the server.
_STORE = "store"


def recorded(lines: Iterable[bytes | str]) -> RecordedSettings | None:
    """The settings that lines of a recording tell first; None if they tell none."""
    for data in lines:
        if (b"settings" if isinstance(data, bytes) else "settings") not in data:  # type: ignore[operator]
            continue
        try:
            settings = read(data).settings
        except NotALine:
            continue
        if settings is not None:
            return settings
    return None


def quirks_of(settings: RecordedSettings) -> Quirks:
    """What charge points were let do wrong.

    :raises ConfigurationError: if it cannot be understood, for example because a newer version
        has written it.
    """
    return quirks.from_document(settings.quirks, "the quirk profiles of the recording")


def config_of(
    plugin: IActionPlugin, settings: RecordedSettings, given: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What the start of a plug-in gets: what was recorded, and over it what is given.

    Whoever has written the recording can set what the plug-in has named, and nothing else: not
    its store.
    """
    then = settings.plugins.get(plugin.name, {})
    named = may_be_told(plugin)
    return {key: then[key] for key in then if key in named} | dict(given.get(plugin.name, {}))


def missing(
    plugin: IActionPlugin, settings: RecordedSettings, config: Mapping[str, Any]
) -> list[str]:
    """The keys that the recorded plug-in had in its configuration, and this one has not."""
    withheld = settings.withheld.get(plugin.name, ())
    own = {_STORE} if IRecords.providedBy(plugin) else set()
    return [key for key in withheld if key not in config and key not in own]
