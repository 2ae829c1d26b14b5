"""DataTransfer: vendors' own messages, by vendorId and messageId, their data typed.

Imports the catalogues and the interfaces. Sources: OCPP 1.6 sections 4.3, 6.15 and 7.23; OCPP 2.x
use cases P01 and P02. In 1.6 data is a string, by custom with JSON in it; in 2.x it is any JSON.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from inspect import iscoroutine
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.inspect import StrType, StructType, type_info
from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.logger import Logger

from ocpp_twisted.errors import CallFault, InvalidResponse, LocalProtocolError
from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.interfaces import IActionPlugin, IChargePoint, RequestHandler
from ocpp_twisted.ocppj import times
from ocpp_twisted.ocppj.catalogue import Catalogue, reader
from ocpp_twisted.ocppj.message import Response
from ocpp_twisted.ocppj.rules import Fault
from ocpp_twisted.versions import CATALOGUES

__all__ = ["DataTransferAnswer", "DataTransfers", "transfer_data"]

_log = Logger()
_encode = msgspec.json.Encoder().encode
_reader = functools.cache(reader)

_RESPONSES = tuple(
    response
    for catalogue in CATALOGUES.values()
    if (response := catalogue.actions["DataTransfer"].response) is not None
)
#: The additionalInfo of 2.0.1, which is shorter than that of 2.1.
_INFO_LIMIT = 512


class DataTransferAnswer(Struct, frozen=True, kw_only=True):
    """An answer to a DataTransfer, in whichever version.

    :ivar status: the version's DataTransferStatus.
    :ivar data: a JSON value or a msgspec Struct; in 1.6, all but a string becomes JSON text.
    :ivar reasonCode: why, at most 20 characters (2.x part 2, appendix 5); 2.0.1 and 2.1 only, the
        others have no place for it.
    :ivar additionalInfo: more about it, at most 512 characters; goes with a reasonCode only.
    """

    status: Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"] = "Accepted"
    data: Any = UNSET
    reasonCode: str | UnsetType = UNSET
    additionalInfo: str | UnsetType = UNSET


class DataTransfers:
    """The request handler of one version's DataTransfer: finds the one that takes the message.

    :param plugins: their `IActionPlugin.data_transfer_handlers` are asked for now.
    :param otherwise: is asked for what none of these takes.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        plugins: Sequence[IActionPlugin],
        otherwise: RequestHandler | None,
    ) -> None:
        self._catalogue = catalogue
        self._otherwise = otherwise
        self._handlers: dict[tuple[str, str | None], tuple[Callable[..., Any], Any]] = {}
        for plugin in plugins:
            for (vendor, message), handler in plugin.data_transfer_handlers().items():
                key = vendor.casefold(), None if message is None else message.casefold()
                self._handlers.setdefault(key, handler)
        self._vendors = {vendor for vendor, _ in self._handlers}

    def __call__(self, charge_point: IChargePoint, request: Any) -> Any:
        vendor = request.vendorId.casefold()
        message = None if request.messageId is UNSET else request.messageId.casefold()
        found = self._handlers.get((vendor, message)) or self._handlers.get((vendor, None))
        if found is not None:
            return self._handle(charge_point, request, *found)
        if self._otherwise is not None:
            return self._otherwise(charge_point, request)
        known = vendor in self._vendors
        status: Any = "UnknownMessageId" if known else "UnknownVendorId"
        return self._response(DataTransferAnswer(status=status))

    def _handle(
        self, charge_point: IChargePoint, request: Any, handler: Callable[..., Any], kind: Any
    ) -> Any:
        try:
            data = _read(self._catalogue, kind, request.data)
        except CallFault as fault:
            return self._response(_rejected(charge_point, request, fault))
        outcome = handler(charge_point, request, data)
        if iscoroutine(outcome):
            outcome = ensureDeferred(outcome)
        if isinstance(outcome, Deferred):
            return outcome.addCallback(self._response)
        return self._response(outcome)

    def _response(self, outcome: Any) -> Response:
        if isinstance(outcome, _RESPONSES):
            return outcome  # of another version too: the connection tells of that mistake
        if not isinstance(outcome, DataTransferAnswer):
            outcome = DataTransferAnswer(data=UNSET if outcome is None else outcome)
        kind = self._catalogue.actions["DataTransfer"].response
        fields = {"status": outcome.status, "data": _written(kind, outcome.data)}
        if outcome.reasonCode is not UNSET and "statusInfo" in _types(kind):
            fields["statusInfo"] = _given(
                reasonCode=outcome.reasonCode, additionalInfo=outcome.additionalInfo
            )
        response: Response = msgspec.convert(_given(**fields), kind)
        return response


