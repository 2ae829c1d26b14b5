"""A key-value bucket of NATS, over a `Link`: what has been put there, and in which order.

Imports msgspec, the link and `pages`. nats-py's own bucket makes a task and a timer for each
request, and takes one of a cluster for empty whose entries are still on their way. What is sent and
answered here is what any client of NATS sends. Source: NATS documentation, "JetStream wire API
reference", and ADR-8, "JetStream based Key-Value Stores".
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from ocpp_twisted.errors import Outdated
from ocpp_twisted.plugins.nats.errors import Disconnected, LinkError, NoResponders
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.pages import Pages, PagesError
from ocpp_twisted.plugins.nats.protocol import Message

__all__ = ["Bucket", "BucketError", "Conflict", "Entry"]

#: Seconds that JetStream has to answer. While a cluster elects a leader it never does: what is
#: asked again soon is answered soon after.
_SECONDS = 2.0
_NANOSECONDS = 1_000_000_000
_NOT_FOUND = 10037
_NO_STREAM = 10059
_WRONG_LAST_SEQUENCE = (10071, 10164)
_IN_USE = 10058
_EXPECTED = b"Nats-Expected-Last-Subject-Sequence"
_OPERATION = b"KV-Operation:"
_DELETE = _OPERATION + b" DEL\r\n"
#: Seconds after which JetStream forgets whom it has shown a bucket, if it is not told to.
_FORGOTTEN_SECONDS = 30
_encode = msgspec.json.Encoder().encode


class BucketError(LinkError):
    """JetStream has refused something; the text says why."""


class Conflict(BucketError, Outdated):
    """Somebody else has put something there meanwhile; nothing was done."""


class Entry(Struct, frozen=True):
    """What was put last.

    :ivar key: where.
    :ivar value: what; None if it was deleted.
    :ivar revision: a number that grows with whatever is put into, or deleted from, the bucket.
    """

    key: str
    value: bytes | None
    revision: int


class _Error(Struct):
    code: int
    err_code: int = 0
    description: str = ""


class _Stored(Struct):
    seq: int
    data: str = ""
    hdrs: str = ""


class _Answer(Struct):
    error: _Error | None = None
    seq: int = 0
    message: _Stored | None = None
    name: str = ""


class _Republish(Struct):
    src: str
    dest: str


class _Config(Struct, omit_defaults=True):
    """The stream that a bucket is (ADR-8)."""

    name: str
    subjects: list[str]
    max_msgs_per_subject: int
    num_replicas: int
    allow_rollup_hdrs: bool
    deny_delete: bool
    allow_direct: bool
    discard: str
    max_age: int = 0
    republish: _Republish | None = None
    retention: str = field(default="")


_read_answer = msgspec.json.Decoder(_Answer).decode


class Bucket:
    """A bucket, which is made when it is missing; but not by `all`.

    All errbacks are `LinkError`; those of them that JetStream causes are `BucketError`.

    :param name: letters, digits, ``_`` and ``-``.
    :param seconds: how long an entry is kept; 0 for ever.
    :param replicas: on how many servers of a cluster; a bucket that is there stays as it is.
    :param told: a subject, without wildcards: what has been put under a key is published below it
        once it is stored, with its revision in the header ``Nats-Sequence``.
    """

    def __init__(
        self, link: Link, name: str, *, seconds: float = 0, replicas: int = 1, told: str = ""
    ) -> None:
        self.name = name
        self._link = link
        self._prefix = f"$KV.{name}."
        self._config = _Config(
            name=f"KV_{name}",
            subjects=[f"{self._prefix}>"],
            max_msgs_per_subject=1,
            num_replicas=replicas,
            allow_rollup_hdrs=True,
            deny_delete=True,
            allow_direct=True,
            discard="new",
            max_age=int(seconds * _NANOSECONDS),
            republish=_Republish(f"{self._prefix}>", f"{told}.>") if told else None,
        )

    async def _make(self) -> None:
        subject = f"$JS.API.STREAM.CREATE.{self._config.name}"
        answer = await self._ask_jetstream(subject, _encode(self._config))
        if answer.error is not None and answer.error.err_code != _IN_USE:
            raise BucketError(f"the bucket {self.name}: {answer.error.description}")

    def get(self, key: str) -> Deferred[Entry | None]:
        """What was put, or deleted, last; None if nothing ever was."""
        subject = f"$JS.API.STREAM.MSG.GET.{self._config.name}"
        asked: Deferred[Any] = self._ask(subject, _encode({"last_by_subj": self._prefix + key}))
        return asked.addCallback(self._entry, key)

    def put(self, key: str, value: bytes, last: int | None = None) -> Deferred[int]:
        """Put something.

        :param last: the revision that the key must have, 0 if it must be new; None for any.
        :returns: a Deferred of its revision. Its errback is `Conflict` if the key has another
            revision than `last`.
        """
        asked: Deferred[Any] = self._ask(self._prefix + key, value, _head(last))
        return asked.addCallback(self._revision)

    def delete(self, key: str, last: int | None = None) -> Deferred[int]:
        """Delete what was put; otherwise as `put`."""
        asked: Deferred[Any] = self._ask(self._prefix + key, b"", _head(last, _DELETE))
        return asked.addCallback(self._revision)

    async def all(self) -> Sequence[Entry]:
        """All that has been put, and was not deleted; nothing if the bucket is missing.

        Who reads does not make it: on how many servers it is to be, only those know who write.

        :raises LinkError: if it cannot be read.
        """
        stream = self._config.name
        consumer = {
            "deliver_policy": "last_per_subject",
            "filter_subject": f"{self._prefix}>",
            "ack_policy": "none",
            "num_replicas": 1,
            "mem_storage": True,
            "inactive_threshold": _FORGOTTEN_SECONDS * _NANOSECONDS,
        }
        answer = await self._ask_jetstream(
            f"$JS.API.CONSUMER.CREATE.{stream}",
            _encode({"stream_name": stream, "config": consumer}),
        )
        if answer.error is not None:
            if answer.error.err_code == _NO_STREAM:
                return []
            raise BucketError(f"the bucket {self.name}: {answer.error.description}")
        try:
            stored = await Pages(self._link, stream, answer.name, _SECONDS).all()
        except PagesError as error:
            raise BucketError(f"the bucket {self.name}: {error}") from error
        return [
            Entry(message.subject[len(self._prefix) :], message.data, revision)
            for revision, message in stored
            if _OPERATION not in message.head
        ]

    def _entry(self, answer: _Answer, key: str) -> Entry | None:
        if answer.error is not None:
            if answer.error.err_code == _NOT_FOUND:
                return None
            raise BucketError(f"the bucket {self.name}: {answer.error.description}")
        stored = answer.message
        assert stored is not None
        if stored.hdrs and _OPERATION in base64.b64decode(stored.hdrs):
            return Entry(key, None, stored.seq)
        return Entry(key, base64.b64decode(stored.data), stored.seq)

    def _revision(self, answer: _Answer) -> int:
        if answer.error is not None:
            wrong = answer.error.err_code in _WRONG_LAST_SEQUENCE
            kind = Conflict if wrong else BucketError
            raise kind(f"the bucket {self.name}: {answer.error.description}")
        return answer.seq

    def _ask(self, *question: Any) -> Deferred[_Answer]:
        """Ask, as `_ask_once`; if the bucket is missing, make it and ask again."""

        async def make_and_ask() -> _Answer:
            await self._make()
            return await self._ask_once(*question)

        def answered(answer: _Answer) -> _Answer | Deferred[_Answer]:
            if answer.error is not None and answer.error.err_code == _NO_STREAM:
                return Deferred.fromCoroutine(make_and_ask())
            return answer

        def failed(failure: Failure) -> Deferred[_Answer]:
            failure.trap(NoResponders)
            return Deferred.fromCoroutine(make_and_ask())

        asked: Deferred[Any] = self._ask_once(*question)
        return asked.addCallbacks(answered, failed)

    async def _ask_jetstream(self, subject: str, payload: bytes) -> _Answer:
        try:
            return await self._ask_once(subject, payload)
        except NoResponders as error:
            raise BucketError("NATS has no JetStream: start nats-server with -js") from error

    def _ask_once(self, subject: str, payload: bytes, head: bytes = b"") -> Deferred[_Answer]:
        if not self._link.connected:
            return fail(Disconnected(self._link.trouble(), sent=False))
        asked: Deferred[Any] = self._link.request(subject, payload, head, timeout=_SECONDS)
        return asked.addCallback(_answer)


def _answer(message: Message) -> _Answer:
    return _read_answer(message.data)


def _head(last: int | None, more: bytes = b"") -> bytes:
    """The headers of something that is put over a revision, if that is not None."""
    if last is not None:
        more += b"%b: %d\r\n" % (_EXPECTED, last)
    return b"NATS/1.0\r\n%b\r\n" % more if more else b""
