"""The clause tables of docs/protocol.md name tests and modules that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "protocol.md").read_text()
#: The short names of test files.
FILES = dict(re.findall(r"\| (\w+) \| `(tests/[^`]+)`", PAGE))
ROWS = [line for line in PAGE.partition("### OCPP 1.6")[2].splitlines() if line.startswith("| ")]


class Classes(ast.NodeVisitor):
    """The test methods of each class of a module, inherited ones too."""

    def __init__(self, path: Path) -> None:
        self.methods: dict[str, set[str]] = {}
        self.visit(ast.parse(path.read_text()))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        methods = {member.name for member in node.body if hasattr(member, "name")}
        for base in node.bases:
            if isinstance(base, ast.Name):
                methods |= self.methods.get(base.id, set())
        self.methods[node.name] = methods


class ClauseTests(SynchronousTestCase):
    def test_each_test_is_there(self) -> None:
        classes = {short: Classes(ROOT / path).methods for short, path in FILES.items()}
        named = re.findall(r"\b([A-Z]{1,2}(?:16)?)::(\w+)\.(test\w+)", PAGE)
        missing = [name for name in named if name[2] not in classes[name[0]].get(name[1], ())]
        self.assertEqual(missing, [])
        self.assertGreater(len(named), 100)

    def test_each_entry_of_a_table_of_tests_is_there(self) -> None:
        source = (ROOT / FILES["M"]).read_text()
        named = re.findall(r'M::\w+ "([^"]+)"', PAGE)
        self.assertEqual([name for name in named if f'"{name}"' not in source], [])
        self.assertGreater(len(named), 20)

    def test_each_module_is_there(self) -> None:
        named = {name for row in ROWS for name in re.findall(r"`([\w/]+\.py)`", row)}
        parts = ("", "ocppj", "plugins/local")
        paths = [ROOT / "ocpp_twisted" / part for part in parts]
        missing = [name for name in named if not any((path / name).exists() for path in paths)]
        self.assertEqual(missing, [])

    def test_each_row_has_its_four_columns(self) -> None:
        self.assertEqual([row for row in ROWS if len(re.findall(r" \|", row)) != 4], [])
