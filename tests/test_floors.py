"""Imports only go down: the floors of the house, read from its source (docs/design.md, section 3).

Nothing is imported here; the import statements of every module are read with `ast`, those inside
functions and under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import ocpp_twisted

PACKAGE = "ocpp_twisted"

#: The part of the package (a module or a subpackage right below it) and its floor.
FLOORS = {
    "errors": 0,
    "excerpt": 0,
    "identity": 0,
    "epoll_reactor": 0,
    "garbage": 0,
    "data_directory": 0,
    "writable": 0,
    "complaints": 0,
    "systemd": 0,
    "places": 0,
    "shell": 0,
    "limits": 0,
    "measuring": 0,
    "uvloop_reactor": 0,
    "ocppj": 1,
    "v16": 2,
    "v20": 2,
    "v201": 2,
    "v21": 2,
    "interfaces": 2,
    "versions": 2,
    "records": 2,
    "recording": 2,
    "security": 2,
    "plugin": 3,
    "quirks": 3,
    "registration": 3,
    "remembered": 3,
    "sharing": 3,
    "recalling": 3,
    "answering": 3,
    "attached": 3,
    "hub": 3,
    "watch": 3,
    "connection": 3,
    "data_transfer": 3,
    "deadlines": 3,
    "discovery": 3,
    "routing": 3,
    "logs": 3,
    "metrics": 3,
    "central_system": 4,
    "charge_point": 4,
    "websocket": 4,
    "simulator": 5,
    "plugins": 5,
    "command_line": 6,
    "config": 6,
    "check": 6,
    "operations": 5,
    "options": 6,
    "values": 6,
    "replay": 6,
    "service": 6,
    "stress": 6,
    "testing": 6,
    "worker_service": 6,
    "fleet_options": 6,
    "fleet_service": 6,
    "fleet_settings": 6,
}

#: On the same floor, and still strangers.
STRANGERS = {
    "central_system": {"websocket"},
    "websocket": {"central_system"},
}

#: What `plugins` may know of the package besides itself.
KNOWN_TO_PLUGINS = {
    "errors",
    "identity",
    "interfaces",
    "measuring",
    "plugin",
    "records",
    "security",
    "attached",
    "data_directory",
    "writable",
    "complaints",
    "places",
    "data_transfer",
    "discovery",
    "hub",
    "versions",
    "v16",
    "v20",
    "v201",
    "v21",
    "ocppj.message",
    "recording.redaction",
}

#: What `plugins.nats` may know besides: it stands between a connection and its handlers.
KNOWN_TO_NATS = {
    "answering",
    "registration",
    "routing",
    "ocppj.catalogue",
    "ocppj.leniency",
    "ocppj.times",
}

#: What sans-IO means for `ocppj`.
NOT_FOR_OCPPJ = {
    "twisted",
    "zope",
    "autobahn",
    "time",
    "socket",
    "select",
    "selectors",
    "ssl",
    "asyncio",
    "threading",
}


def part_of(module: str) -> str | None:
    """The part that a module belongs to; None for the package itself or another one's."""
    names = module.split(".")
    if names[0] != PACKAGE or len(names) == 1 or names[1].startswith("__"):
        return None
    return names[1]


