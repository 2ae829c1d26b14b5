"""What every OCPP message is made of: the base classes of the generated messages.

Imports msgspec only. Field names and JSON shapes come from the OCPP JSON schemas; what a
datatype may hold beyond them is OCPP 2.1 part 4, chapter 9 (CustomData).
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform

from msgspec import UNSET, Struct, UnsetType, field

__all__ = [
    "UNSET",
    "CustomDataType",
    "Datatype",
    "Request",
    "Response",
    "Send",
    "UnsetType",
    "check_decimals",
]


class CustomDataType(dict[str, Any]):
    """Vendor data in an OCPP 2.x datatype: ``vendorId`` and any further keys, kept as they came.

    Source: OCPP 2.0.1 and 2.1 part 4, "CustomData Extension".
    """

    __slots__ = ()

    @property
    def vendorId(self) -> str:
        """The vendor's reversed DNS name, at most 255 characters."""
        vendor_id: str = self["vendorId"]
        return vendor_id


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Datatype(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A JSON object of the specification. Fields keep their wire names; absent ones are `UNSET`."""


class Response(Datatype):
    """The payload of a CALLRESULT."""


#: The response class that answers a request class.
ResponseT_co = TypeVar("ResponseT_co", bound=Response, covariant=True)


class Request(Datatype, Generic[ResponseT_co]):
    """The payload of a CALL. The class knows its action and the class of its answer."""

    ACTION: ClassVar[str]
    RESPONSE: ClassVar[type[Response]]


class Send(Datatype):
    """The payload of a SEND, which nobody answers (OCPP 2.1 part 4, section 4.2.4)."""

    ACTION: ClassVar[str]


def check_decimals(digits: int, **numbers: int | float | UnsetType) -> None:
    """Raise ValueError if a number, given by its field's name, has more decimals than `digits`.

    Looks at the decimal that the float stands for, so 0.3 has one decimal and 0.25 has two:
    what a schema's ``"multipleOf": 0.1`` means.
    """
    for name, number in numbers.items():
        if isinstance(number, float) and round(number, digits) != number:
            raise ValueError(f"Expected at most {digits} decimal(s) in `{name}`, got {number!r}")
