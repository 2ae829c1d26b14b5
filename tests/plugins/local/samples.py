"""Requests made from the message classes: the least that is allowed, or everything there is."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

from ocpp_twisted.ocppj.message import CustomDataType


def payload(kind: type, full: bool) -> Any:
    """JSON data that the reader of a message class takes.

    :param full: with every optional field; else with the required ones only.
    """
    return _value(inspect.type_info(kind), full)


def _value(node: inspect.Type, full: bool) -> Any:
    match node:
        case inspect.StructType(fields=fields):
            return {
                field.encode_name: _value(field.type, full)
                for field in fields
                if full or field.required
            }
        case inspect.ListType(item_type=item, min_length=least):
            return [_value(item, full)] * max(least or 0, int(full))
        case inspect.UnionType(types=types):
            return _value(types[0], full)  # int or float: OCPP has no other unions
        case inspect.EnumType(cls=enum):
            return next(iter(enum)).value
        case inspect.DateTimeType():
            return "2024-05-01T12:00:00Z"
        case inspect.StrType(min_length=least):
            return "x" * max(least or 0, int(full))
        case inspect.IntType(ge=least) | inspect.FloatType(ge=least):
            return least or 0
        case inspect.BoolType():
            return True
        case inspect.CustomType(cls=cls) if cls is CustomDataType:
            return {"vendorId": "com.example"}
        case inspect.AnyType():
            return {"any": "thing"}
        case _:
            raise NotImplementedError(node)
