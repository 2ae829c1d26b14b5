"""How a charge point behaves. Imports its neighbours and the limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from ocpp_twisted.charge_point.backoff import Backoff
from ocpp_twisted.charge_point.transactions import Retries
from ocpp_twisted.limits import Limits

__all__ = ["ChargePointOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePointOptions:
    """How a charge point behaves; what a central system may set is an attribute of `ChargePoint`.

    :ivar backoff: how long it waits before it connects again.
    :ivar retries: how often it sends what the central system does not take.
    :ivar heartbeat_interval: seconds between Heartbeats, if the central system names none.
    :ivar boot_interval: seconds between BootNotifications, if the central system names none.
    :ivar kept_messages: messages about transactions that may wait to be sent.
    :ivar limits: what the connection may use.
    """

    backoff: Backoff = field(default_factory=Backoff)
    retries: Retries = field(default_factory=Retries)
    heartbeat_interval: float = 300.0
    boot_interval: float = 60.0
    kept_messages: int = 10_000
    limits: Limits = field(default_factory=Limits)
