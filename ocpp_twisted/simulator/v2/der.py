"""Controls of distributed energy resources (OCPP 2.1, functional block R): kept and told of.

Imports its neighbours. Source: OCPP 2.1 part 2, use cases R01 to R05. No car here feeds energy
back, so that none of them changes what flows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given

__all__ = ["DER"]

_MOST = 100
_AT_ONCE = 24
#: Field of SetDERControl to the type of its report, and the field there.
_REPORTED: Mapping[str, str] = {
    "curve": "DERCurveGetType",
    "enterService": "EnterServiceGetType",
    "fixedPFAbsorb": "FixedPFGetType",
    "fixedPFInject": "FixedPFGetType",
    "fixedVar": "FixedVarGetType",
    "freqDroop": "FreqDroopGetType",
    "gradient": "GradientGetType",
    "limitMaxDischarge": "LimitMaxDischargeGetType",
}
#: Control type to the field that it uses; those not named here are curves.
_FIELDS = {
    "EnterService": "enterService",
    "FixedPFAbsorb": "fixedPFAbsorb",
    "FixedPFInject": "fixedPFInject",
    "FixedVar": "fixedVar",
    "FreqDroop": "freqDroop",
    "Gradients": "gradient",
    "LimitMaxDischarge": "limitMaxDischarge",
}


@dataclass(eq=False)
class _Control:
    id: str
    type: str
    default: bool
    field: str
    value: Any
    superseded: bool = False

    @property
    def priority(self) -> int:
        return int(self.value.priority)


class DER(Block):
    """SetDERControl, GetDERControl, ClearDERControl."""

    name = "der"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self._controls: dict[str, _Control] = {}

    @on(*every("SetDERControl"))
    def set_der_control(self, link: Any, request: Any) -> Any:
        """See OCPP; of one type, the highest priority (the lowest number) prevails."""
        field = _FIELDS.get(request.controlType, "curve")
        value = given(request, field)
        others = [name for name in _REPORTED if name != field and given(request, name) is not None]
        full = len(self._controls) >= _MOST and request.controlId not in self._controls
        if value is None or others or full:
            return self.make(
                "SetDERControlResponse",
                status="Rejected",
                statusInfo=self.reason("MissingParam" if value is None else "InvalidValue"),
            )
        new = _Control(request.controlId, str(request.controlType), request.isDefault, field, value)
        rivals = [
            each
            for each in self._controls.values()
            if (each.type, each.default) == (new.type, new.default) and each.id != new.id
        ]
        new.superseded = any(each.priority < new.priority for each in rivals)
        beaten = [each for each in rivals if each.priority >= new.priority and not each.superseded]
        for each in beaten:
            each.superseded = True
        self._controls[new.id] = new
        return self.make(
            "SetDERControlResponse",
            status="Accepted",
            supersededIds=[each.id for each in beaten][:_AT_ONCE] or None,
        )

    @on(*every("GetDERControl"))
    def get_der_control(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        status = "Accepted" if self._wanted(request) else "NotFound"
        return self.make("GetDERControlResponse", status=status)

    @after(*every("GetDERControl"))
    def report_der_control(self, link: Any, request: Any, response: Any) -> None:
        """What was asked for, in parts."""
        found = self._wanted(request)
        parts = [found[at : at + _AT_ONCE] for at in range(0, len(found), _AT_ONCE)]
        self.call_in_turn(
            self._report(part, request.requestId, number + 1 < len(parts))
            for number, part in enumerate(parts)
        )

    def _report(self, controls: list[_Control], number: int, more: bool) -> Any:
        lists: dict[str, list[Any]] = {}
        for each in controls:
            lists.setdefault(each.field, []).append(self._described(each))
        return self.make("ReportDERControlRequest", requestId=number, tbc=more, **lists)

    def _described(self, control: _Control) -> Any:
        name = _REPORTED[control.field]
        fields: dict[str, Any] = {
            "id": control.id,
            "isDefault": control.default,
            "isSuperseded": control.superseded,
            "curveType": control.type,
            control.field.removesuffix("Absorb").removesuffix("Inject"): control.value,
        }
        known = self.voice.dialect.knows
        return self.make(name, **{key: each for key, each in fields.items() if known(name, key)})

    @on(*every("ClearDERControl"))
    def clear_der_control(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        gone = self._wanted(request)
        for each in gone:
            del self._controls[each.id]
        for each in self._controls.values():  # the next one of a type prevails
            each.superseded = any(
                other.priority < each.priority
                for other in self._controls.values()
                if (other.type, other.default) == (each.type, each.default)
            )
        return self.make("ClearDERControlResponse", status="Accepted" if gone else "NotFound")

    def _wanted(self, request: Any) -> list[_Control]:
        number, kind = given(request, "controlId"), given(request, "controlType")
        default = given(request, "isDefault")
        return [
            each
            for each in self._controls.values()
            if number in (None, each.id)
            and kind in (None, each.type)
            and (number is not None or default in (None, each.default))
        ]
