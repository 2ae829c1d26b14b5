"""Why a message could not be sent over NATS, or has no answer.

Imports the errors.
"""

from __future__ import annotations

from ocpp_twisted.errors import OCPPError

__all__ = ["Disconnected", "LinkError", "NoAnswer", "NoResponders", "TooLarge"]


class LinkError(OCPPError):
    """A message could not be sent over NATS, or has no answer."""


class Disconnected(LinkError):
    """There is no connection to NATS, or it was lost after the request was sent.

    :ivar sent: whether the request was sent, so that somebody may have acted on it.
    """

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class NoResponders(LinkError):
    """Nobody listens there: nobody has seen the request."""


class NoAnswer(LinkError):
    """There was no answer in time; somebody may have acted on the request."""


class TooLarge(LinkError):
    """The message is larger than the NATS server takes; it was not sent."""
