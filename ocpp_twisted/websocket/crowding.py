"""How many sockets there may be: in all, from one address, and of one charge point that close.

Imports the identity, the proxies and the standard library.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Hashable
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from ocpp_twisted.security.proxies import Proxies

__all__ = ["Addresses", "Closing", "most_connections", "most_of_one_address"]

#: Files that the process needs for other things: its log, its database, HTTP, NATS.
_OTHER_FILES = 100
#: A region's charge points may come through one address of their carrier.
_MOST_OF_ONE = 2000


def most_connections() -> int:
    """How many connections the process has files for (``ulimit -n``), with some to spare."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(files - _OTHER_FILES, files // 2)


def most_of_one_address(all_: int) -> int:
    """How many of all connections one address may have, so that it cannot take them all."""
    return min(_MOST_OF_ONE, max(1, all_ // 2))


class Addresses:
    """How many sockets each address has. Those of this machine and of proxies are not counted.

    :param most: of one address. All of an IPv6 network of 64 bits are one: whoever has one of
        them has them all.
    :param proxies: stand for many charge points each.
    """

    def __init__(self, most: int, proxies: Proxies) -> None:
        self._most = most
        self._proxies = proxies
        self._sockets: dict[str, int] = {}

    def origin(self, host: str) -> str:
        """What an address is counted as; empty if it is not counted."""
        try:
            ip = ip_address(host)
        except ValueError:
            return ""  # a socket of this machine
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if ip.is_loopback or self._proxies.trust(str(ip)):
            return ""
        if isinstance(ip, IPv6Address):
            return f"{IPv6Address(int(ip) >> 64 << 64)}/64"
        return str(ip)

    def have_room(self, origin: str) -> bool:
        """Whether there may be one more socket of an origin."""
        return not origin or self._sockets.get(origin, 0) < self._most

    def enter(self, origin: str) -> None:
        """One more."""
        if origin:
            self._sockets[origin] = self._sockets.get(origin, 0) + 1

    def leave(self, origin: str) -> None:
        """One less."""
        if origin:
            left = self._sockets[origin] - 1
            if left:
                self._sockets[origin] = left
            else:
                del self._sockets[origin]


class _Closes(Protocol):
    def hurry(self) -> None:
        """End at once."""


class Closing:
    """The sockets that are closing, by charge point: the oldest has to hurry if they are many.

    A peer that opens and closes in a loop, and never ends a closing, collects no sockets.

    :param most: of one charge point.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sockets: dict[Hashable, list[_Closes]] = {}

    def begins(self, identity: Hashable, socket: _Closes) -> None:
        """A socket's closing has begun."""
        sockets = self._sockets.setdefault(identity, [])
        if socket not in sockets:
            sockets.append(socket)
        if len(sockets) > self._most:
            sockets.pop(0).hurry()

    def ends(self, identity: Hashable, socket: _Closes) -> None:
        """A socket has gone."""
        sockets = self._sockets.get(identity, [])
        if socket in sockets:
            sockets.remove(socket)
        if not sockets:
            self._sockets.pop(identity, None)
