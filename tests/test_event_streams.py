"""OCPP 2.1: periodic event streams, SEND and CALLRESULTERROR in both directions, on a WebSocket.

Sources: part 4 of 2.1, sections 4.2.3 (CALLRESULTERROR) and 4.2.4 (SEND).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v21
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.errors import ConnectionLost, InvalidResponse, NotConnected
from ocpp_twisted.identity import Identity
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.websocket.server import OCPPServerFactory, WebSocketOptions
from tests.support import Peer

OPEN = {
    "constantStreamData": {
        "id": 7,
        "variableMonitoringId": 3,
        "params": {"interval": 60, "values": 2},
    }
}
DATA = {
    "id": 7,
    "pending": 0,
    "basetime": "2026-01-02T03:04:05Z",
    "data": [{"t": 0.5, "v": "230.4"}, {"t": 1.5, "v": "231.0"}],
}
NEXT = {**DATA, "pending": 1, "data": [{"t": 0, "v": "229.9"}]}


class Streams(ActionPlugin):
    """Keeps the values of the streams that are open, by the stream's id."""

    name = "streams"

    def __init__(self) -> None:
        self.values: dict[int, list[tuple[float, str]]] = {}
        self.closed: dict[int, list[tuple[float, str]]] = {}

    @on(v21.OpenPeriodicEventStreamRequest)
    def opens(self, charge_point, request):
        self.values[request.constantStreamData.id] = []
        return v21.OpenPeriodicEventStreamResponse(status="Accepted")

    @on(v21.NotifyPeriodicEventStream)
    def takes(self, charge_point, message):
        self.values[message.id] += [(element.t, element.v) for element in message.data]

    @on(v21.ClosePeriodicEventStreamRequest)
    def closes(self, charge_point, request):
        self.closed[request.id] = self.values.pop(request.id)
        return v21.ClosePeriodicEventStreamResponse()


class StreamTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.plugin = Streams()
        self.system = CentralSystem([self.plugin], Clock())
        factory = OCPPServerFactory(self.system, Clock(), WebSocketOptions())
        self.cp1 = Peer(factory)
        self.cp1.upgrades(subprotocols="ocpp2.1")

    def says(self, *message: Any) -> list[Any]:
        """What comes back to a message."""
        self.cp1.says(json.dumps(message))
        return [json.loads(frame) for frame in self.cp1.hears()]


class PeriodicEventStreamTests(StreamTestCase):
    def test_open_data_close(self) -> None:
        accepted = [3, "o1", {"status": "Accepted"}]
        self.assertEqual(self.says(2, "o1", "OpenPeriodicEventStream", OPEN), [accepted])
        for data in (DATA, NEXT):
            self.assertEqual(self.says(6, "s1", "NotifyPeriodicEventStream", data), [])
        values = [(0.5, "230.4"), (1.5, "231.0"), (0, "229.9")]
        self.assertEqual(self.plugin.values, {7: values})
        closed = [3, "c1", {}]
        self.assertEqual(self.says(2, "c1", "ClosePeriodicEventStream", {"id": 7}), [closed])
        self.assertEqual((self.plugin.values, self.plugin.closed), ({}, {7: values}))

    def test_data_does_not_wait_for_calls(self) -> None:
        self.says(2, "o1", "OpenPeriodicEventStream", OPEN)
        result = self.system.call("CP1", v21.GetPeriodicEventStreamRequest())
        ((_, message_id, *_),) = map(json.loads, self.cp1.hears())
        self.assertEqual(self.says(6, "s1", "NotifyPeriodicEventStream", DATA), [])
        self.assertEqual(len(self.plugin.values[7]), 2)
        streams = {"constantStreamData": [OPEN["constantStreamData"]]}
        self.assertEqual(self.says(3, message_id, streams), [])
        (stream,) = self.successResultOf(result).constantStreamData
        self.assertEqual((stream.id, stream.params.values), (7, 2))

    def test_data_of_a_stream_that_nobody_opened(self) -> None:
        self.assertEqual(self.says(6, "s1", "NotifyPeriodicEventStream", DATA), [])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_data_that_the_schema_refuses_has_no_answer(self) -> None:
        self.says(2, "o1", "OpenPeriodicEventStream", OPEN)
        wrong = {**DATA, "data": []}
        self.assertEqual(self.says(6, "s1", "NotifyPeriodicEventStream", wrong), [])
        self.assertEqual(self.plugin.values, {7: []})


class OurSendTests(StreamTestCase):
    def test_it_goes_out_at_once_and_needs_no_answer(self) -> None:
        charge_point = self.system.charge_points[Identity("CP1")]
        result = charge_point.call(v21.GetPeriodicEventStreamRequest())
        self.cp1.hears()
        for _ in range(2):
            charge_point.send(
                v21.NotifyPeriodicEventStream(
                    id=7,
                    pending=0,
                    basetime=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                    data=[v21.StreamDataElementType(t=0.5, v="230.4")],
                )
            )
        sent = [json.loads(frame) for frame in self.cp1.hears()]
        expected = [6, "NotifyPeriodicEventStream", {**DATA, "data": DATA["data"][:1]}]  # type: ignore[index]
        self.assertEqual([[kind, *rest] for kind, _, *rest in sent], [expected, expected])
        self.assertEqual(len({message_id for _, message_id, *_ in sent}), 2)
        self.cp1.loses()
        self.failureResultOf(result, ConnectionLost)
        message = v21.NotifyPeriodicEventStream(
            id=7, pending=0, basetime=datetime.now(UTC), data=[]
        )
        self.assertRaises(NotConnected, charge_point.send, message)


class CallResultErrorTests(StreamTestCase):
    def test_ours_to_an_answer_that_cannot_be_read(self) -> None:
        result = self.system.call("CP1", v21.ClearTariffsRequest())
        ((_, message_id, *_),) = map(json.loads, self.cp1.hears())
        ((kind, answered, code, text, details),) = self.says(3, message_id, {"nothing": 1})
        self.assertEqual((kind, answered, details), (5, message_id, {}))
        self.assertEqual(code, "ProtocolError")
        self.assertIn("$.nothing: unknown field", text)
        self.failureResultOf(result, InvalidResponse)

    def test_theirs_to_our_answer_is_told_and_not_answered(self) -> None:
        self.says(2, "o1", "OpenPeriodicEventStream", OPEN)
        with capturedLogs() as logs:
            refused = self.says(5, "o1", "FormatViolation", "no status", {})
        self.assertEqual(refused, [])
        (log,) = [log for log in logs if log["log_namespace"] == "ocpp_twisted.connection"]
        self.assertEqual((log["log_level"], log["message_id"]), (LogLevel.error, "o1"))
        self.assertEqual(log["error"].code, "FormatViolation")
        self.assertEqual(self.says(6, "s1", "NotifyPeriodicEventStream", DATA), [])
        self.assertEqual(len(self.plugin.values[7]), 2)
