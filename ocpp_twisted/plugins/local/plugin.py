"""The plug-in itself: its configuration, its store, and the actions of its neighbours.

Imports the plug-in base, its neighbours and the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent
from zope.interface import implementer

from ocpp_twisted.attached import IAttached, Surroundings
from ocpp_twisted.complaints import Complaints
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import (
    IActiveCaller,
    IChargePoint,
    IChecksConfig,
    IKnowsChargePoints,
    IMeasured,
    IReportsHealth,
)
from ocpp_twisted.measuring import Counted
from ocpp_twisted.plugins.local.authorization import Authorization
from ocpp_twisted.plugins.local.certificates import Certificates
from ocpp_twisted.plugins.local.charging_v2 import ChargingV2
from ocpp_twisted.plugins.local.charging_v16 import ChargingV16
from ocpp_twisted.plugins.local.configuration import Configuration, read
from ocpp_twisted.plugins.local.doors import Doors
from ocpp_twisted.plugins.local.forgetting import Forgetting
from ocpp_twisted.plugins.local.kept import Records
from ocpp_twisted.plugins.local.notifications import Notifications
from ocpp_twisted.plugins.local.outcomes import Outcomes
from ocpp_twisted.plugins.local.refusals import Refusals
from ocpp_twisted.plugins.local.registration import Registration
from ocpp_twisted.plugins.local.renewal import Renewal
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
from ocpp_twisted.security.local_authority import LocalAuthority
from ocpp_twisted.security.ocsp import Responders
from ocpp_twisted.security.passwords import Passwords

__all__ = ["LocalPlugin"]

_log = Logger()

_IN_MEMORY = "sqlite://"
#: Seconds between writings of who was heard.
_HEARD_EVERY = 300.0
#: Seconds between looks at who is rejected: another process may have been told, or the store may
#: not have been there.
_REJECTED_EVERY = 60.0
#: Seconds between the steps of the daily round that renews certificates.
_RENEW_EVERY = 60.0
_CRL_EVERY = 86400.0


@implementer(IAttached, IChecksConfig, IKnowsChargePoints, IMeasured, IReportsHealth)
class LocalPlugin(
    Registration,
    Authorization,
    ChargingV16,
    ChargingV2,
    Status,
    Reports,
    Renewal,
    Certificates,
    Notifications,
    Refusals,
    Outcomes,
    Doors,
    Records,
):
    """Answers every action that charge points may send, in every version, and keeps what they say.

    Its configuration:

    - ``store``: the URL of its database; without it all is in memory and gone with the process.
    - ``authorize``: ``"known"`` (the default): the tags that were entered may charge; ``"open"``:
      also those that were not.
    - ``charge_points``: ``"any"`` (the default) are admitted, or only those ``"known"``.
    - ``heartbeat_interval``: seconds (default 300).
    - ``interval_spread``: percent by which it differs between charge points (0; at most 50).
    - ``keep_events``: for how many days events are kept (default 90); 0 for ever.
    - ``keep_transactions``: the same for transactions that have ended (default 0).
    - ``certificate_authority``: ``"local"`` signs charge points' certificates with ``ca_cert`` and
      ``ca_key`` (files) or those of the data directory; ``"none"`` (the default) signs none.
      ``ca_organization`` is their O, ``ca_days`` (365) how long they are good.
    - ``certificate_renewal_days``: how long before their end they are renewed (30; 0 for never).
    - ``ocsp_responders``: URLs with which those of the responders begin that may be asked.

    It provides `ocpp_twisted.records.IRecords` and `ocpp_twisted.security.records.IDoorRecords`. A
    subclass may have an `authorizer`, a `tariff` and a `certificate_authority` of its own.

    :param now: the time, with its zone.
    :param store: where jobs run, as long as the configuration names no other; None for memory.
    """

    name = "local"
    recorded_config = ("authorize", "charge_points", "heartbeat_interval", "interval_spread")

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        store: Runner | None = None,
    ) -> None:
        super().__init__()
        self.now = now
        self.heartbeat_interval = 300
        self.everybody = False
        self.any_charge_point = True
        self._last_heard: dict[Identity, Heard] = {}
        self._admitted: set[Identity] = set()
        self._turns = {}
        self.passwords = Passwords()
        self._store = store
        self._rejected: set[Identity] = set()
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
        self.passwords = surroundings.passwords

    def charge_point_online(self, charge_point: IChargePoint) -> None:
        """See `IActionPlugin.charge_point_online`."""
        super().charge_point_online(charge_point)
        self.certificates_wait_no_more(charge_point)

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
        took = "How long it took to write what waited, in one transaction."
        waiting = "Changes of records, and questions for them, that wait to be run."
        return [
            Counted.one("ocpp_store_commit_seconds", took, self.store.commits),
            Counted.one("ocpp_store_waiting", waiting, self.store.waiting),
        ]

    def check_config(self, config: Mapping[str, Any], data_directory: Path) -> list[str]:
        """See `IChecksConfig.check_config`."""
        wrong = Complaints()
        self._read(config, data_directory, wrong)
        return wrong.sentences

    def _read(
        self, config: Mapping[str, Any], directory: Path | None, wrong: Complaints
    ) -> Configuration:
        """The configuration; a subclass may have usual values of its own."""
        usual = Configuration(
            heartbeat_interval=self.heartbeat_interval,
            interval_spread=self.interval_spread,
            certificate_renewal_days=self.renewal_days,
        )
        found = read(config, usual, wrong)
        if found.store is not None:
            with wrong.collect():
                check_database(found.store, directory)
        if found.certificate_authority == "local" and directory is None:
            wrong.add("plug-in local: an authority needs a server's data directory")
        return found

    def start(self, caller: IActiveCaller, config: Mapping[str, Any]) -> None:
        """See `IActionPlugin.start`.

        :raises ConfigurationError: for an option that it does not know, or a value that it
            cannot use.
        """
        wrong = Complaints()
        settings = self._read(config, self._directory, wrong)
        wrong.tell()
        self.caller = caller
        self.everybody = settings.authorize == "open"
        self.any_charge_point = settings.charge_points == "any"
        self.heartbeat_interval = settings.heartbeat_interval
        self.interval_spread = settings.interval_spread
        self.renewal_days = settings.certificate_renewal_days
        if settings.certificate_authority == "local":
            self.certificate_authority = self._local_authority(settings)
        if settings.ocsp_responders or settings.store is not None:
            from twisted.internet import reactor  # the one that runs us, whichever it is

            if settings.ocsp_responders:
                agent = Agent(reactor, connectTimeout=5)
                self.responders = Responders(settings.ocsp_responders, agent, reactor)
            if settings.store is not None:
                self._open_store(settings, reactor)

    def _open_store(self, settings: Configuration, reactor: Any) -> None:
        assert settings.store is not None
        engine, trouble = reach_database(settings.store, self._directory)
        self._store = Writer(engine, reactor, probe, trouble=trouble)
        self._forgetting = Forgetting(
            self._store, reactor, self.now, settings.keep_events, settings.keep_transactions
        )
        self._forgetting.start()
        self._every(_HEARD_EVERY, self.write_heard)
        self._every(_REJECTED_EVERY, self.heed_rejected)
        self._every(_RENEW_EVERY, self.renew_certificates)
        if isinstance(self.certificate_authority, LocalAuthority):
            self._every(_CRL_EVERY, self.certificate_authority.write_crl)

    def _local_authority(self, settings: Configuration) -> LocalAuthority:
        options: dict[str, Any] = {
            "organization": settings.ca_organization,
            "validity": timedelta(days=settings.ca_days),
            "now": self.now,
        }
        certificate, key, directory = settings.ca_cert, settings.ca_key, self._directory
        assert directory is not None
        if certificate is None or key is None:
            return LocalAuthority.in_directory(directory, **options)
        return LocalAuthority(Path(certificate), Path(key), directory / "ca-crl.pem", **options)

    def _every(self, seconds: float, function: Callable[[], Any]) -> None:
        def failed(failure: Failure) -> None:
            _log.failure(
                "plug-in local: {what} has failed, and is tried again in {seconds} seconds",
                failure=failure,
                what=function.__name__,
                seconds=int(seconds),
            )

        # A disk that is full for a moment must not end it for good.
        loop = LoopingCall(lambda: maybeDeferred(function).addErrback(failed))
        loop.start(seconds)
        self._looping.append(loop)

    def stop(self) -> Deferred[None] | None:
        """See `IActionPlugin.stop`; fires when all is written and the database is closed."""
        while self._looping:
            if (loop := self._looping.pop()).running:
                loop.stop()
        if self._forgetting is not None:
            self._forgetting.stop()
            self._forgetting = None
        self.stop_signing()
        self.write_heard()
        store, self._store = self._store, None
        return None if store is None else store.stop()
