"""A key-value bucket of NATS, over a `Link`: what has been put there, and in which order.

Imports msgspec and the link. nats-py's own bucket makes a task and a timer for each request. What
is sent and answered here is what any client of NATS sends. Source: NATS documentation, "JetStream
wire API reference", and ADR-8, "JetStream based Key-Value Stores".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field
from twisted.internet.defer import Deferred, fail

from ocpp_twisted.errors import Outdated
from ocpp_twisted.plugins.nats.errors import Disconnected, LinkError, NoResponders
from ocpp_twisted.plugins.nats.link import Link
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
_NONE: Mapping[str, str] = {}
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
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
    """A bucket, which is made when it is missing.

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
        try:
            answer = await self._ask(subject, _encode(self._config))
        except NoResponders as error:
            raise BucketError("NATS has no JetStream: start nats-server with -js") from error
        if answer.error is not None and answer.error.err_code != _IN_USE:
            raise BucketError(f"the bucket {self.name}: {answer.error.description}")

    async def get(self, key: str) -> Entry | None:
        """What was put, or deleted, last; None if nothing ever was."""
        subject = f"$JS.API.STREAM.MSG.GET.{self._config.name}"
        answer = await self._do(subject, _encode({"last_by_subj": self._prefix + key}))
        if answer.error is not None:
            if answer.error.err_code == _NOT_FOUND:
                return None
            raise BucketError(f"the bucket {self.name}: {answer.error.description}")
        stored = answer.message
        assert stored is not None
        if stored.hdrs and b"KV-Operation:" in base64.b64decode(stored.hdrs):
            return Entry(key, None, stored.seq)
        return Entry(key, base64.b64decode(stored.data), stored.seq)

    async def put(self, key: str, value: bytes, last: int | None = None) -> int:
        """Put something.

        :param last: the revision that the key must have, 0 if it must be new; None for any.
        :returns: its revision.
        :raises Conflict: if the key has another revision than `last`.
        """
        headers = {} if last is None else {_EXPECTED: str(last)}
        return await self._publish(key, value, headers)

    async def delete(self, key: str, last: int | None = None) -> int:
        """Delete what was put; otherwise as `put`."""
        headers = {"KV-Operation": "DEL"}
        if last is not None:
            headers[_EXPECTED] = str(last)
        return await self._publish(key, b"", headers)

    async def all(self) -> Sequence[Entry]:
        """All that has been put, and was not deleted.

        :raises LinkError: if it cannot be read.
        """
        await self._make()
        client = self._link.client
        found: list[Entry] = []

        async def read() -> None:
            try:
                bucket = await client.jetstream().key_value(self.name)
                watcher: Any = await bucket.watchall(ignore_deletes=True)
                try:
                    while (entry := await watcher.updates(_SECONDS)) is not None:
                        found.append(Entry(entry.key, entry.value or b"", entry.revision))
                finally:
                    await watcher.stop()
            except Exception as error:  # of many kinds
                raise BucketError(f"the bucket {self.name}: {error!r}") from error

        await self._link.run(read())
        return found

    async def _publish(self, key: str, value: bytes, headers: Mapping[str, str]) -> int:
        answer = await self._do(self._prefix + key, value, headers)
        if answer.error is not None:
            wrong = answer.error.err_code in _WRONG_LAST_SEQUENCE
            kind = Conflict if wrong else BucketError
            raise kind(f"the bucket {self.name}: {answer.error.description}")
        return answer.seq

    async def _do(
        self, subject: str, payload: bytes, headers: Mapping[str, str] = _NONE
    ) -> _Answer:
        """Ask; if the bucket is missing, make it and ask again."""
        try:
            answer = await self._ask(subject, payload, headers)
            if answer.error is None or answer.error.err_code != _NO_STREAM:
                return answer
        except NoResponders:
            pass
        await self._make()
        return await self._ask(subject, payload, headers)

    def _ask(
        self, subject: str, payload: bytes, headers: Mapping[str, str] = _NONE
    ) -> Deferred[_Answer]:
        if not self._link.connected:
            return fail(Disconnected(self._link.trouble(), sent=False))
        asked: Deferred[Message]
        asked = self._link.request(subject, payload, headers, timeout=_SECONDS)
        return asked.addCallback(lambda message: _read_answer(message.data))
