"""Where the versions' RPC layers differ, as data.

Imports only the error codes. Sources: OCPP-J 1.6 chapter 4 with its errata 3.8, 5.1 and 5.2;
OCPP 2.0.1 part 4 and OCPP 2.1 part 4, sections 4.1 to 4.4. OCPP 2.0 has no published RPC
text of its own here and follows 2.0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, auto

from ocpp_twisted.errors import ErrorCode

__all__ = ["OCPP_16", "OCPP_20", "OCPP_21", "OCPP_201", "Fault", "MessageType", "Rules"]


class MessageType(IntEnum):
    """The message type numbers (OCPP 2.1 part 4, section 4.1.3)."""

    CALL = 2
    CALLRESULT = 3
    CALLERROR = 4
    CALLRESULTERROR = 5
    SEND = 6


class Fault(Enum):
    """What can be wrong with a message that a peer sent."""

    MALFORMED_FRAME = auto()
    UNKNOWN_MESSAGE_TYPE = auto()
    UNKNOWN_ACTION = auto()
    UNSUPPORTED_ACTION = auto()
    PAYLOAD_NOT_AN_OBJECT = auto()
    UNKNOWN_FIELD = auto()
    MISSING_FIELD = auto()
    ITEM_COUNT = auto()
    WRONG_TYPE = auto()
    BAD_VALUE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One version's RPC layer.

    :ivar version: as people write it, for example ``2.0.1``.
    :ivar subprotocol: the WebSocket subprotocol, for example ``ocpp2.0.1``.
    :ivar message_types: the message types that the version knows.
    :ivar codes: the error code for each fault, in the 2.x spelling.
    :ivar spelling: the error codes that the version writes otherwise.
    :ivar unreadable_id: the message id of a CALLERROR to a CALL whose own id cannot be read;
        None if such a CALL stays unanswered.
    :ivar answers_unknown_types: whether a message type that the version does not know gets a
        CALLERROR; otherwise it is ignored.
    :ivar answers_results: whether a faulty CALLRESULT gets a CALLRESULTERROR.
    :ivar accepted_may_be_asked_to_boot: whether a charge point that has been accepted may be sent a
        trigger for BootNotification.
    :ivar rejected_is_silent: whether a charge point that has been rejected answers nothing.
    :ivar description_limit: how many characters an error description may have.
    """

    version: str
    subprotocol: str
    message_types: frozenset[MessageType]
    codes: Mapping[Fault, ErrorCode]
    spelling: Mapping[ErrorCode, str]
    unreadable_id: str | None
    answers_unknown_types: bool
    answers_results: bool
    accepted_may_be_asked_to_boot: bool = True
    rejected_is_silent: bool = False
    description_limit: int = 255

    def spell(self, code: ErrorCode) -> str:
        """The version's own spelling of an error code."""
        return self.spelling.get(code, code.value)


_CALL_RESULT_ERROR = frozenset({MessageType.CALL, MessageType.CALLRESULT, MessageType.CALLERROR})

_CODES_16: Mapping[Fault, ErrorCode] = {
    Fault.MALFORMED_FRAME: ErrorCode.FORMAT_VIOLATION,
    Fault.UNKNOWN_MESSAGE_TYPE: ErrorCode.GENERIC_ERROR,
    Fault.UNKNOWN_ACTION: ErrorCode.NOT_IMPLEMENTED,
    Fault.UNSUPPORTED_ACTION: ErrorCode.NOT_SUPPORTED,
    Fault.PAYLOAD_NOT_AN_OBJECT: ErrorCode.FORMAT_VIOLATION,
    Fault.UNKNOWN_FIELD: ErrorCode.FORMAT_VIOLATION,
    Fault.MISSING_FIELD: ErrorCode.PROTOCOL_ERROR,
    Fault.ITEM_COUNT: ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    Fault.WRONG_TYPE: ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    Fault.BAD_VALUE: ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
}

_CODES_2: Mapping[Fault, ErrorCode] = {
    **_CODES_16,
    Fault.MALFORMED_FRAME: ErrorCode.RPC_FRAMEWORK_ERROR,
    Fault.UNKNOWN_MESSAGE_TYPE: ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED,
    Fault.UNKNOWN_FIELD: ErrorCode.PROTOCOL_ERROR,
    Fault.MISSING_FIELD: ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
}

OCPP_16 = Rules(
    version="1.6",
    subprotocol="ocpp1.6",
    message_types=_CALL_RESULT_ERROR,
    codes=_CODES_16,
    # The odd spellings stay (OCPP-J 1.6 errata 5.1, 5.2); the framework's own two are not in 1.6.
    spelling={
        ErrorCode.FORMAT_VIOLATION: "FormationViolation",
        ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: "OccurenceConstraintViolation",
        ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED: "GenericError",
        ErrorCode.RPC_FRAMEWORK_ERROR: "GenericError",
    },
    unreadable_id=None,
    answers_unknown_types=False,
    answers_results=False,
    accepted_may_be_asked_to_boot=False,  # OCPP 1.6 errata 3.40
    rejected_is_silent=True,  # OCPP 1.6 section 4.2
)

OCPP_201 = Rules(
    version="2.0.1",
    subprotocol="ocpp2.0.1",
    message_types=_CALL_RESULT_ERROR,
    codes=_CODES_2,
    spelling={},
    unreadable_id="-1",
    answers_unknown_types=True,
    answers_results=False,
)

OCPP_20 = Rules(
    version="2.0",
    subprotocol="ocpp2.0",
    message_types=OCPP_201.message_types,
    codes=OCPP_201.codes,
    spelling=OCPP_201.spelling,
    unreadable_id=OCPP_201.unreadable_id,
    answers_unknown_types=OCPP_201.answers_unknown_types,
    answers_results=OCPP_201.answers_results,
)

OCPP_21 = Rules(
    version="2.1",
    subprotocol="ocpp2.1",
    message_types=frozenset(MessageType),
    codes=_CODES_2,
    spelling={},
    unreadable_id="-1",
    answers_unknown_types=False,
    answers_results=True,
)
