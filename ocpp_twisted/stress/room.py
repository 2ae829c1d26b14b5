"""How many processes and local addresses a number of connections needs.

Imports the errors. A process holds as many connections as it may open files; a local address as
many to one port as there are ports that the system gives out.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from math import ceil
from pathlib import Path
from urllib.parse import urlsplit

from ocpp_twisted.errors import ConfigurationError

__all__ = ["processes", "raise_limit", "sources"]

#: Files that a process needs for other things.
_OTHER_FILES = 50
#: Requests a second that one process sends without being late itself.
_EASY = 15_000
#: Processes that are started without being asked for.
_MOST = 16
_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: What most systems give out, where that cannot be read.
_USUAL_PORTS = 28_000


def processes(connections: int, rate: float, asked: int | None) -> int:
    """How many processes to start.

    :param rate: requests a second of all connections.
    :param asked: how many the user wants; None for as many as are needed.
    :raises ConfigurationError: if so many cannot hold the connections.
    """
    files = _most_files()
    needed = ceil(connections / max(1, files - _OTHER_FILES))
    if asked is not None:
        if asked < needed:
            raise ConfigurationError(
                f"{connections} connections need {needed} processes, not {asked}: each may open "
                f"{files} files only (ulimit -Hn)"
            )
        return min(asked, connections)
    if needed > _MOST:
        raise ConfigurationError(
            f"{connections} connections need {needed} processes, because each may open {files} "
            f"files only: raise the hard limit (ulimit -Hn), or say --processes {needed}"
        )
    useful = min(ceil(rate / _EASY), os.cpu_count() or 1)
    return min(max(needed, useful, 1), connections)


def sources(connections: int, urls: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The local addresses to connect from; none for the one that the system takes.

    A server on this machine, by its address, can be reached from any of 127.0.0.0/8. As many of
    them are taken as leave half of the ports free: those of the run before rest for a minute.

    :param asked: those that the user wants; empty for as many as are needed.
    :raises ConfigurationError: if these have not ports enough.
    """
    ports = _ports()
    if not asked and connections > ports // 2 and all(map(_is_here, urls)):
        return [str(_FIRST + number) for number in range(ceil(connections / (ports // 2)))]
    room = ports * (len(asked) or len({_place(url) for url in urls}))
    if connections > room:
        raise ConfigurationError(
            f"{connections} connections need {ceil(connections / ports)} addresses of this machine "
            f"to come from, since each has {ports} ports: give each with --source"
        )
    return list(asked)


def raise_limit() -> None:
    """Let this process open as many files as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_finite(hard), hard))


#: 127.0.0.1 is left to the server and to everybody else.
_FIRST = IPv4Address("127.0.0.2")
#: Linux allows no more (fs.nr_open), whatever the limit says.
_NR_OPEN = 1_048_576


def _most_files() -> int:
    return _finite(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _finite(limit: int) -> int:
    return _NR_OPEN if limit == resource.RLIM_INFINITY else limit


def _ports() -> int:
    try:
        first, last = map(int, _PORTS.read_text().split())
    except (OSError, ValueError):
        return _USUAL_PORTS
    return max(2, last - first + 1)


def _is_here(url: str) -> bool:
    try:
        address = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return isinstance(address, IPv4Address) and address.is_loopback


def _place(url: str) -> tuple[str | None, int | None]:
    return urlsplit(url).hostname, urlsplit(url).port
