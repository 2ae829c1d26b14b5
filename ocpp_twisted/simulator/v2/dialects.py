"""The dialect of each version 2.x. Imports the dialects and the messages."""

from __future__ import annotations

from collections.abc import Mapping

from ocpp_twisted import v21, v201
from ocpp_twisted.simulator.v2.dialect import Dialect
from ocpp_twisted.simulator.v2.dialect20 import OCPP_20

__all__ = ["DIALECTS"]

#: What 2.0 has as a status of its own, and the later versions as a reason code beside Rejected.
_LATER = {
    ("SetVariableResultType", "attributeStatus"): {
        "InvalidValue": "Rejected",
        "OutOfRange": "Rejected",
    },
    ("SetMonitoringResultType", "status"): {"OutOfRange": "Rejected"},
}

DIALECTS: Mapping[str, Dialect] = {
    dialect.version: dialect
    for dialect in (
        OCPP_20,
        Dialect(version="2.0.1", module=v201, words=_LATER),
        Dialect(version="2.1", module=v21, words=_LATER),
    )
}
