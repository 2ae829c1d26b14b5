"""Proxies before us: whose word on a charge point's address and certificate is taken.

Imports Twisted's addresses. Anybody can send such headers; only those of the addresses that are
listed count.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from twisted.internet.interfaces import IAddress

__all__ = ["Forwarded", "Proxies", "network"]

Network = IPv4Network | IPv6Network


class Forwarded(NamedTuple):
    """What is known of where a charge point connects from.

    :ivar peer: its address, for logs.
    :ivar host: its address, without a port.
    :ivar names: those in its certificate, by a proxy that is listed; None if none has told.
    :ivar proxied: whether it comes through a proxy that is listed.
    """

    peer: str
    host: str = ""
    names: Sequence[str] | None = None
    proxied: bool = False


def network(text: str) -> Network:
    """An address or a network, for example ``10.0.0.0/8``.

    :raises ValueError: if it is neither.
    """
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither an address (10.0.0.5) nor a network (10.0.0.0/8)"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies that are believed.

    :ivar networks: where they connect from; empty for none.
    :ivar identity_header: the header in which they tell the names of a certificate that they have
        verified: its common name, commas and all; empty if they tell none.
        They must remove it from what clients send.
    """

    networks: Sequence[Network] = field(default=())
    identity_header: str = ""

    def trust(self, address: str) -> bool:
        """Whether an address (text) is that of a proxy."""
        if not self.networks:
            return False
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return any(ip in each for each in self.networks)

    def tell_identity_twice(self, head: bytes) -> bool:
        """Whether the identity header stands more than once in the head of a request.

        A proxy that adds its own to that of the client, instead of replacing it, must not let the
        client choose who it is.
        """
        if not self.identity_header:
            return False
        return head.lower().count(f"\n{self.identity_header.lower()}:".encode()) > 1

    def forwarded(self, address: IAddress, headers: Mapping[str, str]) -> Forwarded:
        """What is known of a handshake's origin.

        :param address: where the socket comes from; with the PROXY protocol, what that says.
        :param headers: of the handshake, their names in small letters.
        """
        host = str(getattr(address, "host", ""))
        if not self.trust(host):
            return Forwarded(_text(address), host)
        names = None
        if self.identity_header and (told := headers.get(self.identity_header.lower())):
            names = [told.strip()]
        origin = self._origin(headers)
        return Forwarded(origin or _text(address), origin or host, names, True)

    def _origin(self, headers: Mapping[str, str]) -> str:
        """The last address in X-Forwarded-For that is none of our proxies: those before it are
        what somebody we do not know has said.
        """
        for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
            try:
                ip = ip_address(hop.strip())
            except ValueError:
                return ""
            if not self.trust(str(ip)):
                return str(ip)
        return ""


def _text(address: IAddress) -> str:
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None:
        return os.fsdecode(getattr(address, "name", None) or "a local socket")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
