"""Tells that this process lives, and what it has to do, as long as it does.

Imports the interfaces and its neighbours. `directory` is for those who want to know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ocpp_twisted.interfaces import Node
from ocpp_twisted.plugins.nats.directory import NODE_SECONDS
from ocpp_twisted.plugins.nats.errors import LinkError
from ocpp_twisted.plugins.nats.keyvalue import Bucket
from ocpp_twisted.plugins.nats.link import Link
from ocpp_twisted.plugins.nats.subjects import token

__all__ = ["Sign"]

_log = Logger()
_encode = msgspec.json.Encoder().encode


class Sign:
    """A sign of life in the bucket of nodes, from `start` to `stop`.

    :param bucket: of `Node`.
    :param session: one run of this process.
    :param kind: ``gateway`` or ``worker``.
    :param load: what it has to do now, as numbers by name.
    """

    def __init__(
        self,
        link: Link,
        bucket: Bucket,
        node: str,
        session: str,
        kind: str,
        load: Callable[[], Mapping[str, float]],
        clock: IReactorTime,
    ) -> None:
        self._link = link
        self._bucket = bucket
        self._node = node
        self._session = session
        self._kind = kind
        self._load = load
        self._version = version("ocpp-twisted")
        self._since = round(time.time(), 3)
        self._beat = LoopingCall(lambda: Deferred.fromCoroutine(self._tell()))
        self._beat.clock = clock

    def start(self) -> None:
        """Before the link is started."""
        self._link.listen(self._up, lambda: None)
        self._beat.start(NODE_SECONDS / 3)

    def stop(self) -> Deferred[None]:
        """Say farewell; before the link is stopped."""
        if self._beat.running:
            self._beat.stop()
        return Deferred.fromCoroutine(self._farewell())

    def _up(self) -> None:
        if self._beat.running:
            self._beat.reset()
        Deferred.fromCoroutine(self._tell())

    async def _tell(self) -> None:
        if not self._link.connected:
            return
        node = Node(
            node=self._node,
            session=self._session,
            kind=self._kind,
            version=self._version,
            since=self._since,
            load=dict(self._load()),
        )
        try:
            await self._bucket.put(token(self._node), _encode(node))
        except LinkError as error:
            _log.debug("no sign of life could be given: {error}", error=error)

    async def _farewell(self) -> None:
        try:
            if self._link.connected:
                await self._bucket.delete(token(self._node))
        except LinkError as error:
            _log.debug("no farewell could be said: {error}", error=error)
