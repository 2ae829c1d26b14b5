"""DataTransfer: who takes which message, what its data is read as, and how it is answered."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.central_system import CentralSystem
from ocpp_twisted.data_transfer import DataTransferAnswer, transfer_data
from ocpp_twisted.errors import CallFault, ErrorCode, InvalidResponse, LocalProtocolError
from ocpp_twisted.plugin import ActionPlugin, on, on_data_transfer
from ocpp_twisted.quirks import BUILT_IN
from ocpp_twisted.versions import CATALOGUES
from tests.support import Wire, online, wire

V16, *V2 = CATALOGUES
WITH_STATUS_INFO = ("2.0.1", "2.1")
ACCEPTED = {"status": "Accepted"}


class Power(msgspec.Struct, forbid_unknown_fields=True):
    watts: int
    since: datetime | msgspec.UnsetType = msgspec.UNSET
    limit: Annotated[int, msgspec.Meta(le=100)] | None = None


class Acme(ActionPlugin):
    """Keeps the data of each message that it takes, and answers with `answer`."""

    name = "acme"

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.taken: list[Any] = []

    def take(self, message: str, data: Any) -> Any:
        self.taken.append((message, data))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @on_data_transfer("com.acme", "power", data=Power)
    def power(self, charge_point, request, data):
        return self.take("power", data)

    @on_data_transfer("com.acme", "plain")
    def plain(self, charge_point, request, data):
        return self.take("plain", data)

    @on_data_transfer("com.acme", "text", data=str)
    def text(self, charge_point, request, data):
        return self.take("text", data)

    @on_data_transfer("com.acme", "list", data=list)
    def list(self, charge_point, request, data):
        return self.take("list", None)

    @on_data_transfer("com.acme", "maybe", data=Power | None)
    def maybe(self, charge_point, request, data):
        return self.take("maybe", data)


def asks(cp1: Wire, vendor: str, message: str | None = None, **data: Any) -> dict[str, Any]:
    """What comes back to a DataTransfer: the payload of its CALLRESULT, or its CALLERROR's code."""
    request = {"vendorId": vendor, **({"messageId": message} if message is not None else {})}
    cp1.says(json.dumps([2, "d1", "DataTransfer", {**request, **data}]))
    return answered(cp1)


def answered(cp1: Wire) -> Any:
    ((kind, _, answer, *_),) = map(json.loads, cp1.hears())
    assert kind in (3, 4)
    return answer


class DispatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.acme = Acme()
        self.points = {version: wire(self.acme, version=version) for version in CATALOGUES}

    def test_it_goes_to_the_one_that_names_vendor_and_message(self) -> None:
        for cp1 in self.points.values():
            self.assertEqual(asks(cp1, "com.acme", "plain", data="x"), ACCEPTED)
        self.assertEqual(self.acme.taken, [("plain", "x")] * 4)

    def test_capital_letters_are_the_same(self) -> None:
        for cp1 in self.points.values():
            self.assertEqual(asks(cp1, "COM.Acme", "PLAIN"), ACCEPTED)

    def test_an_unknown_vendor(self) -> None:
        for cp1 in self.points.values():
            self.assertEqual(asks(cp1, "org.x", "plain", data="x"), {"status": "UnknownVendorId"})

    def test_an_unknown_message_of_a_known_vendor(self) -> None:
        for cp1 in self.points.values():
            for message in ("other", "", None):
                answer = asks(cp1, "com.acme", message, data="x")
                self.assertEqual(answer, {"status": "UnknownMessageId"})
        self.assertEqual(self.acme.taken, [])

    def test_without_any_handler_every_vendor_is_unknown(self) -> None:
        for version in CATALOGUES:
            cp1 = wire(ActionPlugin(), version=version)
            self.assertEqual(asks(cp1, "com.acme"), {"status": "UnknownVendorId"})


