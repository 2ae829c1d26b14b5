"""The second look at a payload that the strict reader refused.

Imports msgspec and `times`. Mends what has one meaning only: times written in another form of
ISO 8601, and whole numbers written with a decimal point (which JSON Schema draft 6 calls
integers). Everything that was mended is told, so that an operator can tell the vendor.
"""

from __future__ import annotations

from typing import Any

from msgspec import inspect

from ocpp_twisted.ocppj import times

__all__ = ["mend"]


def mend(value: Any, node: inspect.Type, path: str, repairs: list[str]) -> Any:
    """`value`, a JSON value, as the type `node` wants it; what cannot be mended stays.

    :param path: where the value stands, for example ``$.meterValue[0].timestamp``.
    :param repairs: gets a sentence for each place that was mended.
    """
    match node, value:
        case inspect.DateTimeType(), str():
            return _mend_time(value, path, repairs)
        case inspect.IntType(), float() if value.is_integer():
            repairs.append(f"{path}: a whole number with a decimal point")
            return int(value)
        case inspect.ListType(item_type=item), list():
            for index, element in enumerate(value):
                value[index] = mend(element, item, f"{path}[{index}]", repairs)
        case inspect.StructType(fields=fields), dict():
            for field in fields:
                if field.encode_name in value:
                    name = field.encode_name
                    value[name] = mend(value[name], field.type, f"{path}.{name}", repairs)
    return value


def _mend_time(text: str, path: str, repairs: list[str]) -> str:
    try:
        mended = times.read(text).isoformat()
    except ValueError:
        return text
    if mended != text.replace("Z", "+00:00"):
        repairs.append(f"{path}: a time not written as RFC 3339 asks")
    return mended
