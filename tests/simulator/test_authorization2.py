"""Who may charge in 2.x: tokens, groups, the local list and the cache (blocks C and D)."""

from __future__ import annotations

from typing import Any

from tests.simulator.case2 import Case, each


class Tokens:
    def answer_with(self, **statuses: str) -> None:
        """What Authorize is answered for tokens; for all others Invalid."""

        def answer(request: Any) -> Any:
            status, _, group = statuses.get(request.idToken.idToken, "Invalid").partition(" ")
            kind = self.m.GroupIdTokenType if self.version == "2.0" else self.m.IdTokenType
            more = {"groupIdToken": kind(idToken=group, type="Central")} if group else {}
            return self.m.AuthorizeResponse(
                idTokenInfo=self.m.IdTokenInfoType(status=status, **more)
            )

        self.central.answers["Authorize"] = answer

    def present(self, token: str, number: int = 1) -> None:
        self.station.present(token, number)
        self.run_for(1)

    def charging(self, number: int = 1) -> bool:
        return self.station.outlets[number - 1].flow > 0

    def cut_off(self) -> None:
        self.network.reachable = False
        self.network.cut()

    def test_a_bad_token_starts_nothing(self):
        self.answer_with(GOOD="Accepted", BAD="Blocked")
        self.station.plug_in()
        for token in ("BAD", "OTHER"):
            self.present(token)
            self.assertFalse(self.charging())
        self.present("GOOD")
        self.assertTrue(self.charging())

    def test_without_authorization_anybody_may(self):
        self.set("AuthCtrlr", "Enabled", "false")
        self.station.plug_in()
        self.heard()
        self.present("ANY")
        self.assertTrue(self.charging())
        self.assertEqual(self.heard("Authorize"), [])

    def test_another_token_of_the_group_stops_it(self):
        self.answer_with(A="Accepted G", B="Accepted G", C="Accepted H", D="Accepted")
        self.station.plug_in()
        self.present("A")
        for token in ("C", "D", "E"):
            self.present(token)
            self.assertTrue(self.charging())
        self.present("B")
        self.assertFalse(self.charging())
        *_, event = self.heard("TransactionEvent")
        self.assertEqual(event["idToken"]["idToken"], "B")

    def test_a_master_pass_stops_it_but_starts_nothing(self):
        self.set("AuthCtrlr", "MasterPassGroupId", "M")
        self.answer_with(A="Accepted", MASTER="Accepted M")
        self.station.plug_in()
        self.present("MASTER")
        self.assertFalse(self.charging())
        self.present("A")
        self.present("MASTER")
        *_, event = self.heard("TransactionEvent")
        self.assertEqual(self.info(event)["stoppedReason"], "MasterPass")

    def test_the_cache_saves_a_question(self):
        self.set("AuthCtrlr", "LocalPreAuthorize", "true")
        for expected in (1, 0):
            self.station.plug_in()
            self.present("A")
            self.assertTrue(self.charging())
            self.assertEqual(len(self.heard("Authorize")), expected)
            self.station.unplug()
            self.run_for(1)
        self.assertEqual(self.get("AuthCacheCtrlr", "Storage"), "100")
        self.assertEqual(self.ask("ClearCache")["status"], "Accepted")
        self.assertEqual(self.get("AuthCacheCtrlr", "Storage"), "0")
        self.station.plug_in()
        self.present("A")
        self.assertEqual(len(self.heard("Authorize")), 1)

    def test_a_cached_token_does_not_last(self):
        self.set("AuthCtrlr", "LocalPreAuthorize", "true")
        self.set("AuthCacheCtrlr", "LifeTime", "100")
        self.present("A")
        self.run_for(101)
        self.heard()
        self.present("A")
        self.assertEqual(len(self.heard("Authorize")), 1)

    def test_a_bad_token_in_the_cache(self):
        self.set("AuthCtrlr", "LocalPreAuthorize", "true")
        self.answer_with()
        self.present("A")
        self.heard()
        self.present("A")
        self.assertEqual(len(self.heard("Authorize")), 1)
        self.set("AuthCacheCtrlr", "DisablePostAuthorize", "true")
        self.present("A")
        self.assertEqual(self.heard("Authorize"), [])

    def test_no_cache_to_be_cleared(self):
        self.set("AuthCacheCtrlr", "Enabled", "false")
        self.assertEqual(self.ask("ClearCache")["status"], "Rejected")

    def test_offline_only_known_tokens_may(self):
        self.present("A")
        self.run_for(61)  # no cable: it is no longer authorized
        self.cut_off()
        self.station.plug_in()
        self.present("B")
        self.assertFalse(self.charging())
        self.present("A")
        self.assertTrue(self.charging())

    def test_offline_nobody_may(self):
        self.set("AuthCtrlr", "LocalAuthorizeOffline", "false")
        self.present("A")
        self.run_for(61)
        self.cut_off()
        self.station.plug_in()
        self.present("A")
        self.assertFalse(self.charging())

    def test_the_central_system_is_not_to_be_asked(self):
        self.set("AuthCtrlr", "DisableRemoteAuthorization", "true")
        self.heard()
        self.station.plug_in()
        self.present("A")
        self.assertFalse(self.charging())
        self.assertEqual(self.heard("Authorize"), [])

    def test_a_central_system_that_does_not_answer_is_as_if_offline(self):
        self.set("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "true")

        def answer(request: Any) -> Any:
            raise ValueError("the database is away")

        self.central.answers["Authorize"] = answer
        self.station.plug_in()
        self.present("A")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertTrue(self.charging())

    # -- the local list -----------------------------------------------------------------------

    def send_list(self, version: int, update: str, **statuses: str | None) -> str:
        entries = [
            self.m.AuthorizationData(
                idToken=self.token(token),
                **({"idTokenInfo": self.m.IdTokenInfoType(status=status)} if status else {}),
            )
            for token, status in statuses.items()
        ]
        more = {"localAuthorizationList": entries} if entries else {}
        status: str = self.ask("SendLocalList", versionNumber=version, updateType=update, **more)[
            "status"
        ]
        return status

    def list_version(self) -> int:
        version: int = self.ask("GetLocalListVersion")["versionNumber"]
        return version

    def test_the_list_and_its_versions(self):
        self.assertEqual(self.list_version(), 0)
        self.assertEqual(self.send_list(3, "Full", A="Accepted", B="Blocked"), "Accepted")
        self.assertEqual(self.list_version(), 3)
        self.assertEqual(self.get("LocalAuthListCtrlr", "Entries"), "2")
        self.assertEqual(self.send_list(3, "Differential", C="Accepted"), "VersionMismatch")
        self.assertEqual(self.send_list(4, "Differential", A=None, C="Accepted"), "Accepted")
        self.assertEqual(self.get("LocalAuthListCtrlr", "Entries"), "2")
        self.assertEqual(self.send_list(5, "Full"), "Accepted")
        self.assertEqual(self.list_version(), 0)

    def test_the_list_decides(self):
        self.set("AuthCtrlr", "LocalPreAuthorize", "true")
        self.send_list(1, "Full", A="Accepted", B="Blocked")
        self.set("LocalAuthListCtrlr", "DisablePostAuthorize", "true")
        self.heard()
        self.station.plug_in()
        self.present("B")
        self.assertFalse(self.charging())
        self.present("a")  # tokens are case-insensitive
        self.assertTrue(self.charging())
        self.assertEqual(self.heard("Authorize"), [])

    def test_no_list(self):
        self.send_list(1, "Full", A="Accepted")
        self.set("LocalAuthListCtrlr", "Enabled", "false")
        self.assertEqual(self.send_list(2, "Full", A="Accepted"), "Failed")
        self.assertEqual(self.list_version(), 0)


class Places(Case):
    def test_a_token_for_some_evses(self):
        self.central.answers["Authorize"] = lambda request: self.m.AuthorizeResponse(
            idTokenInfo=self.m.IdTokenInfoType(status="Accepted", evseId=[2])
        )
        for number in (1, 2):
            self.station.plug_in(number)
            self.station.present("AA", number)
            self.run_for(1)
        self.assertEqual([outlet.flow > 0 for outlet in self.station.outlets], [False, True])


globals().update(each(Tokens))
