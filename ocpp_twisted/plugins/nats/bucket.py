"""A bucket of JetStream's key-value store: what all nodes know, with a revision for each change.

Imports Twisted's names, nats-py and the link. A bucket outlives the connections of its link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.kv import KeyValue
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from ocpp_twisted.plugins.nats.link import Disconnected, Link, LinkError, NoAnswer

__all__ = ["Bucket", "Entry", "WrongRevision"]

_log = Logger()
_T = TypeVar("_T")
#: Seconds until a watch that could not be had is tried again.
_AGAIN_SECONDS = 1.0


class WrongRevision(LinkError):
    """Somebody else has changed the key meanwhile; nothing was written."""


class Entry(NamedTuple):
    """What a key holds.

    :ivar value: None if it was deleted, or has expired.
    :ivar revision: of this change; a later one is greater, whatever the key.
    """

    key: str
    value: bytes | None
    revision: int


class Bucket:
    """A bucket, made when it is used first.

    All its Deferreds have the errbacks `Disconnected` and `NoAnswer`, after which nobody knows
    whether a change was made, and `LinkError` for what NATS refuses.

    :param name: letters, digits, ``_`` and ``-``.
    :param options: those of nats-py's ``KeyValueConfig``, for example ``ttl``, in seconds.
    """

    def __init__(self, link: Link, name: str, **options: Any) -> None:
        self.name = name
        self._link = link
        self._options = options
        self._client: Client | None = None
        self._making: asyncio.Task[KeyValue] | None = None

    def get(self, key: str) -> Deferred[Entry | None]:
        """What a key holds; None if nothing."""

        async def get() -> Entry | None:
            store = await self._store()
            try:
                found = await store.get(key)
            except nats.js.errors.KeyNotFoundError:
                return None
            assert found.revision is not None
            return Entry(key, found.value, found.revision)

        return self._run(get)

    def put(self, key: str, value: bytes) -> Deferred[int]:
        """Set a key, whatever it holds; fires with the revision."""

        async def put() -> int:
            return await (await self._store()).put(key, value)

        return self._run(put)

    def create(self, key: str, value: bytes) -> Deferred[int]:
        """Set a key that holds nothing; fires with the revision. Its errback is `WrongRevision`."""

        async def create() -> int:
            return await (await self._store()).create(key, value)

        return self._run(create)

    def update(self, key: str, value: bytes, last: int) -> Deferred[int]:
        """Set a key if its revision is `last`; fires with the new one, or `WrongRevision`."""

        async def update() -> int:
            return await (await self._store()).update(key, value, last)

        return self._run(update)

    def delete(self, key: str, last: int) -> Deferred[None]:
        """Delete a key if its revision is `last`. Its errback is `WrongRevision`."""

        async def delete() -> None:
            await (await self._store()).delete(key, last)

        return self._run(delete)

    def watch(
        self,
        changed: Callable[[Entry], object],
        caught_up: Callable[[], object] = lambda: None,
        keys: str = ">",
    ) -> Callable[[], None]:
        """Hear of all keys, as they are and as they change, for as long as the link lives.

        After each connection of the link all is told once more, then `caught_up` is called.

        :param keys: a subject with wildcards, for some keys only.
        :returns: what ends it.
        """
        watching: asyncio.Task[None] | None = None
        over = False

        def up() -> None:
            nonlocal watching
            down()
            if not over:
                watching = asyncio.ensure_future(self._watch(changed, caught_up, keys))

        def down() -> None:
            nonlocal watching
            if watching is not None:
                watching.cancel()
                watching = None

        def end() -> None:
            nonlocal over
            over = True
            down()

        self._link.listen(up, down)
        if self._link.connected:
            up()
        return end

    async def _watch(
        self, changed: Callable[[Entry], object], caught_up: Callable[[], object], keys: str
    ) -> None:
        while True:
            watcher = None
            try:
                watcher = await (await self._store()).watch(keys)
                async for entry in watcher:
                    if entry is None:
                        caught_up()
                    else:
                        value = None if entry.operation else entry.value
                        changed(Entry(entry.key, value, entry.revision))
            except (TimeoutError, nats.errors.Error, LinkError) as error:
                text = "NATS: the bucket {bucket} is not watched: {error}"
                _log.warn(text, bucket=self.name, error=error)
            except Exception:
                _log.failure("NATS: who watches the bucket {bucket} has failed", bucket=self.name)
            finally:
                if watcher is not None and self._link.connected:
                    await watcher.stop()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _store(self) -> KeyValue:
        client = self._link.client
        if self._making is None or self._client is not client or _failed(self._making):
            self._client = client
            self._making = asyncio.ensure_future(self._make(client))
        return await asyncio.shield(self._making)

    async def _make(self, client: Client) -> KeyValue:
        jetstream = client.jetstream()
        try:
            return await jetstream.key_value(self.name)
        except nats.js.errors.BucketNotFoundError:
            return await jetstream.create_key_value(bucket=self.name, **self._options)

    def _run(self, ask: Callable[[], Coroutine[Any, Any, _T]]) -> Deferred[_T]:
        async def run() -> _T:
            try:
                return await ask()
            except nats.js.errors.KeyWrongLastSequenceError as error:
                raise WrongRevision(f"{self.name}: {error.description}") from error
            except (nats.js.errors.ServiceUnavailableError, nats.errors.NoRespondersError) as error:
                text = f"bucket {self.name}: NATS has no JetStream now: start it with -js"
                raise LinkError(text) from error
            except nats.js.errors.APIError as error:
                if error.err_code in (10071, 10164):  # what nats-py leaves of it when it deletes
                    raise WrongRevision(f"{self.name}: {error.description}") from error
                raise LinkError(f"bucket {self.name}: {error}") from error
            except (TimeoutError, nats.errors.TimeoutError) as error:
                raise NoAnswer(f"bucket {self.name}: no answer in time") from error
            except nats.errors.Error as error:
                raise Disconnected(f"bucket {self.name}: {error}", sent=True) from error

        if not self._link.connected:
            return fail(Disconnected(self._link.trouble(), sent=False))
        return self._link.run(run())


def _failed(task: asyncio.Task[KeyValue]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
