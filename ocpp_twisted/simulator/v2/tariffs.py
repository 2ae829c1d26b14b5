"""Costs, and the tariffs of OCPP 2.1 (functional block I).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use case I02; 2.1 part 2, I07 to I13. Tariffs are
kept and told of; costs are not computed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.authorization import token_key
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.evse import Evse, Transaction

__all__ = ["Tariffs"]

_MOST_DRIVERS = 1_000


class Tariffs(Block):
    """Keeps a default tariff for each EVSE, and those of transactions."""

    name = "tariffs"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self._defaults: dict[int, Any] = {}
        self._drivers: dict[str, Any] = {}
        self._of_tokens: dict[Hashable, Any] = {}

    def of(self, evse: Evse) -> Any:
        """The default tariff of an EVSE; None if there is none."""
        tariff = self._defaults.get(evse.number)
        begins = given(tariff, "validFrom")
        return None if begins is not None and begins > self.now() else tariff

    def learn(self, token: Hashable, tariff: Any) -> None:
        """The central system has told a driver's own tariff with his authorization (I08)."""
        self._of_tokens.pop(token, None)
        if tariff is not None:
            self._of_tokens[token] = tariff
            if len(self._of_tokens) > _MOST_DRIVERS:
                del self._of_tokens[next(iter(self._of_tokens))]

    def apply(self, transaction: Transaction) -> None:
        """A driver's own tariff counts for his transaction."""
        token = transaction.token
        tariff = None if token is None else self._of_tokens.get(token_key(token))
        if tariff is not None:
            transaction.tariff = tariff.tariffId
            self._drivers[transaction.id] = tariff

    def transaction_ended(self, transaction: str) -> None:
        """A tariff for a transaction ends with it."""
        self._drivers.pop(transaction, None)

    @on(*every("CostUpdated"))
    def cost_updated(self, link: Any, request: Any) -> Any:
        """See OCPP, I02: what the display shows of a transaction."""
        found = self.voice.telling.known.get(request.transactionId)
        if found is not None:
            found.cost = request.totalCost
        return self.make("CostUpdatedResponse")

    @on(*every("SetDefaultTariff"))
    def set_default_tariff(self, link: Any, request: Any) -> Any:
        """See OCPP, I07; EVSE 0 is all of them."""
        number, tariff = request.evseId, request.tariff
        if number > len(self.voice.evses):
            status, why = "Rejected", "UnknownEvse"
        elif self._clashes(tariff):
            status, why = "DuplicateTariffId", None
        else:
            status, why = "Accepted", None
            for evse in self.voice.evses:
                if number in (0, evse.number):
                    self._defaults[evse.number] = tariff
        return self.make(
            "SetDefaultTariffResponse",
            status=status,
            statusInfo=self.reason(why) if why else None,
        )

    def _clashes(self, tariff: Any) -> bool:
        """Whether a transaction that goes on has another tariff of its id."""
        used = {
            each.transaction.tariff for each in self.voice.evses if each.transaction is not None
        }
        known = [*self._defaults.values(), *self._drivers.values()]
        return any(each.tariffId == tariff.tariffId and each != tariff for each in known) and (
            tariff.tariffId in used
        )

    @on(*every("GetTariffs"))
    def get_tariffs(self, link: Any, request: Any) -> Any:
        """See OCPP, I08."""
        number = request.evseId
        if number > len(self.voice.evses):
            return self.make("GetTariffsResponse", status="Rejected")
        found: dict[tuple[str, str], list[int]] = {}
        since: dict[str, Any] = {}
        for evse in self.voice.evses:
            if number not in (0, evse.number):
                continue
            transaction = evse.transaction
            mine = [("DefaultTariff", self._defaults.get(evse.number))]
            if transaction is not None:
                mine.append(("DriverTariff", self._drivers.get(transaction.id)))
            for kind, tariff in mine:
                if tariff is not None:
                    found.setdefault((kind, tariff.tariffId), []).append(evse.number)
                    since[tariff.tariffId] = given(tariff, "validFrom")
        assignments = [
            self.make(
                "TariffAssignmentType",
                tariffId=tariff_id,
                tariffKind=kind,
                evseIds=numbers,
                validFrom=since[tariff_id],
            )
            for (kind, tariff_id), numbers in found.items()
        ]
        return self.make(
            "GetTariffsResponse",
            status="Accepted" if assignments else "NoTariff",
            tariffAssignments=assignments or None,
        )

    @on(*every("ClearTariffs"))
    def clear_tariffs(self, link: Any, request: Any) -> Any:
        """See OCPP, I09."""
        ids, number = given(request, "tariffIds"), given(request, "evseId")
        gone = set()
        for evse, tariff in list(self._defaults.items()):
            if (ids is None or tariff.tariffId in ids) and number in (None, 0, evse):
                gone.add(tariff.tariffId)
                del self._defaults[evse]
        results = [
            self.make(
                "ClearTariffsResultType",
                tariffId=each,
                status="Accepted" if each in gone else "NoTariff",
            )
            for each in (sorted(gone) if ids is None else ids)
        ]
        if not results:
            results = [self.make("ClearTariffsResultType", status="NoTariff")]
        return self.make("ClearTariffsResponse", clearTariffsResult=results)

    @on(*every("ChangeTransactionTariff"))
    def change_transaction_tariff(self, link: Any, request: Any) -> Any:
        """See OCPP, I11."""
        evse = self.voice.telling.evse_of(request.transactionId)
        currency = self.model.text("TariffCostCtrlr", "Currency")
        if evse is None:
            status = "TxNotFound"
        else:
            status = "Accepted" if request.tariff.currency == currency else "NoCurrencyChange"
        return self.make("ChangeTransactionTariffResponse", status=status)

    @after(*every("ChangeTransactionTariff"))
    def tariff_changed(self, link: Any, request: Any, response: Any) -> None:
        """Tell of it."""
        evse = self.voice.telling.evse_of(request.transactionId)
        if response.status == "Accepted" and evse is not None and evse.transaction is not None:
            evse.transaction.tariff = request.tariff.tariffId
            self._drivers[evse.transaction.id] = request.tariff
            self.voice.telling.tell(evse, "TariffChanged")
