"""Whatever happens to the connection, messages about transactions arrive in their order, none lost.

A hypothesis-driven life of one charge point: connections break, handlers refuse, are slow or never
answer, the central system is away, the charge point reboots. At the end all is well for a while,
and then every message has been taken, or was refused as often as it may be.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Backoff, ChargePointOptions, Retries
from ocpp_twisted.errors import CallFault, ErrorCode
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.testing import Network

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ACCEPTED = v16.IdTagInfo(status=v16.AuthorizationStatus.Accepted)
ATTEMPTS = 3
OPTIONS = ChargePointOptions(
    backoff=Backoff(wait_minimum=1, repeat_times=2, random_range=1),
    retries=Retries(attempts=ATTEMPTS, interval=5),
    boot_interval=5,
    limits=Limits(call_timeout=10),
)


class Ledger(ActionPlugin):
    """Takes StartTransactions as the next step of the test says.

    :ivar taken: their meter values, each time that it was taken.
    :ivar refused: how often each of them was not.
    """

    name = "ledger"

    def __init__(self, network: list[Network]) -> None:
        self.network = network
        self.moods: list[str] = []
        self.taken: list[int] = []
        self.refused: dict[int, int] = {}

    @on(v16.StartTransactionRequest)
    def started(self, charge_point, request):
        mood = self.moods.pop(0) if self.moods else "well"
        number = request.meterStart
        response = v16.StartTransactionResponse(transactionId=number, idTagInfo=ACCEPTED)
        if mood == "refuse":
            self.refused[number] = self.refused.get(number, 0) + 1
            raise CallFault(ErrorCode.INTERNAL_ERROR)
        if mood == "silent":  # retries are not handled again while this one is
            self.refused[number] = ATTEMPTS
            return Deferred()
        self.taken.append(number)
        if mood == "slow":
            later: Deferred[Any] = Deferred()
            self.network[0].clock.callLater(3, later.callback, response)
            return later
        if mood == "cut":
            self.network[0].clock.callLater(0, self.network[0].cut)
        return response


STEPS = st.lists(
    st.one_of(
        st.just("queue"),
        st.sampled_from(["cut", "away", "back", "reboot"]),
        st.sampled_from(["refuse", "silent", "slow", "cut after"]),
        st.integers(0, 20),
    ),
    max_size=40,
)


class TransactionsTests(SynchronousTestCase):
    @settings(derandomize=True, deadline=None, max_examples=150)
    @given(STEPS)
    def test_none_is_lost(self, steps: list[Any]) -> None:
        networks: list[Network] = []
        ledger = Ledger(networks)
        network = Network(ledger)
        networks.append(network)
        charge_point = network.charge_point("CP1", "1.6", options=OPTIONS)
        outcomes: dict[int, list[Any]] = {}

        def queue() -> None:
            number = len(outcomes)
            request = v16.StartTransactionRequest(
                connectorId=1, idTag="RED", meterStart=number, timestamp=NOON
            )
            outcomes[number] = []
            charge_point.queue(request).addBoth(outcomes[number].append)

        for step in steps:
            match step:
                case "queue":
                    queue()
                case "cut" if charge_point.connected:
                    network.cut()
                case "away" | "back":
                    network.reachable = step == "back"
                case "reboot":
                    charge_point.reboot()
                case "cut after":
                    ledger.moods.append("cut")
                case str():
                    if step != "cut":
                        ledger.moods.append(step)
                case _:
                    network.run(step)
        network.reachable, ledger.moods = True, []
        network.run(1000)

        self.assertTrue(charge_point.connected)
        self.assertEqual(charge_point.queued, 0)
        self.assertEqual([len(each) for each in outcomes.values()], [1] * len(outcomes))
        lost = {number for number, (outcome,) in outcomes.items() if not _is_answer(outcome)}
        for number in lost:
            self.assertGreaterEqual(ledger.refused[number], ATTEMPTS)
            self.flushLoggedErrors()
        first = list(dict.fromkeys(ledger.taken))
        self.assertEqual(first, sorted(first))
        self.assertEqual(set(outcomes) - lost, set(first) - lost)


def _is_answer(outcome: Any) -> bool:
    return isinstance(outcome, v16.StartTransactionResponse)
