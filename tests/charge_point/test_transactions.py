"""What must not be lost: messages about transactions, in their order, until they are taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v201
from ocpp_twisted.charge_point import Backoff, ChargePoint, ChargePointOptions, Retries
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallFault,
    CallTimedOut,
    ErrorCode,
    LocalProtocolError,
    QueueFull,
)
from ocpp_twisted.limits import Limits
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.testing import Network

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ACCEPTED = v16.IdTagInfo(status=v16.AuthorizationStatus.Accepted)


def options(**more: Any) -> ChargePointOptions:
    backoff = Backoff(wait_minimum=1, repeat_times=0, random_range=0)
    retries = Retries(attempts=3, interval=60)
    return ChargePointOptions(
        backoff=backoff, retries=retries, limits=Limits(call_timeout=10), **more
    )


def start(meter: int = 0) -> v16.StartTransactionRequest:
    return v16.StartTransactionRequest(connectorId=1, idTag="RED", meterStart=meter, timestamp=NOON)


def stop(transaction: int) -> v16.StopTransactionRequest:
    return v16.StopTransactionRequest(transactionId=transaction, meterStop=9, timestamp=NOON)


def event(seq_no: int) -> v201.TransactionEventRequest:
    return v201.TransactionEventRequest(
        eventType=v201.TransactionEventEnumType.Updated,
        timestamp=NOON,
        triggerReason=v201.TriggerReasonEnumType.MeterValuePeriodic,
        seqNo=seq_no,
        transactionInfo=v201.TransactionType(transactionId="1"),
    )


class Ledger(ActionPlugin):
    """Takes messages about transactions, or does with them what a test says.

    :ivar taken: (seconds, message id, what it counts) of each that has come.
    """

    name = "ledger"

    def __init__(self, *troubles: Callable[[], Any]) -> None:
        self.troubles = list(troubles)
        self.taken: list[tuple[str, int]] = []

    def answer(self, charge_point, number, response):
        self.taken.append((charge_point.message_id, number))
        return self.troubles.pop(0)() if self.troubles else response

    @on(v16.StartTransactionRequest)
    def started(self, charge_point, request):
        response = v16.StartTransactionResponse(transactionId=77, idTagInfo=ACCEPTED)
        return self.answer(charge_point, request.meterStart, response)

    @on(v16.StopTransactionRequest)
    def stopped(self, charge_point, request):
        response = v16.StopTransactionResponse()
        return self.answer(charge_point, request.transactionId, response)

    @on(v201.TransactionEventRequest)
    def event(self, charge_point, request):
        response = v201.TransactionEventResponse()
        return self.answer(charge_point, request.seqNo, response)

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.taken]


def refuse() -> Any:
    raise CallFault(ErrorCode.INTERNAL_ERROR)


class TransactionTests(SynchronousTestCase):
    def charge_point(
        self, *troubles: Callable[[], Any], version: str = "1.6", **more: Any
    ) -> ChargePoint:
        self.ledger = Ledger(*troubles)
        self.network = Network(self.ledger)
        return self.network.charge_point("CP1", version, options=options(**more))

    def test_they_are_sent_at_once_and_in_order(self) -> None:
        charge_point = self.charge_point()
        results = [charge_point.queue(start(number)) for number in range(5)]
        self.assertEqual(charge_point.queued, 5)
        self.network.run()
        self.assertEqual(self.ledger.numbers, [0, 1, 2, 3, 4])
        self.assertEqual(self.successResultOf(results[4]).transactionId, 77)
        self.assertEqual(charge_point.queued, 0)

    def test_offline_they_wait(self) -> None:
        charge_point = self.charge_point()
        self.network.cut()
        results = [charge_point.queue(start(number)) for number in range(3)]
        self.network.run(1)
        self.assertEqual(self.ledger.numbers, [0, 1, 2])
        self.successResultOf(results[2])

    def test_what_depends_on_an_answer_is_made_when_it_is_sent(self) -> None:
        charge_point = self.charge_point()
        self.network.cut()
        known: list[int] = []
        charge_point.queue(start()).addCallback(lambda answer: known.append(answer.transactionId))
        charge_point.queue(lambda: stop(known[0]))
        self.network.run(1)
        self.assertEqual(self.ledger.numbers, [0, 77])

    def test_a_connection_lost_before_the_answer(self) -> None:
        charge_point = self.charge_point(Deferred)
        result = charge_point.queue(start(1))
        charge_point.queue(start(2))
        self.network.run()
        self.network.cut()
        self.network.run(1)
        # The retry has the same id and the same bytes: the handler that still works answers both.
        sent = [frame.text for frame in self.network.frames if "StartTransaction" in frame.text]
        self.assertEqual((len(sent), sent[0] == sent[1]), (2, True))
        self.assertNoResult(result)

    def test_refused_it_is_sent_again_later_and_later(self) -> None:
        charge_point = self.charge_point(refuse, refuse)
        begun = self.network.clock.seconds()
        result = charge_point.queue(start(1))
        after = charge_point.queue(start(2))
        self.network.run(179.5)
        self.assertNoResult(result)
        self.network.run(0.5)
        self.successResultOf(result)
        self.successResultOf(after)
        times = [
            frame.seconds - begun
            for frame in self.network.frames
            if "StartTransaction" in frame.text
        ]
        self.assertEqual(times, [0, 60, 180, 180])
        self.assertEqual(len({message_id for message_id, _ in self.ledger.taken}), 2)

    def test_refused_too_often_it_is_given_up_and_the_next_one_goes(self) -> None:
        charge_point = self.charge_point(refuse, refuse, refuse)
        result = charge_point.queue(start(1))
        after = charge_point.queue(start(2))
        self.network.run(180)
        self.failureResultOf(result, CallErrorReceived)
        self.successResultOf(after)
        self.assertEqual(self.ledger.numbers, [1, 1, 1, 2])

    def test_no_answer_counts_like_a_refusal(self) -> None:
        charge_point = self.charge_point(Deferred, Deferred, Deferred)
        charge_point.retries = Retries(attempts=2, interval=5)
        result = charge_point.queue(start(1))
        self.network.run(10 + 5 + 10 + 1)
        self.failureResultOf(result, CallTimedOut)

    def test_what_the_version_does_not_allow_is_told(self) -> None:
        charge_point = self.charge_point()
        wrong = charge_point.queue(stop("a"))  # type: ignore[arg-type]
        broken = charge_point.queue(lambda: stop([][0]))
        after = charge_point.queue(start(2))
        self.network.run()
        self.failureResultOf(wrong, LocalProtocolError)
        self.failureResultOf(broken, IndexError)
        self.successResultOf(after)

    def test_other_calls_do_not_wait_for_it(self) -> None:
        charge_point = self.charge_point(refuse)
        charge_point.queue(start(1))
        self.network.run()
        self.network.result(charge_point.heartbeat())
        self.assertEqual(charge_point.queued, 1)

    def test_it_outlives_a_reboot(self) -> None:
        charge_point = self.charge_point()
        self.network.cut()
        charge_point.queue(start(1))
        charge_point.reboot()
        self.network.run(1)
        self.assertEqual(self.ledger.numbers, [1])

    def test_what_happened_offline_is_marked(self) -> None:
        charge_point = self.charge_point(version="2.0.1")
        charge_point.queue(event(0))
        self.network.run()
        self.network.cut()
        charge_point.queue(event(1))
        self.network.run(1)
        sent = [json.loads(each.text)[3] for each in self.network.frames if "seqNo" in each.text]
        self.assertEqual([each.get("offline") for each in sent], [None, True])

    def test_room_is_made_of_what_is_expendable(self) -> None:
        charge_point = self.charge_point(version="2.0.1", kept_messages=6)
        self.network.cut()
        results = [charge_point.queue(event(0))]
        results += [charge_point.queue(event(number), expendable=True) for number in range(1, 5)]
        results += [charge_point.queue(event(number)) for number in (5, 6)]
        for dropped in (1, 3):
            self.failureResultOf(results[dropped], QueueFull)
        self.network.run(1)
        self.assertEqual(self.ledger.numbers, [0, 2, 4, 5, 6])

    def test_no_room_at_all(self) -> None:
        charge_point = self.charge_point(kept_messages=2)
        self.network.cut()
        charge_point.queue(start(1))
        charge_point.queue(start(2))
        self.failureResultOf(charge_point.queue(start(3)), QueueFull)
        self.network.run(1)
        self.assertEqual(self.ledger.numbers, [1, 2])
