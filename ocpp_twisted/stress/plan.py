"""What a process has to do, as the line that it is told in.

Imports msgspec only.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

__all__ = ["Plan", "read_ids"]


class Plan(msgspec.Struct, kw_only=True, frozen=True):
    """The part of a load that one process carries. All times are in seconds.

    :ivar urls: WebSocket URLs without the charge points' ids; charge points take them in turn.
    :ivar version: of OCPP.
    :ivar first: the number of this process's first charge point.
    :ivar step: how many processes there are: each takes every so manieth charge point.
    :ivar connections: of all processes.
    :ivar rate: requests a second of each charge point.
    :ivar duration: how long requests are sent.
    :ivar ramp: connections a second, of all processes.
    :ivar timeout: for an answer, and for a connection.
    :ivar kind: see `ocpp_twisted.stress.messages.KINDS`.
    :ivar boot: whether charge points boot when they have connected.
    :ivar prefix: of their ids, before a number.
    :ivar ids: a file with their ids instead, one a line.
    :ivar sources: local addresses, taken in turn; none for any.
    :ivar password: of all of them, for HTTP Basic.
    :ivar ca: see `ocpp_twisted.websocket.client_tls.ClientTLS`, as the next ones.
    :ivar run: differs from that of all other runs: their message ids must not come again.
    """

    urls: list[str]
    version: str
    first: int
    step: int
    connections: int
    rate: float
    duration: float
    ramp: float
    timeout: float
    kind: str
    boot: bool
    prefix: str
    ids: str | None
    sources: list[str]
    password: str | None
    ca: str | None
    cert: str | None
    key: str | None
    verify: bool
    run: str

    @property
    def mine(self) -> range:
        """The numbers of this process's charge points."""
        return range(self.first, self.connections, self.step)

    def names(self) -> Iterator[str]:
        """The ids of this process's charge points.

        :raises OSError: if the file cannot be read.
        """
        if self.ids is None:
            return (f"{self.prefix}{number}" for number in self.mine)
        return islice(read_ids(self.ids), self.first, self.connections, self.step)


def read_ids(path: str) -> list[str]:
    """The ids in a file, one a line; empty lines do not count.

    :raises OSError: if it cannot be read.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]
