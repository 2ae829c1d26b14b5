"""How the server's WebSockets behave, and what is counted of them.

Imports the interfaces and its neighbours.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ocpp_twisted.interfaces import IDoorkeeper
from ocpp_twisted.security.proxies import Proxies
from ocpp_twisted.websocket.urls import Templates

__all__ = ["Counts", "WebSocketOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """How the server's WebSockets behave.

    :ivar templates: what connection URLs look like.
    :ivar ping_interval: seconds of silence before a ping; 0 for none.
    :ivar ping_timeout: seconds after a ping until a peer that stays silent is dropped.
    :ivar handshake_timeout: seconds for the WebSocket handshake.
    :ivar tls_handshake_timeout: seconds for the TLS handshake before it.
    :ivar first_message_timeout: seconds for the first message after it, of a charge point that is
        not known to be accepted; 0 for any time.
    :ivar message_timeout: seconds from a message's first byte to its last.
    :ivar close_timeout: seconds for the peer's answer to our closing.
    :ivar max_message_size: bytes of a message, after decompression; larger ones end the
        connection with 1009.
    :ivar max_messages_per_second: of one charge point, control frames included; each 4 KiB of a
        message, after decompression, count as one more. It may send ten times as many at once;
        beyond that it is read more slowly, and closed with 1008 if it goes on so for 300 seconds.
    :ivar max_write_buffer: bytes that wait for a peer that does not read; beyond, it is dropped.
    :ivar max_connections: sockets in all; None for as many as the process has files for.
    :ivar max_connections_per_address: sockets of one address that is not this machine's; None
        for 2,000, or half of all if that is less.
    :ivar max_closing_per_id: sockets of one charge point that may be closing.
    :ivar max_handshakes: that begin within a second, those over TLS counted twice; others wait up
        to 30 seconds.
    :ivar doorkeeper: decides who may come in; None for everybody.
    :ivar proxies: whose word on a charge point's address and certificate is taken.
    """

    templates: Templates = field(default_factory=Templates)
    ping_interval: float = 60.0
    ping_timeout: float = 30.0
    handshake_timeout: float = 20.0
    tls_handshake_timeout: float = 10.0
    first_message_timeout: float = 900.0
    message_timeout: float = 60.0
    close_timeout: float = 5.0
    max_message_size: int = 1024 * 1024
    max_messages_per_second: int = 2000
    max_write_buffer: int = 1024 * 1024
    max_connections: int | None = None
    max_connections_per_address: int | None = None
    max_closing_per_id: int = 4
    max_handshakes: int = 1000
    doorkeeper: IDoorkeeper | None = None
    proxies: Proxies = field(default_factory=Proxies)


@dataclass(slots=True)
class Counts:
    """What has become of the sockets of a server.

    :ivar open: subprotocol, ``ws`` or ``wss``, and security profile, to how many charge points are
        connected so.
    :ivar opened: the same since the start.
    :ivar refused: HTTP status to how many handshakes were refused with it.
    :ivar failed: WebSocket close code to how many charge points were sent away with it for a
        breach of the WebSocket protocol: 1009 is a message that was too large.
    :ivar silent: how many were dropped because they did not answer a ping, or did not read.
    :ivar late: how many did not finish their handshake in time.
    :ivar tls_refused: why, in a word, to how many TLS handshakes have failed for that.
    :ivar limited: a limit, by the name of its option, to how often it has stopped somebody.
    """

    open: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    opened: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    failed: Counter[int] = field(default_factory=Counter)
    silent: int = 0
    late: int = 0
    tls_refused: Counter[str] = field(default_factory=Counter)
    limited: Counter[str] = field(default_factory=Counter)
