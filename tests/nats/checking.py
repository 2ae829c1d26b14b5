"""What has to be so when all faults are over; and a commander who counts what comes of commands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocpp_twisted import v16
from ocpp_twisted.errors import CallFailed
from ocpp_twisted.interfaces import IActiveCaller
from ocpp_twisted.plugins.local.store.database import open_database
from ocpp_twisted.plugins.local.store.tables import meter_values, transactions
from ocpp_twisted.plugins.nats.keyvalue import Bucket
from ocpp_twisted.plugins.nats.link import Link
from tests.nats.charging import ChargePoint, Transaction
from tests.nats.network import NetworkCase, Node
from tests.support import until

__all__ = ["CheckedCase", "Commander"]

_log = Logger()
#: What a command may come to while there are faults.
_OUTCOMES = {"answered", "NotConnected", "CallTimedOut, unsent", "CallTimedOut", "ConnectionLost"}
_NOT_DONE = {"NotConnected", "CallTimedOut, unsent"}


class Commander:
    """Sends commands, each with a key of its own.

    :ivar outcomes: key to all that came of the command.
    """

    def __init__(self, caller: IActiveCaller, link: Link) -> None:
        self._caller = caller
        self._link = link
        self.outcomes: dict[str, list[str]] = {}

    def ask(self, charge_point: ChargePoint, seconds: float = 2.0) -> Deferred[str]:
        """Send a command; fires with its outcome."""
        key = f"{charge_point.name}-{len(self.outcomes)}"
        told = self.outcomes[key] = []
        asked = v16.GetConfigurationRequest(key=[key])
        called: Deferred[Any] = self._caller.call(charge_point.name, asked, timeout=seconds)

        def ended(outcome: str) -> str:
            told.append(outcome)
            return outcome

        return called.addCallbacks(lambda _: "answered", _named).addCallback(ended)

    async def reach(self, charge_point: ChargePoint, seconds: float = 20.0) -> None:
        """Fires when a command has come through."""
        late = reactor.seconds() + seconds
        while (outcome := await self.ask(charge_point)) != "answered":
            assert reactor.seconds() < late, (charge_point.name, outcome)
            await until(lambda: self._link.connected, reactor)

    def open(self) -> list[str]:
        """The keys of the commands to which nothing has come."""
        return [key for key, told in self.outcomes.items() if not told]


def _named(failure: Any) -> str:
    failure.trap(CallFailed)
    error = failure.value
    unsent = getattr(error, "sent", True) is False
    return type(error).__name__ + (", unsent" if unsent else "")


class CheckedCase(NetworkCase):
    """A test of the network, with the checks at its end."""

    async def all_is_well(
        self, nodes: Iterable[Node], charge_points: Sequence[ChargePoint], commander: Commander
    ) -> None:
        """Every fault is over: see that nobody is stuck, and that nothing was lost or doubled."""
        begun = reactor.seconds()
        for charge_point in charge_points:
            charge_point.charging = False
        await until(lambda: all(each.idle for each in charge_points), reactor, 30)
        await until(lambda: not commander.open(), reactor, 10)
        for charge_point in charge_points:
            await commander.reach(charge_point)
        _log.info("all is well after {seconds:.1f} s", seconds=reactor.seconds() - begun)
        self.check_commands(charge_points, commander)
        self.check_store(charge_points)
        await self.check_owners(nodes, charge_points)
        for node in nodes:
            for log in node.logs:
                self.assertNotIn("Traceback", log, node.name)

    def check_commands(self, charge_points: Sequence[ChargePoint], commander: Commander) -> None:
        """Each has one outcome, and was done as often as that says."""
        done: Counter[str] = Counter()
        sent: Counter[str] = Counter()
        for charge_point in charge_points:
            done += charge_point.asked
            sent += charge_point.asked + charge_point.astray
        for key, told in commander.outcomes.items():
            self.assertEqual(len(told), 1, (key, told))
            self.assertIn(told[0], _OUTCOMES, key)
            if told == ["answered"]:
                self.assertEqual(done[key], 1, key)
            elif told[0] in _NOT_DONE:
                self.assertEqual(sent[key], 0, (key, told))
            self.assertLessEqual(sent[key], 1, (key, told))

    def rows(self, table: Any = transactions) -> Sequence[Any]:
        """What a table of the store holds."""
        engine = open_database(self.store)
        try:
            with engine.begin() as db:
                return db.execute(select(table).order_by(table.c.id)).all()
        finally:
            engine.dispose()

    def check_store(self, charge_points: Sequence[ChargePoint]) -> None:
        """It holds what was acknowledged, once, and nothing else."""
        values: dict[int, list[Any]] = {}
        for value in self.rows(meter_values):
            pair = (value.timestamp, value.samples[0]["value"])
            values.setdefault(value.transaction, []).append(pair)
        found: dict[str, list[Any]] = {each.name: [] for each in charge_points}
        for row in self.rows():
            end = (row.stopped, row.meter_stop, row.reason)
            begin = (int(row.transaction_id), row.started, row.meter_start, row.id_tag)
            found[row.charge_point].append((*begin, *end, values.get(row.id, [])))
        for charge_point in charge_points:
            expected = [_row(told) for told in charge_point.told]
            self.assertEqual(found[charge_point.name], expected, charge_point.name)

    async def check_owners(
        self, nodes: Iterable[Node], charge_points: Sequence[ChargePoint]
    ) -> None:
        """The gateway where a charge point is connected holds it, and no other one does."""
        names = {node.port: node.name for node in nodes}
        bucket = Bucket(self.caller_link, "ocpp-owners")
        late = reactor.seconds() + 10
        for charge_point in charge_points:
            subject = f"ocpp.call.=.{charge_point.name}"
            while True:
                entry = await bucket.get(f"=.{charge_point.name}")
                owner = entry and entry.value and json.loads(entry.value)["node"]
                found = (owner, await self.who_serves(subject))
                name = names[charge_point.port]
                if found == (name, [name]) and len(charge_point.sockets) == 1:
                    break
                assert reactor.seconds() < late, (subject, found, name, charge_point.sockets)


def _row(told: Transaction) -> tuple[Any, ...]:
    assert told.stopped
    end = len(told.meters) + 1
    begin = (told.transaction_id, told.at(0), told.meter(0), "ANNA")
    return (*begin, told.at(end), told.meter(end), "Local", told.meters)
