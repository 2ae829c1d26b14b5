"""permessage-deflate: which offers are taken, and how. Source: RFC 7692.

Imports Autobahn, which compresses and inflates.
"""

from __future__ import annotations

import re
from typing import Any

from autobahn.websocket.compress import (
    PERMESSAGE_COMPRESSION_EXTENSION,
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
)

__all__ = ["accept_compression", "can_be_read"]

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
