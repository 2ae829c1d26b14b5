"""Calls over NATS, from any process to the gateway that holds the charge point."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from ocpp_twisted import v16, v201
from ocpp_twisted.errors import (
    CallErrorReceived,
    CallNotAllowed,
    CallTimedOut,
    ConnectionLost,
    InvalidResponse,
    LocalProtocolError,
    NotConnected,
    QueueFull,
)
from ocpp_twisted.identity import Identity
from ocpp_twisted.limits import Limits
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin
from tests.nats.gateways import ActiveCase, owned
from tests.support import environment

RESET = v16.ResetRequest(type="Soft")


class LockResponse(Response):
    status: str


class LockRequest(Request[LockResponse]):
    ACTION = "Lock"
    RESPONSE = LockResponse
    door: int


class Locks(ActionPlugin):
    name = "locks"
    custom_actions: ClassVar = {"1.6": [LockRequest]}


class CallerCase(ActiveCase):
    limits: Limits | None = None
    plugins: Sequence[ActionPlugin] = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.one = await self.gateway("one", *self.plugins, limits=self.limits)
        self.wire = self.one.connect()
        await self.served(self.one)
        self.caller = await self.new_caller()

    async def asked(self, action: str = "Reset") -> str:
        """The message id of the CALL that the charge point gets now."""
        message_type, message_id, named, _ = await self.call_heard(self.wire)
        self.assertEqual((message_type, named), (2, action))
        return message_id


class CallTests(CallerCase):
    async def test_a_typed_call(self):
        result = self.caller.call("CP1", RESET)
        self.wire.says(f'[3,"{await self.asked()}",{{"status":"Accepted"}}]')
        self.assertEqual(await result, v16.ResetResponse(status="Accepted"))

    async def test_json_goes_through_as_it_is(self):
        result = self.caller.call_json("CP1", "Reset", b'{ "type" : "Soft" }')
        _, message_id, _, payload = await self.call_heard(self.wire)
        self.assertEqual(payload, {"type": "Soft"})
        self.wire.says(f'[3,"{message_id}",{{"status": "Accepted"}}]')
        self.assertEqual(await result, b'{"status": "Accepted"}')

    async def test_any_client_of_nats(self):
        answer = self.caller_link.request(
            "ocpp.call.=.CP1", b'{"type":"Soft"}', {"Ocpp-Action": "Reset"}, timeout=5
        )
        self.wire.says(f'[3,"{await self.asked()}",{{"status":"Rejected"}}]')
        message = await answer
        self.assertEqual(message.data, b'{"status":"Rejected"}')
        self.assertEqual(message.headers, {"Ocpp-Outcome": "CALLRESULT"})

    async def test_the_listing(self):
        listing = Path(__file__).parents[2] / "docs" / "listings" / "nats" / "call.py"
        run = getProcessOutputAndValue(
            sys.executable,
            [str(listing), self.server.url, "CP1"],
            env=environment(PYTHONPATH=str(listing.parents[3])),
        )
        self.wire.says(f'[3,"{await self.asked()}",{{"status":"Accepted"}}]')
        self.assertEqual(await run, (b"Accepted\n", b"", 0))

    async def test_a_callerror(self):
        result = self.caller.call("CP1", RESET)
        self.wire.says(f'[4,"{await self.asked()}","InternalError","no",{{"a":[1]}}]')
        with self.assertRaises(CallErrorReceived) as raised:
            await result
        error = raised.exception
        self.assertEqual(
            (error.code, error.description, error.details), ("InternalError", "no", {"a": [1]})
        )

    async def test_offline_at_once(self):
        begun = reactor.seconds()
        with self.assertRaises(NotConnected):
            await self.caller.call("CP2", RESET)
        with self.assertRaises(NotConnected):
            await self.caller.disconnect("CP2")
        self.assertLess(reactor.seconds() - begun, 4)

    async def test_gone_offline(self):
        self.wire.connection.lost("gone")
        await self.caller_link.flush()
        await self.one.plugin._link.flush()
        with self.assertRaises(NotConnected):
            await self.caller.call("CP1", RESET)

    async def test_timed_out(self):
        with self.assertRaises(CallTimedOut) as raised:
            await self.caller.call("CP1", RESET, timeout=0.1)
        self.assertTrue(raised.exception.sent)

    async def test_timed_out_while_another_one_has_its_turn(self):
        first = self.caller.call("CP1", RESET, timeout=5)
        with self.assertRaises(CallTimedOut) as raised:
            await self.caller.call("CP1", RESET, timeout=0.1)
        self.assertFalse(raised.exception.sent)
        self.wire.says(f'[3,"{await self.asked()}",{{"status":"Accepted"}}]')
        await first

    async def test_the_charge_point_goes_after_it_was_sent(self):
        result = self.caller.call("CP1", RESET)
        await self.asked()
        self.wire.connection.lost("gone")
        with self.assertRaises(ConnectionLost):
            await result

    async def test_nats_goes_after_it_was_sent(self):
        result = self.caller.call("CP1", RESET)
        await self.asked()
        await self.server.kill()
        with self.assertRaises(ConnectionLost):
            await result
        with self.assertRaisesRegex(NotConnected, "no connection to NATS"):
            await self.caller.call("CP1", RESET)

    async def test_what_the_version_does_not_allow(self):
        with self.assertRaisesRegex(LocalProtocolError, r"^\$\.type: "):
            await self.caller.call_json("CP1", "Reset", b'{"type":"Gentle"}')
        with self.assertRaisesRegex(LocalProtocolError, "has no CALL Fly"):
            await self.caller.call_json("CP1", "Fly", b"{}")
        with self.assertRaisesRegex(LocalProtocolError, "has a CALL 'Reset"):
            await self.caller.call_json("CP1", "Reset\r\nA: b", b"{}")
        with self.assertRaisesRegex(LocalProtocolError, "seconds"):
            await self.caller.call("CP1", RESET, timeout=-1)
        with self.assertRaisesRegex(LocalProtocolError, "is no request"):
            await self.caller.call("CP1", v16.ResetResponse(status="Accepted"))
        with self.assertRaises(LocalProtocolError):
            await self.caller.call("CP1", v16.ResetRequest(type="Gentle"))
        self.assertEqual(self.wire.hears(), [])

    async def test_a_request_of_another_version(self):
        with self.assertRaisesRegex(LocalProtocolError, "speaks OCPP 1.6"):
            await self.caller.call("CP1", v201.ClearCacheRequest())
        self.assertEqual(self.wire.hears(), [])

    async def test_an_answer_that_is_none(self):
        result = self.caller.call("CP1", RESET)
        self.wire.says(f'[3,"{await self.asked()}",{{"status":"Perhaps"}}]')
        with self.assertRaises(InvalidResponse):
            await result

    async def test_a_faulty_request(self):
        for headers in ({}, {"Ocpp-Action": "Reset", "Ocpp-Timeout": "soon"}, {"Ocpp-Ask": "fly"},
                        {"Ocpp-Wire": "2", "Ocpp-Action": "Reset"}):  # fmt: skip
            message = await self.caller_link.request("ocpp.call.=.CP1", b"{}", headers, timeout=5)
            self.assertEqual(message.headers, {"Ocpp-Outcome": "FAILED"})
            self.assertEqual(json.loads(message.data)["error"], "LocalProtocolError")

    async def test_calls_go_out_in_their_order(self):
        results = [self.caller.call("CP1", RESET, timeout=5) for _ in range(20)]
        for status in ["Accepted", "Rejected"] * 10:
            self.wire.says(f'[3,"{await self.asked()}",{{"status":"{status}"}}]')
        self.assertEqual(
            [(await result).status for result in results], ["Accepted", "Rejected"] * 10
        )

    async def test_who_is_connected(self):
        (found,) = await self.caller.connected("CP1")
        self.assertEqual((found.identity, found.version), (Identity("CP1"), "1.6"))
        self.assertEqual(list(found.repairs), [])
        self.wire.says('[2,"1","Heartbeat",null]')
        (found,) = await self.caller.connected("CP1")
        (repair,) = found.repairs
        self.assertEqual((repair.kind, repair.path, repair.count), ("null-payload", "$", 1))
        self.assertEqual(list(await self.caller.connected("CP2")), [])

    async def test_disconnect(self):
        await self.caller.disconnect("CP1", 1012, "new firmware")
        self.assertEqual(self.wire.transport.closed, (1012, "new firmware"))

    async def test_registered_from_elsewhere(self):
        await self.caller.register("CP1", "Rejected")
        with self.assertRaises(CallNotAllowed):
            await self.caller.call("CP1", RESET)
        await self.caller.register("CP2", "Accepted")

    async def test_any_id(self):
        for identity in (Identity("a b/ü.*>"), Identity("CP1", "site.1"), Identity("", "x")):
            wire = self.one.connect(identity)
            held = owned(self.one)
            await self.meanwhile(lambda held=held: owned(self.one) > held)
            await self.one.plugin._link.flush()
            result = self.caller.call(identity, RESET)
            _, message_id, *_ = await self.call_heard(wire)
            wire.says(f'[3,"{message_id}",{{"status":"Accepted"}}]')
            self.assertEqual((await result).status, "Accepted")


class SmallQueueTests(CallerCase):
    limits = Limits(queued_calls=1)

    async def test_queue_full(self):
        calls = [self.caller.call("CP1", RESET, timeout=5) for _ in range(3)]
        with self.assertRaises(QueueFull):
            await calls[2]
        for call in calls[:2]:
            self.wire.says(f'[3,"{await self.asked()}",{{"status":"Accepted"}}]')
            await call


class CustomTests(CallerCase):
    plugins = (Locks(),)

    async def test_a_custom_action(self):
        result = self.caller.call("CP1", LockRequest(door=1))
        self.wire.says(f'[3,"{await self.asked("Lock")}",{{"status":"Locked"}}]')
        self.assertEqual(await result, LockResponse(status="Locked"))
