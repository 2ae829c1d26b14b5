"""Headers of messages over NATS."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.plugins.nats.wire import CALL, Origin, headers_of, origin_of


class HeadersTests(SynchronousTestCase):
    def test_a_name_cannot_end_the_line(self):
        """nats-py writes a value as it is told to: there is nothing in it to be mended."""
        origin = Origin(" CP\r\n1\u2028é", "1.6", "Heartbeat", "\n", node=" a\r")
        headers = {name: "".join(value) for name, value in headers_of(origin).items()}
        self.assertEqual(headers[CALL].encode().splitlines(), [headers[CALL].encode()])
        self.assertEqual(headers[CALL], headers[CALL].strip())
        self.assertEqual(origin_of(headers), origin)
