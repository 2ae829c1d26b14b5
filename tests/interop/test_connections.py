"""What clients offer and name when they connect, and what becomes of their old connections."""

from __future__ import annotations

from typing import Any

from ocpp_twisted import v16, v201
from ocpp_twisted.identity import Identity
from tests.interop.case import InteropCase
from tests.interop.process import ChargePointProcess


class Subprotocols(InteropCase):
    """The client's order of preference counts."""

    async def agreed(self, offer: str) -> Any:
        client = self.charge_point("idle", "/ocpp/CP-1", "--offer", offer)
        opened = await client.opened()
        await client.stop()
        return opened["opened"]

    async def test_newest_first(self) -> None:
        self.assertEqual(await self.agreed("ocpp2.1,ocpp2.0.1,ocpp1.6"), "ocpp2.1")

    async def test_oldest_first(self) -> None:
        self.assertEqual(await self.agreed("ocpp1.6,ocpp2.0.1,ocpp2.1"), "ocpp1.6")

    async def test_unknown_first(self) -> None:
        self.assertEqual(await self.agreed("ocpp3.0,ocpp2.0,ocpp1.6"), "ocpp2.0")

    async def test_none_in_common(self) -> None:
        """The handshake is finished without a subprotocol, and then we close."""
        lines = await self.charge_point("idle", "/ocpp/CP-1", "--offer", "ocpp1.5").ended
        self.assertEqual(
            lines,
            [
                {"opened": None, "extensions": []},
                {"closed": 1002, "reason": "no common OCPP version"},
            ],
        )
        self.assertEqual(self.recorder.heard.entries, [])


class Compression(InteropCase):
    """permessage-deflate for those who offer it. What it does to the messages: nothing."""

    async def extensions(self, *arguments: str) -> Any:
        charge_point = self.charge_point("v20", "/ocpp/CP-1", *arguments)
        opened = await charge_point.opened()
        await charge_point.charged()
        await charge_point.stop()
        actions = [action for action, *_ in charge_point.exchanges()]
        self.assertEqual(actions, [request.ACTION for request in self.recorder.requests()])
        return opened["extensions"]

    async def test_offered(self) -> None:
        self.assertEqual(await self.extensions("--compression", "deflate"), ["permessage-deflate"])

    async def test_not_offered(self) -> None:
        self.assertEqual(await self.extensions(), [])


class Ids(InteropCase):
    """The last segment of the URL is the id, percent-encoded."""

    async def online(self, path: str, identity: Identity) -> None:
        """Connect, and be known as this from then on."""
        self.charge_point("idle", path)
        await self.recorder.heard.when(lambda entry: entry == ("online", identity))
        self.assertIn(identity, self.server.central_system.charge_points)

    async def test_spaces_and_slashes(self) -> None:
        await self.online("/ocpp/S%C3%BCd%202%2Fleft:%2050%25+1", Identity("Süd 2/left: 50%+1"))

    async def test_name(self) -> None:
        """Two charge points with one id under two names are two."""
        await self.online("/ocpp/Acme%20%26%20Co/CP%2F1", Identity("CP/1", "Acme & Co"))
        await self.online("/ocpp/Other/CP%2F1", Identity("CP/1", "Other"))
        self.assertEqual(len(self.server.central_system.charge_points), 2)


class Together(InteropCase):
    """Several charge points on one port."""

    async def test_two_versions(self) -> None:
        """Each is sent what its version knows, at the same time."""
        first = self.charge_point("v16", "/ocpp/old")
        second = self.charge_point("v201", "/ocpp/new")
        await first.charged()
        await second.charged()
        versions = {
            identity.id: charge_point.version
            for identity, charge_point in self.server.central_system.charge_points.items()
        }
        self.assertEqual(versions, {"old": "1.6", "new": "2.0.1"})
        asked = v201.GetVariableDataType(
            component=v201.ComponentType(name="OCPPCommCtrlr"),
            variable=v201.VariableType(name="HeartbeatInterval"),
        )
        answers = [
            self.call("old", v16.GetConfigurationRequest(key=["HeartbeatInterval"])),
            self.call("new", v201.GetVariablesRequest(getVariableData=[asked])),
        ]
        old, new = [await answer for answer in answers]
        self.assertEqual(old.configurationKey[0].value, "300")
        self.assertEqual(new.getVariableResult[0].attributeValue, "300")


class Reconnect(InteropCase):
    """The newest connection wins while the old one is half open."""

    async def test_half_open(self) -> None:
        """The old one's end, when it comes at last, changes nothing for the new one."""
        old = self.charge_point("v16", "/ocpp/CP-1")
        await old.charged()
        old.freeze()
        new = self.charge_point("v16", "/ocpp/CP-1")
        await new.charged()
        await self.reaches(new, "BeforeTheEnd")

        await self.end(old)

        await self.reaches(new, "AfterTheEnd")
        kinds = [entry[0] for entry in self.recorder.heard.entries]
        self.assertEqual((kinds.count("online"), kinds.count("offline")), (2, 0))
        await new.stop()
        await self.recorder.heard.when(lambda entry: entry[0] == "offline")

    async def reaches(self, charge_point: ChargePointProcess, key: str) -> None:
        """The central system's call comes to this one, and is answered."""
        await self.call("CP-1", v16.GetConfigurationRequest(key=[key]))
        frame = await charge_point.lines.when(lambda line: key in str(line.get("received")))
        self.assertEqual(frame["received"][2:], ["GetConfiguration", {"key": [key]}])

    async def end(self, charge_point: ChargePointProcess) -> None:
        charge_point.kill()
        await self.assertFailure(charge_point.ended, AssertionError)