class SeveralPluginsTests(SynchronousTestCase):
    def connect(self, *plugins: ActionPlugin, version: str = "1.6") -> Wire:
        return online(CentralSystem(plugins, Clock()), "CP1", version)

    def test_each_has_its_vendors_and_of_one_vendor_its_messages(self) -> None:
        class Other(ActionPlugin):
            @on_data_transfer("com.acme", "other")
            @on_data_transfer("org.other", "plain")
            def other(self, charge_point, request, data):
                return request.vendorId

        for version in CATALOGUES:
            cp1 = self.connect(Acme("acme"), Other(), version=version)
            self.assertEqual(asks(cp1, "com.acme", "plain")["data"], "acme")
            self.assertEqual(asks(cp1, "com.acme", "other")["data"], "com.acme")
            self.assertEqual(asks(cp1, "org.other", "plain")["data"], "org.other")

    def test_who_takes_all_of_a_vendor_gets_what_nobody_names(self) -> None:
        class All(ActionPlugin):
            @on_data_transfer("com.acme")
            def rest(self, charge_point, request, data):
                return "rest"

        cp1 = self.connect(All(), Acme("acme"))
        self.assertEqual(asks(cp1, "com.acme", "plain")["data"], "acme")
        self.assertEqual(asks(cp1, "com.acme", "new")["data"], "rest")
        self.assertEqual(asks(cp1, "com.acme")["data"], "rest")
        self.assertEqual(asks(cp1, "org.x"), {"status": "UnknownVendorId"})

    def test_of_two_for_one_message_the_first_has_it(self) -> None:
        cp1 = self.connect(Acme("first"), Acme("second"))
        self.assertEqual(asks(cp1, "com.acme", "plain")["data"], "first")

    def test_a_plain_handler_is_asked_for_what_nobody_takes(self) -> None:
        class Plain(ActionPlugin):
            @on(v16.DataTransferRequest)
            def plain(self, charge_point, request):
                return v16.DataTransferResponse(status="Rejected", data=request.messageId)

        cp1 = self.connect(Plain(), Acme())
        self.assertEqual(asks(cp1, "com.acme", "plain"), ACCEPTED)
        for vendor, message in (("com.acme", "other"), ("org.x", "plain")):
            answer = {"status": "Rejected", "data": message}
            self.assertEqual(asks(cp1, vendor, message), answer)
        cp1 = self.connect(Plain(), Acme(), version="2.1")
        self.assertEqual(asks(cp1, "org.x"), {"status": "UnknownVendorId"})


class ReadingTests(SynchronousTestCase):
    def taken(self, version: str, message: str, **data: Any) -> Any:
        acme = Acme()
        self.assertEqual(
            asks(wire(acme, version=version), "com.acme", message, **data), ACCEPTED, data
        )
        ((_, taken),) = acme.taken
        return taken

    def test_typed(self) -> None:
        for version in V2:
            self.assertEqual(self.taken(version, "power", data={"watts": 1}), Power(1))

    def test_typed_json_in_a_string(self) -> None:
        for version in CATALOGUES:  # stations that came from 1.6 write it in 2.x too
            self.assertEqual(self.taken(version, "power", data='{"watts": 1}'), Power(1))

    def test_untyped_as_it_came(self) -> None:
        self.assertEqual(self.taken(V16, "plain", data='{"watts": 1}'), '{"watts": 1}')
        for version in V2:
            for data in ('{"watts": 1}', {"a": [1, None, {"b": 2**70}]}, 0.5, False, [], ""):
                self.assertEqual(self.taken(version, "plain", data=data), data)

    def test_a_string_as_a_string(self) -> None:
        for version in CATALOGUES:
            for data in ("hello", '"hello"', "12"):
                self.assertEqual(self.taken(version, "text", data=data), data)

    def test_no_data(self) -> None:
        for version in CATALOGUES:
            self.assertIsNone(self.taken(version, "plain"))
            self.assertIsNone(self.taken(version, "maybe"))
        self.assertIsNone(self.taken("2.1", "plain", data=None))

    def test_times_are_read_liberally(self) -> None:
        data = {"watts": 1, "since": "2026-01-02 03:04+02"}
        for version in CATALOGUES:
            power = self.taken(version, "power", data=json.dumps(data))
            self.assertEqual(power.since, datetime(2026, 1, 2, 1, 4, tzinfo=UTC))

    def test_profiles_say_nothing_of_it(self) -> None:
        data = {"watts": 1.0, "since": "2026-01-02 03:04+02"}
        cp1 = online(CentralSystem([Acme()], Clock(), quirks=BUILT_IN["strict"]), version="2.1")
        self.assertEqual(asks(cp1, "com.acme", "power", data=data), ACCEPTED)
        self.assertEqual(cp1.connection.repairs, {})

    def test_data_of_another_type_is_rejected_with_the_reason(self) -> None:
        for data, why in (
            ({"watts": "many"}, "$.watts: expected an integer, got a string"),
            ({}, "$.watts: required, but absent"),
            ({"watts": 1, "x": 2}, "$.x: unknown field, expected only watts, since, limit"),
            ({"watts": 1, "limit": 101}, "$.limit: expected an integer, 100 or less"),
            ("{", "$: expected JSON that can be read"),
            (None, "$.watts: required, but absent"),
        ):
            for version in CATALOGUES:
                text = version == V16 and not isinstance(data, str)
                sent = json.dumps(data) if text else data
                cp1, expected = wire(Acme(), version=version), {"status": "Rejected"}
                if version in WITH_STATUS_INFO:
                    info = {"reasonCode": "InvalidValue", "additionalInfo": why}
                    expected = {**expected, "statusInfo": info}
                self.assertEqual(asks(cp1, "com.acme", "power", data=sent), expected)

    def test_data_that_is_missing_is_rejected(self) -> None:
        for version in CATALOGUES:
            cp1 = wire(Acme(), version=version)
            self.assertEqual(asks(cp1, "com.acme", "power")["status"], "Rejected")

    def test_a_long_reason_is_cut(self) -> None:
        name = "x" * 600
        named = msgspec.defstruct("Named", [(name, int)])

        class Plugin(ActionPlugin):
            name = "words"

            @on_data_transfer("com.acme", "word", data=named)
            def word(self, charge_point, request, data):
                """Never called."""

        for version in WITH_STATUS_INFO:
            cp1 = wire(Plugin(), version=version)
            answer = asks(cp1, "com.acme", "word", data={name: "one"})
            self.assertEqual(len(answer["statusInfo"]["additionalInfo"]), 512)

    def test_nested_too_deep(self) -> None:
        for depth in (*range(100, 1000, 50), 100_000):
            nested = "[" * depth + "]" * depth
            for version in CATALOGUES:
                cp1 = wire(Acme(), version=version)
                answer = asks(cp1, "com.acme", "list", data=nested)
                self.assertIn(answer["status"], ("Accepted", "Rejected"))
                call = [2, "d1", "DataTransfer", {"vendorId": "com.acme", "messageId": "list"}]
                cp1.says(json.dumps(call)[:-2] + f',"data":{nested}}}]')
                self.assertNotEqual(answered(cp1), "InternalError")


