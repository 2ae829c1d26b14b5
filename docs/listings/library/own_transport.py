"""A central system without a socket: messages go in and come out as bytes."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.task import Clock
from zope.interface import implementer

from ocpp_twisted import v16
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IChargePoint, IMessageTransport
from ocpp_twisted.plugin import ActionPlugin, on


class Noon(ActionPlugin):
    """It is always the same time."""

    name = "noon"

    @on(v16.HeartbeatRequest)
    def heartbeat(
        self, charge_point: IChargePoint, request: v16.HeartbeatRequest
    ) -> v16.HeartbeatResponse:
        return v16.HeartbeatResponse(currentTime=datetime(2026, 1, 1, 12, tzinfo=UTC))


@implementer(IMessageTransport)
class Recorder:
    """Keeps what is sent."""

    peer = "memory"
    security_profile = 0

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send_message(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self, code: int, reason: str) -> None:
        self.sent.append(b"closed: %d" % code)

    def pause_receiving(self) -> None:
        pass

    def resume_receiving(self) -> None:
        pass


def main() -> None:
    clock, transport = Clock(), Recorder()
    central_system = CentralSystem([Noon()], clock)
    connection = central_system.connection_made(Identity("CP1"), "ocpp1.6", transport)

    connection.receive(b'[2,"1","Heartbeat",{}]')
    print(transport.sent.pop().decode())

    answer = central_system.call("CP1", v16.ResetRequest(type=v16.ResetType.Soft), timeout=5)
    answer.addErrback(lambda failure: print(failure.getErrorMessage()))
    clock.advance(6)

    connection.lost("the end")


if __name__ == "__main__":
    main()