def transfer_data(
    charge_point: IChargePoint,
    vendor_id: str,
    message_id: str | UnsetType = UNSET,
    data: Any = UNSET,
    answer: Any = Any,
    timeout: float | None = None,
) -> Deferred[DataTransferAnswer]:
    """Send a charge point a DataTransfer, in the version that it speaks.

    :param data: a JSON value or a msgspec Struct, as in a `DataTransferAnswer`.
    :param answer: the type of the data that comes back with Accepted.
    :param timeout: seconds, as in `IActiveCaller.call`.
    :returns: a Deferred that fires with what came back; its errbacks are those of
        `IActiveCaller.call`, and `InvalidResponse` also if the data is not of the type `answer`.
    """
    catalogue = CATALOGUES[charge_point.version]
    kind: Any = catalogue.actions["DataTransfer"].request
    try:
        written = _written(kind, data)
    except LocalProtocolError:
        return fail()
    request = kind(vendorId=vendor_id, messageId=message_id, data=written)

    def read(response: Any) -> DataTransferAnswer:
        value = response.data
        if response.status == "Accepted":
            try:
                value = _read(catalogue, answer, value)
            except CallFault as fault:
                raise InvalidResponse(f"the data in the answer of {vendor_id}: {fault}") from fault
        info = getattr(response, "statusInfo", UNSET)
        if info is UNSET:
            return DataTransferAnswer(status=response.status.value, data=value)
        return DataTransferAnswer(
            status=response.status.value,
            data=value,
            reasonCode=info.reasonCode,
            additionalInfo=info.additionalInfo,
        )

    return charge_point.call(request, timeout).addCallback(read)


def _rejected(charge_point: IChargePoint, request: Any, fault: CallFault) -> DataTransferAnswer:
    """The answer to data of the wrong type. What 1.6 may say in `data` is the vendor's affair."""
    _log.debug(
        "data refused: {charge_point} {vendor} {message}: {fault}",
        charge_point=charge_point,
        vendor=excerpt(request.vendorId),
        message=excerpt(str(request.messageId)),
        fault=excerpt(str(fault)),
    )
    info = fault.description[:_INFO_LIMIT]
    return DataTransferAnswer(status="Rejected", reasonCode="InvalidValue", additionalInfo=info)


def _read(catalogue: Catalogue, kind: Any, value: Any) -> Any:
    """Data as a type. A string that is not of that type itself is read as the JSON in it.

    Stations that came from 1.6 send JSON in a string in 2.x too.

    :raises CallFault: if it cannot be read.
    """
    if value is UNSET:
        value = None
    if kind is Any:
        return value
    try:
        texts = [_encode(value)]
        if isinstance(value, str):
            texts.append(value.encode())
        for text in texts:
            try:
                return _reader(kind)(text)
            except msgspec.MsgspecError:
                continue
        return catalogue.mend("DataTransfer", kind, texts[-1])[0]
    except RecursionError as error:
        raise catalogue.fault(Fault.BAD_VALUE, "nested too deep") from error


def _written(kind: Any, value: Any) -> Any:
    """Data as a message of the class `kind` carries it.

    :raises LocalProtocolError: if it cannot be written, or a Struct is not what its type allows.
    """
    text_only = isinstance(_types(kind)["data"], StrType)
    if value is UNSET or isinstance(value, str) or not (text_only or isinstance(value, Struct)):
        return value
    try:
        prepare = _preparer(type(value)) if isinstance(value, Struct) else None
        text = _encode(value if prepare is None else prepare(value))
        if isinstance(value, Struct):
            _reader(type(value))(text)
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise LocalProtocolError(f"this data cannot be sent: {error}") from error
    return text.decode() if text_only else msgspec.json.decode(text)


@functools.cache
def _preparer(kind: Any) -> Callable[[Any], Any] | None:
    return times.preparer(type_info(kind))


@functools.cache
def _types(kind: Any) -> dict[str, msgspec.inspect.Type]:
    """A message's fields and their types: what its version has a place for."""
    info = type_info(kind)
    assert isinstance(info, StructType)
    return {field.name: field.type for field in info.fields}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not UNSET}
