"""Headers of messages over NATS."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.plugins.nats.protocol import Message
from ocpp_twisted.plugins.nats.wire import CALL, WIRE, Origin, WireError, head_of, origin_of

_HEAD = b"NATS/1.0\r\nOcpp-Wire: 1\r\nOcpp-Call: \r\n\r\n"


class HeadersTests(SynchronousTestCase):
    def test_a_name_cannot_end_the_line(self):
        origin = Origin(" CP\r\n1\u2028é", "1.6", "Heartbeat", "\n", node=" a\r")
        message = Message("a", "", b"", head_of(origin))
        self.assertEqual(len(message.head.splitlines()), 4)
        self.assertEqual(message.headers.keys(), {WIRE, CALL})
        self.assertEqual(origin_of(message), origin)

    def test_headers_in_another_order_and_others_besides(self):
        origin = Origin("CP1", "1.6", "Heartbeat")
        _, version, call, *_ = head_of(origin).decode().split("\r\n")
        for lines in ((call, version), (version, call, "A: b"), ("A: b", version, call)):
            head = "\r\n".join(("NATS/1.0", *lines, "", "")).encode()
            self.assertEqual(origin_of(Message("a", "", b"", head)), origin)

    def test_what_is_none(self):
        for head in (b"", b"NATS/1.0\r\nOcpp-Wire: 2\r\n\r\n", _HEAD, _HEAD[:-4] + b"{}\r\n\r\n"):
            with self.assertRaises(WireError):
                origin_of(Message("a", "", b"", head))