class AnsweringTests(SynchronousTestCase):
    def answer(self, version: str, outcome: Any) -> Any:
        return asks(wire(Acme(outcome), version=version), "com.acme", "plain")

    def test_data_is_written_in_the_versions_own_way(self) -> None:
        since = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        for outcome, data in (
            (Power(1, since), {"watts": 1, "since": "2026-01-02T03:04:05.678Z", "limit": None}),
            ({"a": [1]}, {"a": [1]}),
            ([Power(2)], [{"watts": 2, "limit": None}]),
            (0, 0),
            (False, False),
        ):
            for version in V2:
                self.assertEqual(self.answer(version, outcome), {**ACCEPTED, "data": data})
            answer = self.answer(V16, outcome)
            self.assertEqual(json.loads(answer.pop("data")), data)
            self.assertEqual(answer, ACCEPTED)

    def test_a_string_is_sent_as_it_is(self) -> None:
        for version in CATALOGUES:
            for text in ("hello", "", '{"a":1}'):
                self.assertEqual(self.answer(version, text), {**ACCEPTED, "data": text})

    def test_none_means_no_data(self) -> None:
        for version in CATALOGUES:
            self.assertEqual(self.answer(version, None), ACCEPTED)

    def test_an_answer_of_no_version(self) -> None:
        outcome = DataTransferAnswer(
            status="Rejected", data={"a": 1}, reasonCode="NotEnabled", additionalInfo="not today"
        )
        rejected = {"status": "Rejected", "data": {"a": 1}}
        info = {"reasonCode": "NotEnabled", "additionalInfo": "not today"}
        for version, answer in (
            ("1.6", {"status": "Rejected", "data": '{"a":1}'}),
            ("2.0", rejected),
            ("2.0.1", {**rejected, "statusInfo": info}),
            ("2.1", {**rejected, "statusInfo": info}),
        ):
            self.assertEqual(self.answer(version, outcome), answer)

    def test_the_versions_own_response(self) -> None:
        for version, package in (("1.6", v16), ("2.0", v20), ("2.0.1", v201), ("2.1", v21)):
            response = package.DataTransferResponse(status="UnknownMessageId")
            self.assertEqual(self.answer(version, response), {"status": "UnknownMessageId"})

    def test_a_message_of_another_action_is_data(self) -> None:
        """ISO 15118 over 1.6 carries messages of 2.0.1."""
        data = v201.Get15118EVCertificateResponse(status="Failed", exiResponse="x")
        answer = self.answer("1.6", data)
        self.assertEqual(json.loads(answer["data"]), {"status": "Failed", "exiResponse": "x"})

    def test_later(self) -> None:
        for version in CATALOGUES:
            answer: Deferred[Any] = Deferred()
            cp1 = wire(Acme(answer), version=version)
            cp1.says('[2,"d1","DataTransfer",{"vendorId":"com.acme","messageId":"plain"}]')
            self.assertEqual(cp1.hears(), [])
            answer.callback("late")
            self.assertEqual(answered(cp1), {**ACCEPTED, "data": "late"})

    def test_a_coroutine(self) -> None:
        class Plugin(ActionPlugin):
            @on_data_transfer("com.acme")
            async def power(self, charge_point, request, data):
                return await looked_up

        looked_up: Deferred[Any] = Deferred()
        cp1 = wire(Plugin(), version="2.1")
        cp1.says('[2,"d1","DataTransfer",{"vendorId":"com.acme"}]')
        looked_up.callback([1])
        self.assertEqual(answered(cp1), {**ACCEPTED, "data": [1]})

    def test_a_fault(self) -> None:
        fault = CallFault(ErrorCode.SECURITY_ERROR, "no")
        for version in CATALOGUES:
            self.assertEqual(self.answer(version, fault), "SecurityError")

    def test_what_cannot_be_sent(self) -> None:
        for version, wrong in (
            ("1.6", object()),
            ("1.6", Power(1, datetime(2026, 1, 2))),  # noqa: DTZ001
            ("1.6", Power("many")),  # type: ignore[arg-type]
            ("2.1", Power("many")),  # type: ignore[arg-type]
            ("2.1", object()),
            ("2.0.1", v16.DataTransferResponse(status="Rejected")),
            ("2.1", DataTransferAnswer(status="Perhaps")),  # type: ignore[arg-type]
        ):
            self.assertEqual(self.answer(version, wrong), "InternalError")
            self.assertEqual(len(self.flushLoggedErrors()), 1)


