"""A peer that is gone without a word is noticed; one that says anything is left alone."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.websocket.keepalive import KeepAlive


class Silent:
    """A connection that writes down when it is pinged and given up."""

    heard = False
    silent_since = 0.0
    pinged = False

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.happened = []

    def ping(self) -> None:
        self.happened.append(("ping", self.clock.seconds()))

    def give_up(self) -> None:
        self.happened.append(("give up", self.clock.seconds()))


class KeepAliveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.keepalive = KeepAlive(self.clock, interval=60, timeout=30)
        self.peer = Silent(self.clock)

    def passes(self, seconds: int, heard_at: tuple[int, ...] = ()) -> None:
        for second in range(seconds):
            self.clock.advance(1)
            if second in heard_at:
                self.peer.heard = True

    def test_silence_is_pinged_and_then_given_up(self) -> None:
        self.keepalive.watch(self.peer)
        self.passes(105)
        self.assertEqual(self.peer.happened, [("ping", 75), ("give up", 105)])

    def test_whoever_says_something_is_not_pinged(self) -> None:
        self.keepalive.watch(self.peer)
        self.passes(600, heard_at=tuple(range(0, 600, 50)))
        self.assertEqual(self.peer.happened, [])

    def test_anything_answers_a_ping(self) -> None:
        self.keepalive.watch(self.peer)
        self.passes(150, heard_at=(80,))
        self.assertEqual(self.peer.happened, [("ping", 75), ("ping", 150)])

    def test_a_silence_is_pinged_once(self) -> None:
        keepalive = KeepAlive(self.clock, interval=10, timeout=60)
        keepalive.watch(self.peer)
        self.passes(60)
        self.assertEqual([what for what, _ in self.peer.happened], ["ping"])

    def test_who_has_gone_is_forgotten_and_the_timer_rests(self) -> None:
        self.keepalive.watch(self.peer)
        self.keepalive.forget(self.peer)
        self.keepalive.forget(self.peer)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_timer_for_all(self) -> None:
        for _ in range(1000):
            self.keepalive.watch(Silent(self.clock))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_it_can_be_off(self) -> None:
        KeepAlive(self.clock, interval=0, timeout=30).watch(self.peer)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_time_for_the_answer_does_not_keep_the_processor_busy(self) -> None:
        KeepAlive(self.clock, interval=60, timeout=0).watch(self.peer)
        (timer,) = self.clock.getDelayedCalls()
        self.assertGreaterEqual(timer.getTime(), 0.1)
