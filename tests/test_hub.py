"""The hub, the herald and the watch: who listens is told, and who does not pays nothing."""

from __future__ import annotations

import json

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.hub import ConnectionNotice, Herald, Hub, MessageNotice
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.recording.redaction import HIDDEN
from ocpp_twisted.watch import Recent, Watch
from tests.support import MemoryTransport, online

CP1, CP2 = Identity("CP1"), Identity("CP1", "depot")
ERROR = '[4,"h1","NotSupported"'


class Nothing(ActionPlugin):
    name = "nothing"


def notice(identity: Identity = CP1, reason: str = "") -> ConnectionNotice:
    return ConnectionNotice(
        time="",
        chargePoint=identity.id,
        name=identity.name,
        event="offline",
        version="1.6",
        peer="",
        reason=reason,
    )


class HubTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hub, self.heard = Hub(), []

    def test_who_listens_is_told_until_he_stops(self) -> None:
        stop = self.hub.listen(self.heard.append, [ConnectionNotice])
        self.hub.publish(notice())
        self.assertTrue(self.hub.wants(ConnectionNotice, CP1))
        self.assertFalse(self.hub.wants(MessageNotice, CP1))
        stop()
        self.hub.publish(notice())
        self.assertFalse(self.hub.wants(ConnectionNotice, CP1))
        self.assertEqual(self.heard, [notice()])

    def test_of_one_charge_point(self) -> None:
        self.hub.listen(self.heard.append, [ConnectionNotice], CP2)
        self.assertFalse(self.hub.wants(ConnectionNotice, CP1))
        self.hub.publish(notice(CP1))
        self.hub.publish(notice(CP2))
        self.assertEqual(self.heard, [notice(CP2)])

    def test_who_listens_twice_is_told_once(self) -> None:
        stop = self.hub.listen(self.heard.append, [ConnectionNotice], CP1)
        self.hub.listen(self.heard.append, [ConnectionNotice])
        self.hub.publish(notice())
        stop()
        self.hub.publish(notice())
        self.assertEqual(len(self.heard), 2)

    def test_who_listens_badly_does_no_harm(self) -> None:
        self.hub.listen(lambda notice: 1 / 0, [ConnectionNotice])
        self.hub.listen(self.heard.append, [ConnectionNotice])
        self.hub.publish(notice())
        self.assertEqual(len(self.heard), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_herald_tells_who_comes_and_goes(self) -> None:
        self.hub.listen(self.heard.append, [ConnectionNotice])
        central_system = CentralSystem([Herald(self.hub, lambda: 1.5)], Clock())
        first = online(central_system, CP2)
        second = online(central_system, CP2)
        second.connection.lost("gone")
        first.connection.lost("gone")
        told = [(one.event, one.reason, one.chargePoint, one.name) for one in self.heard]
        self.assertEqual(
            told,
            [("online", None, *CP2), ("online", None, *CP2), ("offline", "gone", *CP2)],
        )
        self.assertEqual(
            json.loads(msgspec.json.encode(self.heard[0])),
            {
                "kind": "connection",
                "time": "1970-01-01T00:00:01.500Z",
                "chargePoint": "CP1",
                "name": "depot",
                "event": "online",
                "version": "1.6",
                "peer": "memory",
                "reason": None,
                "seconds": None,
            },
        )


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hub = Hub()
        self.watch = Watch(CentralSystem([Nothing()], Clock()), self.hub, lambda: 0.0)

    def connect(self):
        return self.watch.connection_made(CP1, "ocpp1.6", MemoryTransport())

    def told(self) -> list[str]:
        return [f"{one.way} {bytes(one.frame).decode()}" for one in self.watch.recent.of(CP1)]

    def test_the_last_messages(self) -> None:
        receiver = self.connect()
        receiver.receive(b'[2,"h1","Heartbeat",{}]')
        receiver.lost("gone")
        sent, answered = self.told()
        self.assertEqual(sent, 'in [2,"h1","Heartbeat",{}]')
        self.assertTrue(answered.startswith(f"out {ERROR}"))
        self.assertEqual(self.watch.recent.of(CP2), [])

    def test_without_secrets(self) -> None:
        receiver = self.connect()
        key = '{"key":"AuthorizationKey","value":"beef"}'
        receiver.send_message(f'[2,"1","ChangeConfiguration",{key}]'.encode())
        receiver.receive(b'[4,"1","GenericError","beef is short",{}]')
        receiver.receive(b"AuthorizationKey=beef")
        told = msgspec.json.encode(self.watch.recent.of(CP1)).decode()
        self.assertNotIn("beef", told)
        self.assertEqual(told.count(HIDDEN), 2)
        self.assertIn('"withheld":21', told)

    def test_the_answer_to_what_was_not_seen_is_hidden(self) -> None:
        receiver = self.connect()
        receiver.receive(b'[3,"9",{"configurationKey":[{"key":"AuthorizationKey","value":"b"}]}]')
        receiver.receive(b'[4,"8","GenericError","beef is short",{}]')
        told = msgspec.json.encode(self.watch.recent.of(CP1)).decode()
        self.assertNotIn("beef", told)
        self.assertIn('"withheld"', told)

    def test_what_nobody_hears_is_not_made(self) -> None:
        published = []
        self.patch(self.hub, "publish", published.append)
        receiver = self.connect()
        receiver.receive(b'[2,"h1","Heartbeat",{}]')
        self.hub.listen(published.append, [MessageNotice], CP2)
        receiver.receive(b'[2,"h2","Heartbeat",{}]')
        self.assertEqual(published, [])

    def test_who_listens_late_learns_no_secret(self) -> None:
        receiver = self.connect()
        key = '{"key":"AuthorizationKey","value":"beef"}'
        receiver.send_message(f'[2,"1","ChangeConfiguration",{key}]'.encode())
        heard = []
        self.hub.listen(heard.append, [MessageNotice], CP1)
        receiver.receive(b'[4,"1","GenericError","beef is short",{}]')
        (told,) = heard
        self.assertEqual(bytes(told.frame).decode(), f'[4,"1","GenericError","{HIDDEN}",{{}}]')

    def test_no_more_than_so_many(self) -> None:
        recent = Recent(each=2, size=1400)

        def says(identity: Identity, data: bytes) -> None:
            recent.add(recent.kept(identity), (0.0, 1, "1.6", "in", data))

        def kept(identity: Identity) -> list[bytes]:
            return [bytes(one.frame) for one in recent.of(identity)]

        for number in range(3):
            says(CP1, b"%d" % number)
        self.assertEqual(kept(CP1), [b"1", b"2"])
        says(CP2, b'"%s"' % (b"x" * 500))
        self.assertEqual(kept(CP1), [])
        self.assertEqual(len(kept(CP2)), 1)
        says(CP1, b"4")
        self.assertEqual(kept(CP1), [b"4"])
        says(CP2, b'"%s"' % (b"x" * 2000))
        self.assertEqual(kept(CP2), [])
        says(CP2, b"5")
        self.assertEqual(kept(CP2), [b"5"])

    def test_who_is_silent_is_forgotten_first(self) -> None:
        recent = Recent(size=1700)
        a, b, c, d = (Identity(name) for name in "abcd")
        # Once everybody has had his turn, b speaks again and c does not.
        for identity in (a, b, c, a, a, a, b, d, d, d):
            recent.add(recent.kept(identity), (0.0, 1, "1.6", "in", b"1"))
        self.assertEqual([len(recent.of(one)) for one in (a, b, c, d)], [0, 2, 0, 3])

    def test_who_is_forgotten_goes_on(self) -> None:
        self.watch.recent = Recent(size=1200)
        first, second = (
            self.connect(),
            self.watch.connection_made(CP2, "ocpp1.6", MemoryTransport()),
        )
        first.receive(b"1")
        for _ in range(3):
            second.receive(b"2")
        self.assertEqual(self.told(), [])
        first.receive(b"3")
        self.assertEqual(self.told()[0], "in 3")
