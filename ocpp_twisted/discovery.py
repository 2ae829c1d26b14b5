"""Plug-ins by name: found where Twisted finds its own, loaded when they are chosen.

Imports the interfaces. A plug-in is announced in a file of a ``twisted/plugins`` folder on
Python's path, by a `PluginDeclaration` (which imports nothing until it is chosen) or by an
object that is the plug-in itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from twisted.logger import Logger
from twisted.plugin import IPlugin, getCache
from twisted.python.modules import getModule
from zope.interface import implementer
from zope.interface.exceptions import Invalid
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyObject

import twisted.plugins
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import IActionPlugin, IActiveCallPlugin, IPluginDeclaration

__all__ = ["Found", "PluginDeclaration", "available", "choose", "look_in"]

_log = Logger()

#: What people call the kinds.
KINDS: dict[InterfaceClass, str] = {IActionPlugin: "action", IActiveCallPlugin: "active"}


@implementer(IPluginDeclaration, IPlugin)
class PluginDeclaration:
    """Announces a plug-in by where it is.

    :param name: the name it is chosen by.
    :param kind: `IActionPlugin` or `IActiveCallPlugin`.
    :param target: ``module:factory``; called without arguments, the factory makes the plug-in.
    """

    def __init__(self, name: str, kind: InterfaceClass, target: str) -> None:
        self.name = name
        self.kind = kind
        self.target = target

    def load(self) -> Any:
        """See `IPluginDeclaration.load`."""
        module, _, factory = self.target.partition(":")
        return getattr(import_module(module), factory)()


class Found(NamedTuple):
    """A plug-in that can be chosen.

    :ivar name: by which it is chosen.
    :ivar kind: ``action`` or ``active``.
    :ivar where: the module that announces it.
    :ivar announced: a declaration, or the plug-in itself.
    """

    name: str
    kind: str
    where: str
    announced: Any

    def load(self) -> Any:
        """The plug-in.

        :raises ConfigurationError: if it cannot be imported, or does not provide what it must.
        """
        interface = next(known for known, kind in KINDS.items() if kind == self.kind)
        plugin = self.announced
        try:
            if IPluginDeclaration.providedBy(plugin):
                plugin = plugin.load()
            verifyObject(interface, plugin)
        except Invalid as error:
            text = " ".join(str(error).split())
            reason = f"it does not keep to {interface.__name__}: {text}"
        except Exception as error:
            reason = f"it cannot be loaded: {type(error).__name__}: {error}"
        else:
            return plugin
        raise ConfigurationError(f"{self.kind} plug-in {self.name!r} from {self.where}: {reason}")


def look_in(directory: Path) -> None:
    """Look for plug-ins in a directory's ``twisted/plugins`` folder too, if it has one."""
    folder = str(directory / "twisted" / "plugins")
    if Path(folder).is_dir() and folder not in twisted.plugins.__path__:
        sys.path.append(str(directory))  # what the plug-ins import lies there
        twisted.plugins.__path__.append(folder)


def available() -> list[Found]:
    """All plug-ins that can be chosen, by kind and name.

    One that stands in a file which cannot be imported is not among them; see `choose`.
    """
    found = {(plugin.kind, id(plugin.announced)): plugin for plugin in _announced()}
    return sorted(found.values(), key=lambda plugin: plugin[:3])


def choose(kind: InterfaceClass, names: Sequence[str]) -> list[Any]:
    """The plug-ins of these names, loaded.

    :param kind: `IActionPlugin` or `IActiveCallPlugin`.
    :raises ConfigurationError: if one is missing, ambiguous or broken; the text says which and
        why.
    """
    return [_choose(KINDS[kind], name) for name in names]


def _choose(kind: str, name: str) -> Any:
    known = [plugin for plugin in available() if plugin.kind == kind]
    named = [plugin for plugin in known if plugin.name == name]
    if len(named) == 1:
        return named[0].load()
    if named:
        where = " and ".join(plugin.where for plugin in named)
        raise ConfigurationError(f"there are several {kind} plug-ins {name!r}: in {where}")
    others = ", ".join(sorted(plugin.name for plugin in known)) or "none"
    text = f"there is no {kind} plug-in {name!r}; there is: {others}"
    broken = "; ".join(f"{module} cannot be imported: {why}" for module, why in _broken())
    raise ConfigurationError(f"{text}. {broken}" if broken else text)


def _announced() -> Iterator[Found]:
    for dropin in getCache(twisted.plugins).values():
        for cached in dropin.plugins:
            for interface in (IPluginDeclaration, *KINDS):
                if any(provided.isOrExtends(interface) for provided in cached.provided):
                    yield from _found(cached, interface)


def _found(cached: Any, interface: InterfaceClass) -> Iterator[Found]:
    where = cached.dropin.moduleName
    try:
        announced = cached.load()
        kind = announced.kind if interface is IPluginDeclaration else interface
        if not isinstance(announced.name, str):
            raise TypeError(f"its name is {announced.name!r}")
        found = Found(announced.name, KINDS[kind], where, announced)
    except Exception as error:
        # `_broken` tells of what cannot be imported, should it be asked for.
        _log.debug("{where} announces no plug-in: {error}", where=where, error=error)
        return
    yield found


def _broken() -> Iterator[tuple[str, str]]:
    for module in getModule("twisted.plugins").iterModules():
        if module.name.startswith("twisted.plugins.twisted_"):
            continue  # Twisted's own
        try:
            module.load()
        except Exception as error:
            yield module.filePath.path, f"{type(error).__name__}: {error}"
