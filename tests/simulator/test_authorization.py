"""The local authorization list and the cache."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.simulator.authorization import Cache, LocalList, Standing

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
GOOD = Standing(status="Accepted")
BAD = Standing(status="Blocked")


class AList(SynchronousTestCase):
    def setUp(self):
        self.list = LocalList(limit=3, at_once=2)

    def test_an_empty_one_has_version_0(self):
        self.assertEqual(self.list.version, 0)
        self.assertEqual(self.list.replace(4, [("a", GOOD)]), "Accepted")
        self.assertEqual(self.list.version, 4)
        self.assertEqual(self.list.replace(5, []), "Accepted")
        self.assertEqual(self.list.version, 0)
        self.assertEqual(self.list.update(3, [("a", GOOD)]), "Accepted")

    def test_a_full_one_replaces(self):
        self.list.replace(1, [("a", GOOD), ("b", GOOD)])
        self.assertEqual(self.list.replace(1, [("b", BAD)]), "Accepted")
        self.assertIsNone(self.list.get("a", NOW))
        self.assertEqual(self.list.get("b", NOW), BAD)

    def test_changes_add_update_and_delete(self):
        self.list.replace(1, [("a", GOOD), ("b", GOOD)])
        self.assertEqual(self.list.update(2, [("a", None), ("b", BAD)]), "Accepted")
        self.assertEqual(self.list.update(3, [("c", GOOD), ("x", None)]), "Accepted")
        self.assertEqual(sorted(self.list), ["b", "c"])
        self.assertEqual(self.list.get("b", NOW), BAD)
        self.assertEqual(self.list.version, 3)

    def test_changes_have_to_be_newer(self):
        self.list.replace(4, [("a", GOOD)])
        for version in (3, 4):
            self.assertEqual(self.list.update(version, [("a", BAD)]), "VersionMismatch")
        self.assertEqual(self.list.get("a", NOW), GOOD)

    def test_what_fails_changes_nothing(self):
        self.list.replace(4, [("a", GOOD)])
        for outcome in (
            self.list.replace(0, [("b", GOOD)]),
            self.list.replace(-1, [("b", GOOD)]),
            self.list.replace(5, [("b", GOOD), ("b", BAD)]),
            self.list.replace(5, [("b", None)]),
            self.list.replace(5, [("b", GOOD), ("c", GOOD), ("d", GOOD)]),
            self.list.update(5, [("b", GOOD), ("b", GOOD)]),
            self.list.update(5, [("b", GOOD), ("c", GOOD), ("d", GOOD)]),
        ):
            self.assertEqual(outcome, "Failed")
        self.assertEqual((self.list.version, list(self.list)), (4, ["a"]))

    def test_it_holds_so_many(self):
        self.list.replace(1, [("a", GOOD), ("b", GOOD)])
        self.assertEqual(self.list.update(2, [("c", GOOD), ("d", GOOD)]), "Failed")
        self.assertEqual(self.list.update(2, [("c", GOOD)]), "Accepted")
        self.assertEqual(len(self.list), 3)

    def test_who_has_expired_may_not_charge(self):
        self.list.replace(1, [("a", Standing(status="Accepted", expiry=LATER))])
        self.assertEqual(self.list.get("a", NOW).status, "Accepted")
        self.assertEqual(self.list.get("a", LATER).status, "Expired")

    def test_what_is_bad_does_not_become_expired(self):
        self.list.replace(1, [("a", Standing(status="Blocked", expiry=LATER))])
        self.assertEqual(self.list.get("a", LATER).status, "Blocked")


class ACache(SynchronousTestCase):
    def setUp(self):
        self.cache = Cache(3)

    def known(self, now=NOW):
        return [each for each in "abcdef" if self.cache.get(each, now) is not None]

    def test_the_newest_word_counts(self):
        self.cache.put("a", GOOD, NOW)
        self.cache.put("a", BAD, NOW)
        self.assertEqual(self.cache.get("a", NOW), BAD)
        self.assertEqual(len(self.cache), 1)

    def test_the_bad_ones_go_first(self):
        for token, standing in (("a", GOOD), ("b", BAD), ("c", GOOD), ("d", GOOD)):
            self.cache.put(token, standing, NOW)
        self.assertEqual(self.known(), ["a", "c", "d"])

    def test_the_expired_are_bad_ones(self):
        self.cache.put("a", GOOD, NOW)
        self.cache.put("b", Standing(status="Accepted", expiry=LATER), NOW)
        self.cache.put("c", GOOD, NOW)
        self.cache.put("d", GOOD, LATER)
        self.assertEqual(self.known(), ["a", "c", "d"])

    def test_then_the_oldest(self):
        for token in "abcda":
            self.cache.put(token, GOOD, NOW)
        self.assertEqual(self.known(), ["a", "c", "d"])

    def test_clearing_and_forgetting(self):
        for token in "abc":
            self.cache.put(token, GOOD, NOW)
        self.cache.forget(["a", "x"])
        self.assertEqual(self.known(), ["b", "c"])
        self.cache.clear()
        self.assertEqual(self.known(), [])
