"""Where Twisted's endpoints would listen, read from their descriptions. Imports nothing."""

from __future__ import annotations

import re
from ipaddress import ip_address

__all__ = ["clash", "only_here"]


def clash(one: str, other: str) -> bool:
    """Whether two endpoint descriptions cannot be listened on at the same time.

    Those of the two families of IP do not clash: that is the operating system's to say.
    """
    place, second = _place(one), _place(other)
    if place is None or second is None:
        return one == other
    (kind, host, port), (other_kind, other_host, other_port) = place, second
    if port == "0" or port != other_port or kind != other_kind:
        return False
    return host == other_host or "" in (host, other_host)


def only_here(description: str) -> bool:
    """Whether only this machine can reach what an endpoint description listens on."""
    place = _place(description)
    if place is None:
        return description.startswith("unix:")
    try:
        return ip_address(place[1].partition("%")[0]).is_loopback
    except ValueError:
        return False


def _place(description: str) -> tuple[int, str, str] | None:
    """The IP version, the address (empty for all) and the port; None if it is no port."""
    kind, *arguments = re.split(r"(?<!\\):", description)
    if kind not in ("tcp", "tcp6", "ssl"):
        return None
    named = dict(each.split("=", 1) for each in arguments if "=" in each)
    port = named.get("port", arguments[0] if arguments else "")
    host = named.get("interface", "").replace("\\:", ":")
    version = 6 if kind == "tcp6" or ":" in host else 4
    return version, "" if host in ("0.0.0.0", "::") else host, port