def imports(module: str, is_package: bool, source: str) -> Iterator[tuple[int, str]]:
    """The line and the full name of everything that a module imports.

    ``from a import b`` gives ``a.b``: b may be a module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            names = []
            if node.level:
                names = module.split(".")
                names = names[: len(names) - node.level + is_package]
            base = ".".join([*names, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def broken_rules(module: str, imported: str) -> Iterator[str]:
    """A sentence for each rule that this import of this module breaks."""
    part, other = part_of(module), part_of(imported)
    if part == "ocppj" and imported.split(".")[0] in NOT_FOR_OCPPJ:
        yield "ocppj is sans-IO"
    if part is None or other is None or part == other:
        return
    if other not in FLOORS:
        yield no_floor(imported)
    elif FLOORS[other] > FLOORS[part]:
        yield f"it goes up, from floor {FLOORS[part]} to floor {FLOORS[other]}"
    elif other in STRANGERS.get(part, ()):
        yield f"{part} knows an interface, not {other}"
    elif part == "plugins" and not {other, ".".join(imported.split(".")[1:3])} & known_to(module):
        yield "plugins know interfaces and messages only"


def known_to(module: str) -> set[str]:
    """What a plug-in may know of the package."""
    between = module.startswith(f"{PACKAGE}.plugins.nats")
    return KNOWN_TO_PLUGINS | KNOWN_TO_NATS if between else KNOWN_TO_PLUGINS


def no_floor(module: str) -> str:
    return (
        f"{module} is on no floor: add {part_of(module)!r} to FLOORS in tests/test_floors.py, "
        "on the lowest floor that its imports allow, and to the plan in docs/design.md"
    )


def complaints(modules: Iterable[tuple[str, bool, str]]) -> list[str]:
    """What is wrong in these modules, each given as name, whether it is a package, and source."""
    found = []
    for module, is_package, source in modules:
        part = part_of(module)
        if part is not None and part not in FLOORS:
            found.append(no_floor(module))
            continue
        seen = set()
        for line, imported in imports(module, is_package, source):
            for sentence in broken_rules(module, imported):
                if (line, sentence) not in seen:
                    seen.add((line, sentence))
                    found.append(f"{module}, line {line}, imports {imported}: {sentence}")
    return found


def modules_in(folder: Path) -> Iterator[tuple[str, bool, str]]:
    for path in sorted(folder.rglob("*.py")):
        names = [PACKAGE, *path.relative_to(folder).with_suffix("").parts]
        is_package = names[-1] == "__init__"
        module = ".".join(names[:-1] if is_package else names)
        yield module, is_package, path.read_text(encoding="utf-8")


class TheHouse(SynchronousTestCase):
    def test_imports_only_go_down(self):
        modules = list(modules_in(Path(ocpp_twisted.__file__).parent))
        self.assertIn(f"{PACKAGE}.ocppj.session", [name for name, _, _ in modules])
        found = complaints(modules)
        self.assertEqual(found, [], "\n" + "\n".join(found))


class TheRules(SynchronousTestCase):
    """Each rule refuses what it is there to refuse."""

    def refused(self, module, source, sentence, is_package=False):
        found = complaints([(f"{PACKAGE}.{module}", is_package, source)])
        self.assertEqual(len(found), 1, found)
        self.assertIn(sentence, found[0])

    def allowed(self, module, source, is_package=False):
        self.assertEqual(complaints([(f"{PACKAGE}.{module}", is_package, source)]), [])

    def test_up(self):
        self.refused("errors", "import ocpp_twisted.ocppj", "from floor 0 to floor 1")
        self.refused(
            "interfaces", "from ocpp_twisted.connection import Limits", "from floor 2 to floor 3"
        )
        self.refused("connection", "from ocpp_twisted import central_system", "3 to floor 4")
        self.refused("websocket.server", "from ocpp_twisted.plugins import http", "4 to floor 5")
        self.refused("plugins.local", "from ocpp_twisted import config", "5 to floor 6")

    def test_up_inside_a_function(self):
        self.refused("routing", "def f():\n    import ocpp_twisted.service", "line 2")

    def test_up_by_a_relative_import(self):
        self.refused("routing", "from . import service", "3 to floor 6")
        self.refused("websocket.server", "from ..plugins import http", "4 to floor 5")
        self.refused("websocket", "from ..plugins import http", "4 to floor 5", is_package=True)

    def test_down_and_the_same_floor(self):
        self.allowed("service", "from ocpp_twisted import central_system, config, errors")
        self.allowed("connection", "from ocpp_twisted.routing import Route")
        self.allowed("websocket.server", "from ocpp_twisted.websocket.urls import BadId")
        self.allowed("websocket.server", "from .urls import BadId")
        self.allowed("websocket", "from .urls import BadId", is_package=True)
        self.allowed("central_system", "import ocpp_twisted")
        self.allowed("central_system", "from ocpp_twisted import __version__")

    def test_strangers_on_one_floor(self):
        self.refused("websocket.server", "from ocpp_twisted import central_system", "an interface")
        self.refused("central_system", "import ocpp_twisted.websocket.server", "an interface")
        self.allowed("charge_point", "import ocpp_twisted.websocket.client")

    def test_ocppj_never_imports_a_version(self):
        for version in ("v16", "v20", "v201", "v21", "versions"):
            self.refused("ocppj.session", f"from ocpp_twisted import {version}", "it goes up")

    def test_ocppj_is_sans_io(self):
        for source in (
            "import twisted",
            "from twisted.internet.defer import Deferred",
            "import zope.interface",
            "from time import monotonic",
            "import socket",
        ):
            self.refused("ocppj.session", source, "sans-IO")
        self.allowed("ocppj.session", "from datetime import datetime")
        self.allowed("connection", "from twisted.internet.defer import Deferred")

    def test_plugins_know_interfaces_and_messages(self):
        for source in (
            "from ocpp_twisted.central_system import CentralSystem",
            "from ocpp_twisted import connection",
            "from ocpp_twisted.websocket.server import Server",
            "from ocpp_twisted.ocppj.session import Session",
            "from ocpp_twisted.ocppj import session",
            "import ocpp_twisted.ocppj.frames",
            "import ocpp_twisted.ocppj",
        ):
            self.refused("plugins.http.rest", source, "interfaces and messages only")
        for source in (
            "from ocpp_twisted.plugins.local import store",
            "from ocpp_twisted.ocppj.message import Request",
            "from ocpp_twisted.ocppj import message",
            "from ocpp_twisted import errors, interfaces, plugin, v16, versions",
            "from ocpp_twisted.discovery import find",
        ):
            self.allowed("plugins.http.rest", source)

    def test_a_module_without_a_floor(self):
        self.refused("utils", "", "add 'utils' to FLOORS in tests/test_floors.py")
        self.refused("service", "import ocpp_twisted.utils", "add 'utils' to FLOORS")
