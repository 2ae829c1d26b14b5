"""The server as people start it: ``twistd -n ocpp --ws 0 --wss 0``."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import DeferredList

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store.database import open_database
from ocpp_twisted.plugins.local.store.transactions import list_transactions
from tests.interop.case import ProgramCase
from tests.interop.process import ChargePointProcess, TwistdProcess


class Twistd(ProgramCase):
    async def test_charging(self) -> None:
        """Cars are charged over WS and WSS; then SIGTERM closes all and ends it well."""
        directory = Path(self.mktemp())
        directory.mkdir()
        server = self.ends(
            TwistdProcess(
                reactor,
                ["--ws", "0", "--wss", "0", "--data-dir", "data", "--authorize", "open"],
                directory,
            )
        )
        ws, wss = await server.ports()
        certificate = (directory / "data" / "development-cert.pem").absolute()
        charge_points = [
            self.ends(ChargePointProcess(reactor, *arguments))
            for arguments in (
                ("v16", f"ws://127.0.0.1:{ws}/ocpp/CP-1"),
                ("v201", f"wss://localhost:{wss}/ocpp/CP-2", "--ca", str(certificate)),
            )
        ]
        for charge_point in charge_points:
            await charge_point.charged()
            self.assertEqual(charge_point.exchanges()[-1][0], "Heartbeat")

        log = await server.terminate()

        for charge_point in charge_points:
            *_, last = await charge_point.ended
            self.assertEqual(last, {"closed": 1001, "reason": "the central system stops"})
        self.assertEqual([line for line in log if "#error" in line or "#critical" in line], [])

    async def test_what_was_charged_survives(self) -> None:
        """The server is killed with -9 right after a charge point has charged."""
        directory = Path(self.mktemp())
        directory.mkdir()
        arguments = ["--ws", "0", "--data-dir", "data", "--authorize", "open"]
        server = self.ends(TwistdProcess(reactor, arguments, directory))
        (port,) = await server.ports()
        charge_point = self.ends(
            ChargePointProcess(reactor, "v16", f"ws://127.0.0.1:{port}/ocpp/CP-1")
        )
        await charge_point.charged()
        server.kill()
        await DeferredList([server.ended], consumeErrors=True)

        with open_database(f"sqlite:///{directory / 'data' / 'records.db'}").begin() as db:
            [transaction] = list_transactions(
                db, Identity("CP-1"), None, False, None, None, None, 100
            ).items
        self.assertEqual((transaction.idTag, transaction.idTagStatus), ("04A2B6C8", "Accepted"))
        self.assertEqual(transaction.meterStart, 1000)
