"""What a recording tells of the server's settings: those that decide its answers, and no secrets.

Imports the interfaces and the limits. Of a plug-in's configuration only that is told which the
plug-in itself has named (`ITellsConfig`): nobody else knows what in it is a secret.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from ocpp_twisted.interfaces import IActionPlugin, ITellsConfig
from ocpp_twisted.limits import Limits

__all__ = ["RecordedSettings", "may_be_told", "told"]


class RecordedSettings(Struct, omit_defaults=True, kw_only=True):
    """The settings of a recorded server, as far as they are told.

    :ivar action_plugins: the names of the plug-ins that answer, in their order.
    :ivar plugins: plug-in name to what is told of its configuration.
    :ivar withheld: plug-in name to the keys of its configuration that are not told.
    :ivar quirks: its profiles (`ocpp_twisted.quirks.from_document`).
    :ivar limits: its limits, all of them.
    """

    action_plugins: tuple[str, ...] = ()
    plugins: dict[str, dict[str, Any]] = {}
    withheld: dict[str, tuple[str, ...]] = {}
    quirks: dict[str, Any] = {}
    limits: Limits = field(default_factory=Limits)


def told(
    action_plugins: Sequence[IActionPlugin],
    plugin_config: Mapping[str, Mapping[str, Any]],
    quirks: dict[str, Any],
    limits: Limits,
) -> RecordedSettings:
    """What is to be told.

    :param plugin_config: plug-in name to what its ``start`` gets.
    :param quirks: as `ocpp_twisted.quirks.Quirks.as_document` makes it.
    """
    settings = RecordedSettings(
        action_plugins=tuple(plugin.name for plugin in action_plugins),
        quirks=quirks,
        limits=limits,
    )
    for plugin in action_plugins:
        config = plugin_config.get(plugin.name, {})
        named = may_be_told(plugin)
        tellable = {key: config[key] for key in config if key in named and _is_json(config[key])}
        if tellable:
            settings.plugins[plugin.name] = tellable
        if withheld := tuple(key for key in config if key not in tellable):
            settings.withheld[plugin.name] = withheld
    return settings


def may_be_told(plugin: IActionPlugin) -> Collection[str]:
    """The keys of a plug-in's configuration that may stand in a recording."""
    keys: Collection[str] = plugin.recorded_config if ITellsConfig.providedBy(plugin) else ()
    return keys


def _is_json(value: Any) -> bool:
    """Whether a value comes out of JSON as it went in: a program may configure with anything."""
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(value)) == value)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        return False