class TransferTests(SynchronousTestCase):
    """The other direction: our own DataTransfers."""

    def transfer(self, version: str, reply: str, **more: Any) -> tuple[Any, Any]:
        """What was sent, and what came back."""
        cp1 = wire(ActionPlugin(), version=version)
        result = transfer_data(cp1.connection, "com.acme", "power", Power(1), Power, **more)
        (call,) = map(json.loads, cp1.hears())
        cp1.says(f'[3,"1",{reply}]')
        return call[3], result

    def test_typed_in_both_directions(self) -> None:
        data = {"watts": 1, "limit": None}
        for version in CATALOGUES:
            text = json.dumps('{"watts":2}') if version == V16 else '{"watts":2}'
            sent, result = self.transfer(version, f'{{"status":"Accepted","data":{text}}}')
            if version == V16:
                sent["data"] = json.loads(sent["data"])
            power = {"vendorId": "com.acme", "messageId": "power", "data": data}
            self.assertEqual(sent, power)
            self.assertEqual(self.successResultOf(result), DataTransferAnswer(data=Power(2)))

    def test_a_refusal(self) -> None:
        for version in CATALOGUES:
            _, result = self.transfer(version, '{"status":"UnknownVendorId"}')
            expected = DataTransferAnswer(status="UnknownVendorId")
            self.assertEqual(self.successResultOf(result), expected)
        info = '"statusInfo":{"reasonCode":"NotEnabled"}'
        for version in WITH_STATUS_INFO:
            _, result = self.transfer(version, f'{{"status":"Rejected",{info}}}')
            expected = DataTransferAnswer(status="Rejected", reasonCode="NotEnabled")
            self.assertEqual(self.successResultOf(result), expected)

    def test_an_answer_of_another_type(self) -> None:
        for version in CATALOGUES:
            _, result = self.transfer(version, '{"status":"Accepted","data":"{}"}')
            error = self.failureResultOf(result, InvalidResponse).value
            self.assertIn("$.watts: required, but absent", str(error))

    def test_data_that_cannot_be_sent(self) -> None:
        cp1 = wire(ActionPlugin())
        result = transfer_data(cp1.connection, "com.acme", data=object())
        self.failureResultOf(result, LocalProtocolError)
        self.assertEqual(cp1.hears(), [])

    def test_vendor_only(self) -> None:
        cp1 = wire(ActionPlugin())
        result = transfer_data(cp1.connection, "com.acme")
        (call,) = map(json.loads, cp1.hears())
        self.assertEqual(call[3], {"vendorId": "com.acme"})
        cp1.says('[3,"1",{"status":"Accepted","data":"ok"}]')
        self.assertEqual(self.successResultOf(result), DataTransferAnswer(data="ok"))
