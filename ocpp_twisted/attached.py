"""How a plug-in gets at the rest of the server: its hub, its records, its last messages.

Imports the interfaces, the records' interface, the hub, and how passwords are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zope.interface import Attribute, Interface

from ocpp_twisted.hub import Hub, MessageNotice
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IListsNodes
from ocpp_twisted.records import IRecords
from ocpp_twisted.security.passwords import Passwords

__all__ = ["IAttached", "Surroundings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a server has besides the plug-in.

    :ivar hub: publishes and tells what happens.
    :ivar records: the first action plug-in that provides `IRecords`; None if there is none.
    :ivar messages: the last messages of a charge point, without secrets, the oldest first; none
        if no plug-in of the server `IAttached.sees_messages`.
    :ivar data_directory: where files are kept.
    :ivar passwords: makes and checks their hashes.
    :ivar nodes: the first plug-in that provides `IListsNodes`; None if there is none.
    """

    hub: Hub
    records: IRecords | None
    messages: Callable[[Identity], Sequence[MessageNotice]]
    data_directory: Path
    passwords: Passwords
    nodes: IListsNodes | None = None


class IAttached(Interface):
    """A plug-in, of either kind, that wants to know the rest of the server."""

    sees_messages = Attribute(
        "Whether it looks at charge points' messages (bool). If no plug-in does, none is kept, "
        "and nothing is published of them."
    )

    def attach(surroundings: Surroundings) -> None:
        """Called once, before ``start``."""
