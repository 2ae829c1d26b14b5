"""Plug-ins by name: found in true ``twisted/plugins`` folders, or a sentence that says why not.

Each test makes folders and looks into them with a process of its own, as a start of ``twistd``
would.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from tests.support import environment

CHOOSE = """
import sys
from ocpp_twisted import discovery, interfaces
kind = {"action": interfaces.IActionPlugin, "active": interfaces.IActiveCallPlugin}[sys.argv[1]]
try:
    print([type(plugin).__name__ for plugin in discovery.choose(kind, sys.argv[2:])])
except discovery.ConfigurationError as error:
    print(error)
print(*(name for name in sys.modules if name.startswith("my_")))
"""

DECLARATION = """
from ocpp_twisted.discovery import PluginDeclaration
from ocpp_twisted.interfaces import IActionPlugin, IActiveCallPlugin
{name} = PluginDeclaration("{name}", IActionPlugin, "{target}")
"""

PLUGIN = """
from ocpp_twisted.plugin import ActionPlugin
class Mine(ActionPlugin):
    name = "mine"
"""


class DiscoveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()

    def file(self, path: str, text: str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(dedent(text))

    def declare(self, name: str, target: str, folder: str = "a") -> None:
        text = DECLARATION.format(name=name, target=target)
        self.file(f"{folder}/twisted/plugins/{folder}_{name}.py", text)

    def choose(self, *names: str, kind: str = "action") -> str:
        """What choosing these plug-ins gives: their classes, or the sentence."""
        path = ":".join(str(folder) for folder in sorted(self.folder.iterdir()))
        done = subprocess.run(
            [sys.executable, "-c", CHOOSE, kind, *names],
            env=environment(PYTHONPATH=path),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        sentence, self.imported = done.stdout.splitlines()
        return sentence

    def test_a_declaration(self) -> None:
        self.declare("mine", "my_module:Mine")
        self.file("a/my_module.py", PLUGIN)
        self.assertEqual(self.choose("mine"), "['Mine']")

    def test_in_the_order_of_their_names(self) -> None:
        self.declare("mine", "my_module:Mine")
        self.declare("other", "my_module:Other")
        self.file("a/my_module.py", PLUGIN + "class Other(Mine): name = 'other'")
        self.assertEqual(self.choose("other", "mine"), "['Other', 'Mine']")

    def test_what_is_not_chosen_is_not_imported(self) -> None:
        self.declare("mine", "my_module:Mine")
        self.declare("heavy", "my_heavy:Heavy")
        self.file("a/my_module.py", PLUGIN)
        self.file("a/my_heavy.py", "raise SystemExit")
        self.assertEqual((self.choose("mine"), self.imported), ("['Mine']", "my_module"))

    def test_the_plugin_itself_without_a_declaration(self) -> None:
        self.file("a/twisted/plugins/direct.py", PLUGIN + "mine = Mine()")
        self.assertEqual(self.choose("mine"), "['Mine']")

    def test_an_active_one(self) -> None:
        self.file(
            "a/twisted/plugins/direct.py",
            """
            from twisted.plugin import IPlugin
            from zope.interface import implementer
            from ocpp_twisted.interfaces import IActiveCallPlugin

            @implementer(IActiveCallPlugin)
            class Commander:
                name = "mine"
                def start(self, caller, config): ...
                def stop(self): ...

            mine = Commander()
            """,
        )
        self.assertEqual(self.choose("mine", kind="active"), "['Commander']")
        self.assertIn("there is no action plug-in 'mine'", self.choose("mine"))

    def test_one_that_is_not_there(self) -> None:
        self.declare("mine", "my_module:Mine")
        self.assertEqual(
            self.choose("yours"), "there is no action plug-in 'yours'; there is: local, mine, nats"
        )

    def test_a_file_that_cannot_be_imported(self) -> None:
        self.file("a/twisted/plugins/broken.py", "import my_nothing")
        sentence = self.choose("mine")
        path = self.folder / "a/twisted/plugins/broken.py"
        self.assertEqual(
            sentence,
            "there is no action plug-in 'mine'; there is: local, nats. "
            f"{path} cannot be imported: ModuleNotFoundError: No module named 'my_nothing'",
        )

    def test_a_broken_file_does_not_hide_the_others(self) -> None:
        self.file("a/twisted/plugins/broken.py", "def")
        self.file("b/twisted/plugins/direct.py", PLUGIN + "mine = Mine()")
        self.assertEqual(self.choose("mine"), "['Mine']")

    def test_a_declaration_that_leads_nowhere(self) -> None:
        beginning = "action plug-in 'mine' from twisted.plugins.a_mine: it cannot be loaded: "
        self.file("a/my_module.py", PLUGIN + "def fails(): raise ValueError('no licence')")
        for target, reason in {
            "my_nothing:Mine": "ModuleNotFoundError: No module named 'my_nothing'",
            "my_module:Yours": "AttributeError: module 'my_module' has no attribute 'Yours'",
            "my_module:fails": "ValueError: no licence",
            "my_module": "AttributeError: ",
        }.items():
            self.declare("mine", target)
            self.assertIn(beginning + reason, self.choose("mine"))

    def test_one_that_does_not_keep_to_the_interface(self) -> None:
        self.declare("mine", "my_module:Half")
        self.file("a/my_module.py", PLUGIN + "class Half: name = 'mine'")
        self.assertIn(
            "action plug-in 'mine' from twisted.plugins.a_mine: "
            "it does not keep to IActionPlugin: ",
            self.choose("mine"),
        )

    def test_one_without_a_name(self) -> None:
        self.declare("mine", "my_module:Nameless")
        self.file("a/my_module.py", PLUGIN + "class Nameless(ActionPlugin): pass")
        self.assertIn("IActionPlugin.name attribute was not provided", self.choose("mine"))

    def test_a_declaration_that_is_none_does_not_hide_the_others(self) -> None:
        wrong = """
        from twisted.plugin import IPlugin
        from zope.interface import Interface, implementer
        from ocpp_twisted.discovery import PluginDeclaration
        from ocpp_twisted.interfaces import IActionPlugin, IPluginDeclaration

        class IOther(Interface): ...

        @implementer(IPluginDeclaration, IPlugin)
        class Nameless:
            kind = IActionPlugin
            def load(self): ...

        @implementer(IPluginDeclaration, IPlugin)
        class Kindless:
            name = "mine"
            def load(self): ...

        nameless = Nameless()
        kindless = Kindless()
        unnamed = PluginDeclaration(None, IActionPlugin, "my_module:Mine")
        numbered = PluginDeclaration(5, IActionPlugin, "my_module:Mine")
        unknown = PluginDeclaration("mine", IOther, "my_module:Mine")
        unspeakable = PluginDeclaration("mine", [], "my_module:Mine")
        """
        for folder in "ac":
            self.file(f"{folder}/twisted/plugins/{folder}_wrong.py", wrong)
        self.declare("mine", "my_module:Mine", folder="b")
        self.file("b/my_module.py", PLUGIN)
        self.assertEqual(self.choose("mine"), "['Mine']")
        self.assertEqual(
            self.choose("yours"), "there is no action plug-in 'yours'; there is: local, mine, nats"
        )

    def test_two_of_one_name(self) -> None:
        self.declare("mine", "my_module:Mine", folder="a")
        self.declare("mine", "my_module:Mine", folder="b")
        self.assertEqual(
            self.choose("mine"),
            "there are several action plug-ins 'mine': "
            "in twisted.plugins.a_mine and twisted.plugins.b_mine",
        )

    def test_two_of_one_name_in_one_file(self) -> None:
        text = DECLARATION.format(name="mine", target="my_module:Mine")
        again = text.replace("mine =", "again =")
        self.file("a/twisted/plugins/twice.py", text + again)
        self.assertIn("there are several action plug-ins 'mine'", self.choose("mine"))
