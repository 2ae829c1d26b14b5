"""Twisted's asyncio reactor on uvloop's event loop: ``twistd --reactor=uvloop``.

Imports nothing of the package. Twisted calls `install` when somebody chooses this reactor.
"""

from __future__ import annotations

from twisted.internet import asyncioreactor

__all__ = ["install"]


def install() -> None:
    """Make it the reactor of this process.

    :raises ImportError: if uvloop is not installed.
    """
    try:
        import uvloop
    except ImportError:
        raise ImportError("uvloop is not installed: pip install 'ocpp-twisted[uvloop]'") from None
    asyncioreactor.install(uvloop.new_event_loop())
