"""The charge point's side of OCPP-J: it connects, registers, and keeps what it must not lose.

Imports connections and what is below them, and of `websocket` the client.
"""

from __future__ import annotations

from ocpp_twisted.charge_point.backoff import Backoff
from ocpp_twisted.charge_point.charge_point import ChargePoint
from ocpp_twisted.charge_point.line import Connects, State
from ocpp_twisted.charge_point.link import Link
from ocpp_twisted.charge_point.options import ChargePointOptions
from ocpp_twisted.charge_point.transactions import Retries
from ocpp_twisted.websocket.client import Dialer
from ocpp_twisted.websocket.client_tls import ClientTLS
from ocpp_twisted.websocket.target import Target

__all__ = [
    "Backoff",
    "ChargePoint",
    "ChargePointOptions",
    "ClientTLS",
    "Connects",
    "Dialer",
    "Link",
    "Retries",
    "State",
    "Target",
]
