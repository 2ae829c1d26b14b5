"""Messages that are nested too deeply: refused before anything looks into them."""

from __future__ import annotations

from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.limits import Limits
from ocpp_twisted.metrics import Messages
from ocpp_twisted.ocppj import frames
from ocpp_twisted.ocppj.events import CallReceived, Rejected
from ocpp_twisted.ocppj.frames import TooDeep
from ocpp_twisted.ocppj.session import Session
from ocpp_twisted.plugin import ActionPlugin
from ocpp_twisted.versions import CATALOGUES
from tests.support import wire


def transfer(depth: int, before: str = "") -> bytes:
    """A DataTransfer of 2.x that is nested so deep in all."""
    inner = "[" * (depth - 2) + "]" * (depth - 2)
    return f'[2,"d","DataTransfer",{{"vendorId":"{before}","data":{inner}}}]'.encode()


class DepthTests(SynchronousTestCase):
    def session(self, version: str = "2.0.1", max_depth: int = 64) -> Session:
        return Session(CATALOGUES[version], lambda: "1", max_depth=max_depth)

    def test_as_deep_as_allowed(self) -> None:
        self.assertIs(type(self.session().receive(transfer(64))), CallReceived)

    def test_one_more(self) -> None:
        event = self.session().receive(transfer(65))
        assert isinstance(event, Rejected)
        self.assertEqual(
            event.reply,
            b'[4,"d","RpcFrameworkError","the message is nested more than 64 deep",{}]',
        )
        self.assertEqual(event.limit, "json_depth")

    def test_another_limit(self) -> None:
        self.assertIs(type(self.session(max_depth=200).receive(transfer(200))), CallReceived)
        self.assertIs(type(self.session(max_depth=8).receive(transfer(9))), Rejected)

    def test_brackets_in_strings_are_none(self) -> None:
        for text in ("[" * 200, "{" * 200, r"\"[[" * 60, r"\\" * 3 + "{" * 200):
            self.assertIs(type(self.session().receive(transfer(10, text))), CallReceived, text)

    def test_many_are_not_deep(self) -> None:
        data = b'[2,"d","DataTransfer",{"vendorId":"v","data":[' + b"[{}]," * 500 + b"1]}]"
        self.assertIs(type(self.session().receive(data)), CallReceived)

    def test_nothing_but_a_string(self) -> None:
        with self.assertRaises(frames.FrameFault) as caught:
            frames.decode(b'"' + b"[" * 100 + b'"')
        self.assertNotIsInstance(caught.exception, TooDeep)

    def test_a_string_without_end(self) -> None:
        """In time that grows as its length does, not as the square of it."""
        before = b'[2,"d","DataTransfer",{"vendorId":"v","data":"'
        for text in (rb"\"[" * 20_000, rb"\"[" * 20_000 + b"\\"):
            begun = process_time()
            with self.assertRaises(frames.FrameFault) as caught:
                frames.decode(before + text)
            self.assertLess(process_time() - begun, 1)
            self.assertNotIsInstance(caught.exception, TooDeep)

    def test_deep_after_many_that_are_not(self) -> None:
        data = b'[2,"d","DataTransfer",{"vendorId":"v","data":[' + b"[{}]," * 5000
        with self.assertRaises(TooDeep):
            frames.decode(data + b"[" * 63)
        with self.assertRaises(frames.FrameFault) as caught:
            frames.decode(data + b"[" * 61)
        self.assertNotIsInstance(caught.exception, TooDeep)

    def test_it_is_counted(self) -> None:
        made, messages = wire(ActionPlugin(), version="2.0.1"), Messages()
        made.connection._observer = messages
        made.says(transfer(100))
        self.assertEqual(messages._limits, {("json_depth",): 1})


class LimitsTests(SynchronousTestCase):
    def test_no_open_calls(self) -> None:
        error = self.assertRaises(ValueError, Limits, open_calls=0)
        self.assertIn("1 or more", str(error))
