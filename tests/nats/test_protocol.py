"""Messages in what comes from a NATS server, however it is cut."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.plugins.nats.protocol import Message, Reader, block, pub, sub, unsub

INFO = b'INFO {"server_id":"MSG a o1 3","max_payload":1048576}\r\n'
HEAD = b"NATS/1.0\r\nA: b\r\n\r\n"


def msg(subject: str, number: str, reply: str, head: bytes, data: bytes) -> bytes:
    """A message as a server sends it."""
    to = f"{subject} {number} {reply}" if reply else f"{subject} {number}"
    if head:
        return b"HMSG %b %d %d\r\n%b%b\r\n" % (
            to.encode(),
            len(head),
            len(head) + len(data),
            head,
            data,
        )
    return b"MSG %b %d\r\n%b\r\n" % (to.encode(), len(data), data)


class Heard:
    """What a reader has found, in its order: (number, subject, reply, headers, data), or bytes."""

    def __init__(self, *numbers: str) -> None:
        self.all: list[Any] = []
        self.reader = Reader(self.all.append)
        for number in numbers:
            self.reader.handlers[number.encode()] = partial(self._take, number)

    def _take(self, number: str, message: Message) -> None:
        self.all.append((number, message.subject, message.reply, message.headers, message.data))


class ReaderTests(SynchronousTestCase):
    def hear(self, *pieces: bytes, numbers: tuple[str, ...] = ("o1", "o2")) -> list[Any]:
        heard = Heard(*numbers)
        for piece in pieces:
            heard.reader.feed(piece)
        return heard.all

    def test_whole_messages(self):
        data = msg("a.b", "o1", "", b"", b"x") + msg("c", "o2", "re.ply", b"", b"")
        expected = [("o1", "a.b", "", {}, b"x"), ("o2", "c", "re.ply", {}, b"")]
        self.assertEqual(self.hear(data), expected)

    def test_headers(self):
        data = msg("a", "o1", "r", HEAD, b"data") + msg("a", "o1", "", HEAD, b"")
        expected = [("o1", "a", "r", {"A": "b"}, b"data"), ("o1", "a", "", {"A": "b"}, b"")]
        self.assertEqual(self.hear(data), expected)

    def test_a_payload_that_looks_like_a_message(self):
        payload = msg("a", "o1", "", b"", b"x") + b"PING\r\n"
        expected = [("o2", "b", "", {}, payload)]
        self.assertEqual(self.hear(msg("b", "o2", "", b"", payload)), expected)

    def test_everything_else_is_for_nats_py_in_whole_lines_and_messages(self):
        theirs = msg("kv", "7", "r", HEAD, b"PING\r\n")
        ours = msg("a", "o1", "", b"", b"x")
        data = INFO + ours + b"PING\r\n" + theirs + b"-ERR 'Permissions'\r\n" + ours
        expected = [INFO, ("o1", "a", "", {}, b"x"), b"PING\r\n", theirs]
        expected += [b"-ERR 'Permissions'\r\n", ("o1", "a", "", {}, b"x")]
        self.assertEqual(self.hear(data), expected)

    def test_a_message_amid_two_halves_of_lines(self):
        ours = msg("a", "o1", "", b"", b"x")
        heard = self.hear(INFO[:20], INFO[20:-1], INFO[-1:] + ours + b"PI", b"NG\r\n")
        self.assertEqual(heard, [INFO, ("o1", "a", "", {}, b"x"), b"PING\r\n"])

    def test_what_comes_for_a_subscription_that_has_ended_is_dropped(self):
        self.assertEqual(self.hear(msg("a", "o9", "", b"", b"x") + b"PING\r\n"), [b"PING\r\n"])

    def test_a_handler_may_end_its_subscription(self):
        heard = Heard("o1")
        take = heard.reader.handlers.pop(b"o1")
        heard.reader.handlers[b"o1"] = lambda message: (
            take(message),
            heard.reader.handlers.clear(),
        )
        heard.reader.feed(msg("a", "o1", "", b"", b"x") + msg("a", "o1", "", b"", b"y"))
        self.assertEqual(heard.all, [("o1", "a", "", {}, b"x")])

    def test_a_large_message_is_not_looked_through_for_each_piece(self):
        heard, data = Heard("o1"), msg("a", "o1", "", b"", b"x" * 100_000)
        heard.reader.feed(data[:10])
        heard.reader.feed(data[10:20])
        self.assertEqual(heard.reader._needed, len(data))
        for at in range(20, len(data), 1000):
            heard.reader.feed(data[at : at + 1000])
        self.assertEqual(heard.all, [("o1", "a", "", {}, b"x" * 100_000)])

    ours = st.builds(
        msg,
        st.sampled_from(("a", "a.b", "ocpp.call.=.CP1")),
        st.sampled_from(("o1", "o2")),
        st.sampled_from(("", "_INBOX.x.1")),
        st.sampled_from((b"", HEAD, b"NATS/1.0 503\r\n\r\n")),
        st.one_of(st.binary(max_size=30), st.sampled_from((b"\r\n", b"PING\r\n", b"MSG a o1 5\r"))),
    )
    others = st.sampled_from(
        (INFO, b"PING\r\n", b"PONG\r\n", b"+OK\r\n", msg("k", "7", "", b"", b"MSG a o1 1\r\nx"))
    )

    @given(st.lists(st.one_of(ours, others), max_size=12), st.data())
    def test_it_does_not_matter_where_the_stream_is_cut(self, parts: list[bytes], data: Any):
        whole = b"".join(parts)
        at = st.lists(st.integers(0, len(whole)), max_size=20)
        cuts = [0, *sorted(data.draw(at)), len(whole)]
        pieces = [whole[begin:end] for begin, end in pairwise(cuts)]
        one_by_one = [what for part in parts for what in self.hear(part)]
        self.assertEqual(len(one_by_one), len(parts))
        self.assertEqual(self.hear(*pieces), one_by_one)
        self.assertEqual(self.hear(*(whole[at : at + 1] for at in range(len(whole)))), one_by_one)


class MessageTests(SynchronousTestCase):
    def test_headers(self):
        head = b"NATS/1.0\r\nA: b: c\r\nEmpty:\r\nB:d\r\nnone\r\n\r\n"
        message = Message("a", "", b"", head)
        self.assertEqual(message.headers, {"A": "b: c", "Empty": "", "B": "d"})
        self.assertFalse(message.nobody_listens)

    def test_nobody_listens(self):
        message = Message("a", "", b"", b"NATS/1.0 503\r\n\r\n")
        self.assertTrue(message.nobody_listens)
        self.assertEqual(message.headers, {"Status": "503"})
        self.assertFalse(Message("a", "", b"x", b"NATS/1.0 503\r\n\r\n").nobody_listens)

    def test_a_status_with_words(self):
        message = Message("a", "", b"", b"NATS/1.0 408 Request Timeout\r\nA: b\r\n\r\n")
        self.assertEqual(message.headers, {"A": "b", "Status": "408"})

    def test_headers_that_are_no_utf8(self):
        message = Message("a", "", b"", b"NATS/1.0\r\nA: \xff\r\n\r\n")
        self.assertEqual(message.headers, {"A": "\ufffd"})


class WritingTests(SynchronousTestCase):
    def test_messages(self):
        self.assertEqual(pub("a", "", b"", b"data"), b"PUB a 4\r\ndata\r\n")
        self.assertEqual(pub("a", "r", b"", b""), b"PUB a r 0\r\n\r\n")
        head = block({"A": "b"})
        self.assertEqual(pub("a", "", head, b"x"), b"HPUB a 18 19\r\n" + HEAD + b"x\r\n")
        self.assertEqual(pub("a", "r", head, b""), b"HPUB a r 18 18\r\n" + HEAD + b"\r\n")

    def test_headers(self):
        self.assertEqual(block({"A": "b"}), HEAD)
        self.assertEqual(block({}), b"")
        self.assertEqual(block({"A": "é"}), "NATS/1.0\r\nA: é\r\n\r\n".encode())

    def test_a_value_cannot_end_its_line(self):
        for value in ("x\r\nB: c", "x\nB: c", "x\rB: c", "\r\n\r\n"):
            headers = Message("a", "", b"", block({"A": value, "C": "d"})).headers
            self.assertEqual(headers.keys(), {"A", "C"}, value)

    def test_subscriptions(self):
        self.assertEqual(sub("a.>", "", b"o1"), b"SUB a.> o1\r\n")
        self.assertEqual(sub("a.>", "q", b"o1"), b"SUB a.> q o1\r\n")
        self.assertEqual(unsub(b"o1"), b"UNSUB o1\r\n")
