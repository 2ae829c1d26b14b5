"""A plug-in that counts who is connected, as the server's hub tells it."""

from zope.interface import implementer

from ocpp_twisted.attached import IAttached, Surroundings
from ocpp_twisted.hub import ConnectionNotice
from ocpp_twisted.plugin import ActionPlugin


@implementer(IAttached)
class Counter(ActionPlugin):
    name = "counter"
    sees_messages = False

    def __init__(self) -> None:
        self.online: set[tuple[str, str]] = set()

    def attach(self, surroundings: Surroundings) -> None:
        surroundings.hub.listen(self.heard, [ConnectionNotice])

    def heard(self, notice: ConnectionNotice) -> None:
        who = (notice.name, notice.chargePoint)
        if notice.event == "online":
            self.online.add(who)
        else:
            self.online.discard(who)
