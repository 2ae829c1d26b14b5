"""Charge points of OCPP 1.6 that charge, and send each message again until it has an answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from tests.support import frame, frames, request, until

__all__ = ["ChargePoint", "Transaction"]

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
#: Seconds until it tries again what was refused, or did not work.
_AGAIN = 0.1
#: Seconds until it leaves a gateway that does not answer.
_PATIENCE = 6.0
_METERS = 2


@dataclass
class Transaction:
    """What a charge point has told of a transaction, and was acknowledged.

    :ivar number: its own count of its transactions.
    """

    number: int
    transaction_id: int
    meters: list[tuple[datetime, str]] = field(default_factory=list)
    stopped: bool = False

    def at(self, minute: int) -> datetime:
        """A time while it charges."""
        return _BEGINNING + timedelta(hours=self.number, minutes=minute)

    def meter(self, minute: int) -> int:
        """What the meter shows then, in Wh."""
        return self.number * 1000 + minute


class _Socket(Protocol):
    """A connection of a charge point, the present one or one that it has left."""

    def __init__(self, charge_point: ChargePoint) -> None:
        self._charge_point = charge_point
        self._read = b""
        self._upgraded = False

    def connectionMade(self) -> None:
        self._charge_point.sockets.add(self)
        self.transport.write(request(f"/ocpp/{self._charge_point.name}"))

    def dataReceived(self, data: bytes) -> None:
        self._read += data
        if not self._upgraded:
            head, end, rest = self._read.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101 "), head
            self._upgraded, self._read = True, rest
            self._charge_point.is_online(self)
        found, self._read = frames(self._read)
        for opcode, payload in found:
            if opcode == 1:
                self._charge_point.hears(self, json.loads(payload))
            elif opcode == 8:
                self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._charge_point.sockets.discard(self)
        self._charge_point.is_lost(self)


class ChargePoint:
    """Begins, meters and ends one transaction after the other, and answers GetConfiguration.

    It has one CALL at a time. One that gets a CALLERROR, or no answer, is sent again with the same
    message id, on whichever connection there is. When it moves it leaves its old connection open,
    and says nothing there any more.

    :param ports: where it may connect now.
    :param chance: chooses among them.
    :ivar asked: how often each key was asked for, over the connections of their time.
    :ivar astray: the same, over connections that it had left.
    :ivar told: its transactions.
    :ivar refused: how many CALLs got a CALLERROR, and so were sent again.
    :ivar charging: whether it begins another transaction after this one.
    :ivar port: where it is connected, or tries to be.
    """

    def __init__(self, name: str, ports: Callable[[], Sequence[int]], chance: Random) -> None:
        self.name = name
        self.asked: Counter[str] = Counter()
        self.astray: Counter[str] = Counter()
        self.told: list[Transaction] = []
        self.refused = 0
        self.acknowledged = 0
        self.charging = True
        self.port = 0
        self.sockets: set[_Socket] = set()
        self._ports = ports
        self._chance = chance
        self._socket: _Socket | None = None
        self._online = False
        self._gone = False
        self._connecting: Deferred[Any] = Deferred()
        self._wait: IDelayedCall | None = None
        self._message: list[Any] | None = None
        boot = {"chargePointVendor": "V", "chargePointModel": "M"}
        self._say("BootNotification", boot)

    # -- its connection -----------------------------------------------------------------------

    def move(self, port: int | None = None) -> None:
        """Connect, to a port or anywhere; whatever becomes of the connection before."""
        self._socket, self._online = None, False
        ports = self._ports()
        if port is None and not ports:
            self._later(_AGAIN, self.move)
            return
        self.port = self._chance.choice(ports) if port is None else port
        socket = self._socket = _Socket(self)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, timeout=5)
        self._connecting = connectProtocol(endpoint, socket)
        self._connecting.addErrback(lambda _: self.is_lost(socket))
        self._later(_PATIENCE, self.move)

    def is_online(self, socket: _Socket) -> None:
        if socket is self._socket:
            self._online = True
            self._send()

    def is_lost(self, socket: _Socket) -> None:
        if socket is self._socket:
            self._socket, self._online = None, False
            self._later(_AGAIN, self.move)

    async def leave(self) -> None:
        """Go for good; fires when all its connections have ended."""
        self._gone, self._socket = True, None
        if self._wait is not None and self._wait.active():
            self._wait.cancel()
        self._connecting.cancel()
        for socket in list(self.sockets):
            socket.transport.abortConnection()
        await until(lambda: not self.sockets, reactor)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        if self._wait is not None and self._wait.active():
            self._wait.cancel()
        if not self._gone:
            self._wait = reactor.callLater(seconds, act)

    # -- what it hears ------------------------------------------------------------------------

    def hears(self, socket: _Socket, message: list[Any]) -> None:
        if socket is not self._socket:  # nobody is there any more
            if message[0] == 2:
                self.astray[message[3]["key"][0]] += 1
            return
        if message[0] == 2:
            _, message_id, _, body = message
            self.asked[body["key"][0]] += 1
            socket.transport.write(frame(json.dumps([3, message_id, {"unknownKey": body["key"]}])))
        elif self._message is None or message[1] != self._message[1]:
            pass  # the second answer to a CALL that was sent twice over this connection
        elif message[0] == 3:
            self._answered(self._message[2], message[2])
        else:
            self.refused += 1
            self._later(_AGAIN, self._send)

    # -- what it says -------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether all that it has told is acknowledged, and it has no more to tell."""
        return self._message is None

    def _send(self) -> None:
        if self._message is not None and self._online and self._socket is not None:
            self._socket.transport.write(frame(json.dumps(self._message)))
            self._later(_PATIENCE, self.move)
        elif self._wait is not None and self._wait.active():
            self._wait.cancel()

    def _say(self, action: str, payload: dict[str, Any]) -> None:
        self._message = [2, f"{self.name}-{self.acknowledged}", action, payload]
        self._send()

    def _answered(self, action: str, answer: dict[str, Any]) -> None:
        self.acknowledged += 1
        self._message = None
        if action == "StartTransaction":
            self.told.append(Transaction(len(self.told), answer["transactionId"]))
        elif action == "MeterValues":
            now = self.told[-1]
            minute = len(now.meters) + 1
            now.meters.append((now.at(minute), str(now.meter(minute))))
        elif action == "StopTransaction":
            self.told[-1].stopped = True
        else:
            assert answer["status"] == "Accepted", answer
        self.go_on()

    def go_on(self) -> None:
        """Say what comes next."""
        now = self.told[-1] if self.told else None
        if now is None or now.stopped:
            if self.charging:
                new = Transaction(len(self.told), 0)
                begun = {"connectorId": 1, "idTag": "ANNA", "meterStart": new.meter(0)}
                self._say("StartTransaction", {**begun, "timestamp": new.at(0).isoformat()})
            else:
                self._send()
            return
        payload: dict[str, Any] = {"transactionId": now.transaction_id}
        minute = len(now.meters) + 1
        time = now.at(minute).isoformat()
        if minute <= _METERS:
            value = {"timestamp": time, "sampledValue": [{"value": str(now.meter(minute))}]}
            self._say("MeterValues", {**payload, "connectorId": 1, "meterValue": [value]})
        else:
            payload |= {"meterStop": now.meter(minute), "timestamp": time}
            self._say("StopTransaction", payload)
