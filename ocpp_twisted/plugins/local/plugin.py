"""The plug-in itself: its configuration, its state, and the actions of its neighbours.

Imports the plug-in base and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.interfaces import IActiveCaller
from ocpp_twisted.plugins.local.authorization import Authorization
from ocpp_twisted.plugins.local.certificates import Certificates
from ocpp_twisted.plugins.local.charging_v2 import ChargingV2
from ocpp_twisted.plugins.local.charging_v16 import ChargingV16
from ocpp_twisted.plugins.local.connectors import Connectors
from ocpp_twisted.plugins.local.notifications import Notifications
from ocpp_twisted.plugins.local.refusals import Refusals
from ocpp_twisted.plugins.local.registration import Registration
from ocpp_twisted.plugins.local.status import Status
from ocpp_twisted.plugins.local.transactions import Transactions

__all__ = ["LocalPlugin"]


class LocalPlugin(
    Registration,
    Authorization,
    ChargingV16,
    ChargingV2,
    Status,
    Certificates,
    Notifications,
    Refusals,
):
    """Answers every action that charge points may send, in every version.

    Its configuration: ``heartbeat_interval``, seconds (default 300); ``authorize``, which is
    ``"open"``: every tag may charge.

    :param now: the time, with its zone.
    :ivar connectors: `Connectors`: what the charge points last said of their connectors.
    :ivar transactions: `Transactions`: those that go on, and the last that have ended.
    """

    name = "local"

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.heartbeat_interval = 300
        self.connectors = Connectors()
        self.transactions = Transactions(first_id=int(now().timestamp()))

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> None:
        """See `IActionPlugin.start`.

        :raises ConfigurationError: for an option that it does not know, or a value that it
            cannot use.
        """
        for option in config.keys() - {"authorize", "heartbeat_interval"}:
            raise ConfigurationError(
                f"plug-in local: there is no option {option!r}; "
                "it has `authorize` and `heartbeat_interval`"
            )
        interval = config.get("heartbeat_interval", self.heartbeat_interval)
        if type(interval) is not int or interval < 1:
            raise ConfigurationError(
                f"plug-in local: heartbeat_interval is {interval!r}; "
                "use a whole number of seconds, 1 or more"
            )
        authorize = config.get("authorize", "open")
        if authorize != "open":
            raise ConfigurationError(
                f'plug-in local: authorize is {authorize!r}; "open" is all it can be: '
                "there is no list of tags yet"
            )
        self.heartbeat_interval = interval
