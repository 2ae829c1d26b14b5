"""Variables as the central system gets, sets and reports them (use cases B05 to B08).

Imports its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.device_model import READ_ONLY, WRITE_ONLY, Key, Variable
from ocpp_twisted.simulator.v2.dialect import every, given

__all__ = ["Variables", "key_of"]

#: What a criterion looks for, and whether a component without it has it (B08.FR.08 to FR.11).
_CRITERIA = {"Active": True, "Available": True, "Enabled": True, "Problem": False}


def key_of(component: Any, variable: Any) -> Key:
    """The key that a component and a variable of a message name."""
    evse = given(component, "evse")
    return Key(
        component.name,
        "" if variable is None else variable.name,
        None if evse is None else evse.id,
        None if evse is None else given(evse, "connectorId"),
        given(component, "instance"),
        None if variable is None else given(variable, "instance"),
    )


class Variables(Block):
    """GetVariables, SetVariables, GetBaseReport, GetReport."""

    # -- B05, B06 -----------------------------------------------------------------------------

    @on(*every("GetVariables"))
    def get_variables(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        results = [
            self._get(data, fits) for data, fits in self._fitting(request.getVariableData, "Get")
        ]
        return self.make("GetVariablesResponse", getVariableResult=results)

    @on(*every("SetVariables"))
    def set_variables(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        results = [
            self._set(data, fits) for data, fits in self._fitting(request.setVariableData, "Set")
        ]
        return self.make("SetVariablesResponse", setVariableResult=results)

    def _fitting(self, data: Sequence[Any], message: str) -> Iterator[tuple[Any, bool]]:
        """Each of them, and whether a message may have so many (ItemsPerMessage)."""
        most = self.model.integer(
            "DeviceDataCtrlr", "ItemsPerMessage", variable_instance=f"{message}Variables"
        )
        for number, each in enumerate(data):
            yield each, number < most

    def _get(self, data: Any, fits: bool) -> Any:
        attribute = given(data, "attributeType") or "Actual"
        found, value, why = self.model.find(key_of(data.component, data.variable)), None, None
        if not fits:
            status, why = "Rejected", "TooManyElements"
        elif isinstance(found, str):
            status = found
        elif attribute != "Actual":
            status = "NotSupportedAttributeType"
        elif found.mutability == WRITE_ONLY:
            status, why = "Rejected", "WriteOnly"
        else:
            status, value = "Accepted", found.now
        return self.make(
            "GetVariableResultType",
            attributeStatus=status,
            attributeStatusInfo=self.reason(why) if why else None,
            attributeType=attribute,
            attributeValue=value,
            component=data.component,
            variable=data.variable,
        )

    def _set(self, data: Any, fits: bool) -> Any:
        attribute = given(data, "attributeType") or "Actual"
        found, why = self.model.find(key_of(data.component, data.variable)), None
        if not fits:
            status, why = "Rejected", "TooManyElements"
        elif isinstance(found, str):
            status = found
        elif attribute != "Actual":
            status = "NotSupportedAttributeType"
        else:
            status, why = self.model.set(found, data.attributeValue)
        return self.make(
            "SetVariableResultType",
            attributeStatus=status,
            attributeStatusInfo=self.reason(why) if why else None,
            attributeType=attribute,
            component=data.component,
            variable=data.variable,
        )

    # -- B07, B08 -----------------------------------------------------------------------------

    @on(*every("GetBaseReport"))
    def get_base_report(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        return self.make("GetBaseReportResponse", status="Accepted")

    @after(*every("GetBaseReport"))
    def send_base_report(self, link: Any, request: Any, response: Any) -> None:
        """What was asked for."""
        self._report(request, [each for each in self.model if _BASES[request.reportBase](each)])

    @on(*every("GetReport"))
    def get_report(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        status = "Accepted" if self._wanted(request) else "EmptyResultSet"
        return self.make("GetReportResponse", status=status)

    @after(*every("GetReport"))
    def send_report(self, link: Any, request: Any, response: Any) -> None:
        """What was asked for."""
        if response.status == "Accepted":
            self._report(request, self._wanted(request))

    def _wanted(self, request: Any) -> list[Variable]:
        asked = given(request, "componentVariable")
        found = list(self.model) if asked is None else self.named(asked)
        criteria = given(request, "componentCriteria")
        if criteria is None:
            return found
        places = {each.key.place for each in found}
        good = {place for place in places if any(self._meets(place, one) for one in criteria)}
        return [each for each in found if each.key.place in good]

    def named(self, asked: Sequence[Any]) -> list[Variable]:
        """The variables that ComponentVariableTypes name, each once."""
        found: list[Variable] = []
        for each in asked:
            variable = given(each, "variable")
            matching = self.model.matching(key_of(each.component, variable), variable is not None)
            found += [one for one in matching if one not in found]
        return found

    def _meets(self, place: Any, criterion: str) -> bool:
        component, evse, connector, instance = place
        found = self.model.find(Key(component, criterion, evse, connector, instance))
        return _CRITERIA[criterion] if isinstance(found, str) else found.now.lower() == "true"

    def _report(self, request: Any, variables: Sequence[Variable]) -> None:
        entries = [self._entry(each) for each in variables]
        size = self.model.integer(
            "DeviceDataCtrlr", "ItemsPerMessage", variable_instance="GetReport"
        )
        self.call_in_turn(
            self.parts(
                "NotifyReport",
                "reportData",
                entries,
                size,
                requestId=given(request, "requestId"),
                generatedAt=self.now(),
            )
        )

    def _entry(self, variable: Variable) -> Any:
        secret = variable.mutability == WRITE_ONLY
        attribute = self.make(
            "VariableAttributeType",
            type="Actual",
            value=None if secret else variable.now,
            mutability=variable.mutability,
            persistent=variable.read is None,
            constant=False,
        )
        return self.make(
            "ReportDataType",
            component=self.component(variable.key),
            variable=self.variable(variable.key),
            variableAttribute=[attribute],
            variableCharacteristics=self.make(
                "VariableCharacteristicsType",
                dataType=variable.type,
                unit=variable.unit,
                minLimit=variable.minimum,
                maxLimit=variable.maximum,
                valuesList=",".join(variable.values) or None,
                supportsMonitoring=variable.monitored,
            ),
        )

    def component(self, key: Key) -> Any:
        """The ComponentType of a key."""
        evse = None
        if key.evse is not None:
            evse = self.make("EVSEType", id=key.evse, connectorId=key.connector)
        return self.make(
            "ComponentType", name=key.component, evse=evse, instance=key.component_instance
        )

    def variable(self, key: Key) -> Any:
        """The VariableType of a key."""
        return self.make("VariableType", name=key.variable, instance=key.variable_instance)


#: Which variables a base report tells of.
_BASES: dict[str, Callable[[Variable], bool]] = {
    "ConfigurationInventory": lambda variable: variable.mutability != READ_ONLY,
    "FullInventory": lambda variable: True,
    "SummaryInventory": lambda variable: variable.summary,
}
