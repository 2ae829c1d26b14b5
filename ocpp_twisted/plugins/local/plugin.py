"""The plug-in itself: its configuration, its store, and the actions of its neighbours.

Imports the plug-in base, its neighbours and the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from ocpp_twisted.attached import IAttached, Surroundings
from ocpp_twisted.complaints import Complaints
from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IActiveCaller, IChecksConfig, IMeasured, IReportsHealth
from ocpp_twisted.measuring import Counted
from ocpp_twisted.plugins.local.authorization import Authorization
from ocpp_twisted.plugins.local.certificates import Certificates
from ocpp_twisted.plugins.local.charging_v2 import ChargingV2
from ocpp_twisted.plugins.local.charging_v16 import ChargingV16
from ocpp_twisted.plugins.local.forgetting import Forgetting
from ocpp_twisted.plugins.local.kept import Records
from ocpp_twisted.plugins.local.notifications import Notifications
from ocpp_twisted.plugins.local.outcomes import Outcomes
from ocpp_twisted.plugins.local.refusals import Refusals
from ocpp_twisted.plugins.local.registration import Registration
from ocpp_twisted.plugins.local.reports import Reports
from ocpp_twisted.plugins.local.status import Status
from ocpp_twisted.plugins.local.store.charge_points import Heard
from ocpp_twisted.plugins.local.store.database import (
    check_database,
    open_database,
    probe,
    reach_database,
)
from ocpp_twisted.plugins.local.store.writer import Immediate, Runner, Writer
from ocpp_twisted.records import Admission, ChargePoint, Transaction

__all__ = ["LocalPlugin"]

_IN_MEMORY = "sqlite://"
#: Seconds between writings of who was heard.
_HEARD_EVERY = 300.0
#: Seconds between looks at who is rejected: another process may have been told, or the store may
#: not have been there.
_REJECTED_EVERY = 60.0
#: What they are of, the least and the most (of days: a century, which every clock can be set back
#: by), and what holds if nothing is said: 90 days are long enough to look into what has happened,
#: and no more than a small disk holds.
_NUMBERS = {
    "heartbeat_interval": ("seconds", 1, 2**31 - 1, 300),
    "keep_events": ("days", 0, 36_500, 90),
    "keep_transactions": ("days", 0, 36_500, 0),
}
_OPTIONS = {*_NUMBERS, "authorize", "charge_points", "store"}


@implementer(IAttached, IChecksConfig, IMeasured, IReportsHealth)
class LocalPlugin(
    Registration,
    Authorization,
    ChargingV16,
    ChargingV2,
    Status,
    Reports,
    Certificates,
    Notifications,
    Refusals,
    Outcomes,
    Records,
):
    """Answers every action that charge points may send, in every version, and keeps what they say.

    Its configuration:

    - ``store``: the URL of its database; without it all is in memory and gone with the process.
    - ``authorize``: ``"known"`` (the default): the tags that were entered may charge; ``"open"``:
      also those that were not.
    - ``charge_points``: ``"any"`` (the default) are admitted, or only those ``"known"``.
    - ``heartbeat_interval``: seconds (default 300).
    - ``keep_events``: for how many days events are kept (default 90); 0 for ever.
    - ``keep_transactions``: the same for transactions that have ended (default 0).

    It provides `ocpp_twisted.records.IRecords`. A subclass may have an `authorizer` and a `tariff`
    of its own.

    :param now: the time, with its zone.
    :param store: where jobs run, as long as the configuration names no other; None for memory.
    """

    name = "local"
    recorded_config = ("authorize", "charge_points", "heartbeat_interval")

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        store: Runner | None = None,
    ) -> None:
        self.now = now
        self.heartbeat_interval = 300
        self.everybody = False
        self.any_charge_point = True
        self._last_heard: dict[Identity, Heard] = {}
        self._admitted: set[Identity] = set()
        self._rejected: set[Identity] = set()
        self._store = store
        self._directory: Path | None = None
        self._looping: list[LoopingCall] = []
        self._forgetting: Forgetting | None = None

    @property
    def store(self) -> Runner:
        """Where jobs run; in memory as long as no other store was asked for."""
        if self._store is None:
            self._store = Immediate(open_database(_IN_MEMORY))
        return self._store

    sees_messages = False

    def attach(self, surroundings: Surroundings) -> None:
        """See `IAttached.attach`."""
        self.hub = surroundings.hub
        self._directory = surroundings.data_directory

    def put_charge_point(
        self, charge_point: str | Identity, admission: Admission = "Accepted"
    ) -> Deferred[ChargePoint]:
        """See `IRecords.put_charge_point`; what it may send is looked up again."""
        identity = Identity.of(charge_point)
        self._admitted.discard(identity)

        def entered(record: ChargePoint) -> ChargePoint:
            self.decided(identity, admission)
            return record

        return super().put_charge_point(identity, admission).addCallback(entered)

    def delete_charge_point(self, charge_point: str | Identity) -> Deferred[bool]:
        """See `IRecords.delete_charge_point`; what it may send is looked up again."""
        identity = Identity.of(charge_point)
        self._admitted.discard(identity)

        def forgotten(was_known: bool) -> bool:
            self.decided(identity, None)
            return was_known

        return super().delete_charge_point(identity).addCallback(forgotten)

    def close_transaction(self, id: int) -> Deferred[Transaction | None]:  # noqa: A002
        """See `IRecords.close_transaction`."""

        def close(before: Transaction | None) -> Deferred[Transaction | None]:
            closed = super(LocalPlugin, self).close_transaction(id)
            if before is not None and before.stopped is None and before.closed is None:
                closed.addCallback(tell)
            return closed

        def tell(transaction: Transaction | None) -> Transaction | None:
            if transaction is not None:
                self.tell_of(transaction, "ended")
            return transaction

        return self.get_transaction(id).addCallback(close)

    def trouble(self) -> str:
        """See `IReportsHealth.trouble`."""
        return "" if self.healthy else "the records cannot be reached: charge points try again"

    def measures(self) -> list[Counted]:
        """See `IMeasured.measures`."""
        text = "How long it took to write what waited, in one transaction."
        return [Counted.one("ocpp_store_commit_seconds", text, self.store.commits)]

    def check_config(self, config: Mapping[str, Any], data_directory: Path) -> list[str]:
        """See `IChecksConfig.check_config`."""
        return self._complaints(config, data_directory).sentences

    def _complaints(self, config: Mapping[str, Any], data_directory: Path | None) -> Complaints:
        wrong = Complaints()
        for option in sorted(config.keys() - _OPTIONS):
            known = ", ".join(sorted(_OPTIONS))
            wrong.add(f"plug-in local: there is no option {option!r}; it has {known}")
        for option in _NUMBERS:
            with wrong.collect():
                self._number(config, option)
        with wrong.collect():
            _one_of(config, "authorize", "known", "open")
        with wrong.collect():
            _one_of(config, "charge_points", "any", "known")
        if (url := config.get("store")) is not None:
            with wrong.collect():
                check_database(url, data_directory)
        return wrong

    def _number(self, config: Mapping[str, Any], option: str) -> int:
        """A whole number; for `heartbeat_interval` a subclass may have a default of its own."""
        what, least, most, default = _NUMBERS[option]
        value = config.get(option, getattr(self, option, default))
        if type(value) is not int or not least <= value <= most:
            raise ConfigurationError(
                f"plug-in local: {option} is {value!r}; use a whole number of {what}, "
                f"{least} to {most}"
            )
        return value

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> None:
        """See `IActionPlugin.start`.

        :raises ConfigurationError: for an option that it does not know, or a value that it
            cannot use.
        """
        self._complaints(config, self._directory).tell()
        self.everybody = _one_of(config, "authorize", "known", "open") == "open"
        self.any_charge_point = _one_of(config, "charge_points", "any", "known") == "any"
        self.heartbeat_interval = self._number(config, "heartbeat_interval")
        self.caller = caller
        if (url := config.get("store")) is not None:
            from twisted.internet import reactor  # the one that runs us, whichever it is

            engine, trouble = reach_database(url, self._directory)
            self._store = Writer(engine, reactor, probe, trouble=trouble)
            self._looping = [LoopingCall(self.write_heard), LoopingCall(self.heed_rejected)]
            for looping, seconds in zip(
                self._looping, (_HEARD_EVERY, _REJECTED_EVERY), strict=True
            ):
                looping.start(seconds)
            self._forgetting = Forgetting(
                self._store,
                reactor,
                self.now,
                self._number(config, "keep_events"),
                self._number(config, "keep_transactions"),
            )
            self._forgetting.start()

    def stop(self) -> Deferred[None] | None:
        """See `IActionPlugin.stop`; fires when all is written and the database is closed."""
        while self._looping:
            self._looping.pop().stop()
        if self._forgetting is not None:
            self._forgetting.stop()
            self._forgetting = None
        self.write_heard()
        store, self._store = self._store, None
        return None if store is None else store.stop()


def _one_of(config: Mapping[str, Any], option: str, *values: str) -> str:
    """The value of an option; the first if it is not given."""
    value = config.get(option, values[0])
    if value not in values:
        raise ConfigurationError(
            f'plug-in local: {option} is {value!r}; use "{values[0]}" or "{values[1]}"'
        )
    chosen: str = value
    return chosen
