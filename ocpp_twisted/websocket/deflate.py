"""permessage-deflate: which offers are taken, and how. Source: RFC 7692.

Imports Autobahn, which compresses and inflates.
"""

from __future__ import annotations

import re
from typing import Any

from autobahn.websocket.compress import (
    PERMESSAGE_COMPRESSION_EXTENSION,
    PerMessageDeflate,
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
)

__all__ = ["ToTheByte", "accept_compression", "can_be_read"]

#: "A decimal integer value without leading zeroes" (RFC 7692 section 7.1.2.1); Autobahn takes more.
_WINDOW_BITS = re.compile(r"[1-9][0-9]?")


def can_be_read(extension: str, parameters: Any) -> bool:
    """Whether Autobahn can read an offer of an extension.

    One that it cannot read is declined, as RFC 7692 section 7.1 says, and not a failed handshake.
    """
    values = [value for given in parameters.values() for value in given if value is not True]
    if not all(_WINDOW_BITS.fullmatch(value) for value in values):
        return False
    known = PERMESSAGE_COMPRESSION_EXTENSION.get(extension)
    if known is not None:
        try:
            known["Offer"].parse(parameters)
        except Exception:
            return False
    return True


def accept_compression(offers: list[Any]) -> PerMessageDeflateOfferAccept | None:
    """Accept permessage-deflate (RFC 7692), which a 2.x central system must support.

    Without context takeover on our side, so that no connection keeps a window between messages.
    """
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer, no_context_takeover=True)
    return None


class ToTheByte(PerMessageDeflate):
    """Inflates one byte more than a message may have, if there is one, so that Autobahn sees it.

    Asked for no more than the limit, zlib may keep the end of a repetition back without a trace,
    and Autobahn would take a message that is a little too large as one that ends there.
    """

    @classmethod
    def like(cls, agreed: PerMessageDeflate) -> ToTheByte:
        """With what has been agreed on in a handshake."""
        return cls(
            agreed._is_server,
            agreed.server_no_context_takeover,
            agreed.client_no_context_takeover,
            agreed.server_max_window_bits,
            agreed.client_max_window_bits,
            agreed.mem_level,
        )

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> bytes:
        """Autobahn compares what it gets with its limit."""
        most = None if max_output_len is None else max_output_len + 1
        inflated: bytes = super().decompress_message_data(data, most)
        return inflated
