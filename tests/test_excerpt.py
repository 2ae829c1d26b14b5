"""What a peer says fits a line of the log, and stays on it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.excerpt import excerpt


class ExcerptTests(SynchronousTestCase):
    def test_what_is_harmless_stays(self) -> None:
        self.assertEqual(excerpt("Ladesäule 7: außer Betrieb"), "Ladesäule 7: außer Betrieb")

    def test_it_is_cut(self) -> None:
        self.assertEqual(excerpt("x" * 300, 5), "xxxxx...")

    def test_what_is_not_printable_is_escaped(self) -> None:
        said = "bye\n2026 [evil#info]\x1b[31m\u202e"
        self.assertEqual(excerpt(said), r"bye\n2026 [evil#info]\x1b[31m\u202e")
