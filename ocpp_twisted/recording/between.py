"""What stands between a connection's transport and its receiver, and hands everything on.

Imports the interfaces only.
"""

from __future__ import annotations

from zope.interface import implementer

from ocpp_twisted.interfaces import IMessageReceiver, IMessageTransport

__all__ = ["Between"]


@implementer(IMessageTransport, IMessageReceiver)
class Between:
    """The owner's transport and the transport's receiver in one; a subclass looks at what passes.

    :ivar transport: the transport itself.
    :ivar receiver: what the owner made; it is to be set before anything comes.
    """

    __slots__ = ("receiver", "transport")

    receiver: IMessageReceiver

    def __init__(self, transport: IMessageTransport) -> None:
        self.transport = transport

    # -- IMessageReceiver, for the transport --------------------------------------------------

    @property
    def registered(self) -> bool:
        """See `IMessageReceiver.registered`."""
        registered: bool = self.receiver.registered
        return registered

    def receive(self, data: bytes) -> None:
        """See `IMessageReceiver.receive`."""
        self.receiver.receive(data)

    def closing(self) -> None:
        """See `IMessageReceiver.closing`."""
        self.receiver.closing()

    def lost(self, reason: str) -> None:
        """See `IMessageReceiver.lost`."""
        self.receiver.lost(reason)

    # -- IMessageTransport, for the owner -----------------------------------------------------

    @property
    def peer(self) -> str:
        """See `IMessageTransport.peer`."""
        peer: str = self.transport.peer
        return peer

    @property
    def security_profile(self) -> int:
        """See `IMessageTransport.security_profile`."""
        profile: int = self.transport.security_profile
        return profile

    def send_message(self, data: bytes) -> None:
        """See `IMessageTransport.send_message`."""
        self.transport.send_message(data)

    def close(self, code: int, reason: str) -> None:
        """See `IMessageTransport.close`."""
        self.transport.close(code, reason)

    def pause_receiving(self) -> None:
        """See `IMessageTransport.pause_receiving`."""
        self.transport.pause_receiving()

    def resume_receiving(self) -> None:
        """See `IMessageTransport.resume_receiving`."""
        self.transport.resume_receiving()
