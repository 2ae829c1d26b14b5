"""What one connection may use, and what is remembered of charge points.

Imports nothing of the library.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds for time and memory.

    :raises ValueError: if nothing would work within them.

    :ivar call_timeout: seconds until a call of ours is given up, and seconds that it has on the
        wire, if the caller names no other.
    :ivar queued_calls: calls of ours that may wait to be sent, for each charge point.
    :ivar open_calls: CALLs of the peer that handlers may work on at once. More of them wait, and
        nothing is read from the peer until one is answered.
    :ivar answer_timeout: seconds that a handler has to answer; then the CALL is answered with
        InternalError. What the handler still returns is for the peer's retry.
    :ivar kept_answers: how many of its last CALLRESULTs are kept for each charge point, to answer
        a CALL that comes again.
    :ivar kept_seconds: how long each is kept at most: those to messages about transactions. Others
        are kept for a minute, and those that tell the time for ten seconds.
    :ivar json_depth: how deep arrays and objects of a message may be nested, its own array
        included.
    :ivar remembered: of how many charge points that are not connected something is remembered:
        their registration, their answers, and what they do wrong.
    """

    call_timeout: float = 30.0
    queued_calls: int = 64
    open_calls: int = 32
    answer_timeout: float = 60.0
    kept_answers: int = 8
    kept_seconds: float = 3600.0
    json_depth: int = 64
    remembered: int = 20_000

    def __post_init__(self) -> None:
        if self.open_calls < 1:
            raise ValueError("open_calls is 1 or more: with 0 no CALL would ever be answered")
