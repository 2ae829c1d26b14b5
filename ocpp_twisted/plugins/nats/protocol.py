"""What messages need of NATS's client protocol, as bytes, without input or output.

Imports nothing of ours. A `Message` is what has come on a subject; `Reader` finds them in what a
socket brings. Source: NATS documentation, "Client Protocol", and ADR-4, "NATS Message Headers".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

__all__ = ["Message", "Reader", "block", "pub", "sub", "unsub"]

_MESSAGE, _WITH_HEAD, _OURS = b"MH", *b"Ho"
_HEAD = "NATS/1.0"
_NOBODY_LISTENS = b"NATS/1.0 503"
_ONE_LINE = str.maketrans("\r\n", "  ")


class Message:
    """What has come on a subject.

    :ivar reply: the subject where an answer is to go; empty if none is wanted.
    :ivar data: the payload.
    :ivar head: the headers as they came; empty if there are none.
    """

    __slots__ = ("data", "head", "reply", "subject")

    def __init__(self, subject: str, reply: str, data: bytes, head: bytes = b"") -> None:
        self.subject = subject
        self.reply = reply
        self.data = data
        self.head = head

    @property
    def headers(self) -> dict[str, str]:
        """The headers; what the server says instead of somebody's message is in ``Status``."""
        if not self.head:
            return {}
        first, *lines = self.head.decode(errors="replace").split("\r\n")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                headers[name] = value.strip()
        if status := first[len(_HEAD) :].strip():
            headers["Status"] = status.partition(" ")[0]
        return headers

    @property
    def nobody_listens(self) -> bool:
        """Whether the server says so, instead of an answer."""
        return self.head.startswith(_NOBODY_LISTENS) and not self.data


def block(headers: Mapping[str, str]) -> bytes:
    """Headers as they are sent; a line end in a value becomes spaces."""
    if not headers:
        return b""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join([_HEAD, *lines, "", ""])
    if text.count("\n") != len(lines) + 2 or text.count("\r") != len(lines) + 2:
        return block({name: value.translate(_ONE_LINE) for name, value in headers.items()})
    return text.encode()


def pub(subject: str, reply: str, head: bytes, payload: bytes) -> bytes:
    """A message as it is sent.

    :param head: a `block`.
    """
    to = (f"{subject} {reply}" if reply else subject).encode()
    if not head:
        return b"PUB %b %d\r\n%b\r\n" % (to, len(payload), payload)
    size = len(head)
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (to, size, size + len(payload), head, payload)


def sub(subject: str, queue: str, number: bytes) -> bytes:
    """A subscription as it is sent."""
    return b"SUB %b %b\r\n" % (f"{subject} {queue}".strip().encode(), number)


def unsub(number: bytes) -> bytes:
    """The end of a subscription as it is sent."""
    return b"UNSUB %b\r\n" % number


class Reader:
    """Finds the messages of our subscriptions in what comes, cut anywhere.

    :param others: is called with all the rest, whole lines and messages only.
    :ivar handlers: of our subscriptions, by their ids, which begin with ``o``.
    """

    def __init__(self, others: Callable[[bytes], object]) -> None:
        self._others = others
        self.handlers: dict[bytes, Callable[[Message], object]] = {}
        #: What has come and is not a whole line or message yet, and how many bytes that will be.
        self._rest = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> None:
        """Something has come."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        taken = self._take(data)
        if taken < len(data):
            self._rest += data[taken:]

    def _take(self, data: bytes) -> int:
        """Take whole messages and lines from the beginning; returns how many bytes that is."""
        at, end = 0, len(data)
        while at < end:
            line = data.find(b"\r\n", at)
            if line < 0:
                self._needed = 0
                break
            after, kind = line + 2, data[at]
            if kind in _MESSAGE:
                # MSG subject id [reply] size; HMSG subject id [reply] size-of-headers size
                fields = data[at:line].split()
                begin, after = after, after + int(fields[-1]) + 2
                if after > end:
                    self._needed = after - at
                    break
                if fields[2][0] == _OURS:
                    at = after
                    handler = self.handlers.get(fields[2])
                    if handler is not None:
                        handler(_message(fields, data, kind == _WITH_HEAD, begin, after - 2))
                    continue
            self._others(data[at:after])
            at = after
        return at


def _message(fields: list[bytes], data: bytes, has_head: bool, begin: int, stop: int) -> Message:
    subject = fields[1].decode()
    if has_head:
        body = begin + int(fields[-2])
        reply = fields[3].decode() if len(fields) == 6 else ""
        return Message(subject, reply, data[body:stop], data[begin:body])
    reply = fields[3].decode() if len(fields) == 5 else ""
    return Message(subject, reply, data[begin:stop])
