"""What comes back when a peer sends frames that are malformed or odd: exact bytes, or silence.

Sources: OCPP-J 1.6 chapter 4 with errata 5.1 and 5.2; OCPP 2.0.1 part 4 and OCPP 2.1 part 4,
sections 4.1 to 4.4. OCPP 2.0 follows the RPC rules of 2.0.1.
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v20, v21, v201
from ocpp_twisted.errors import CallErrorReceived, InvalidResponse
from ocpp_twisted.ocppj.session import (
    CallAnswered,
    CallEnded,
    CallReceived,
    Rejected,
    ResultRefused,
    SendReceived,
    Session,
)
from ocpp_twisted.versions import CATALOGUES
from tests.support import next_frame

#: Not an answer in bytes: the message is handed on.
CALLED = CallReceived
SENT = SendReceived


class Exchange(NamedTuple):
    """What the peer sends, and what goes back in each version: bytes, None, or handed on."""

    name: str
    sent: bytes
    replies: dict[str, object]


def same(reply):
    return dict.fromkeys(CATALOGUES, reply)


def only_16(reply):
    return {"1.6": reply}


def only_2(reply):
    return dict.fromkeys(("2.0", "2.0.1", "2.1"), reply)


def by_version(reply_16, reply_2):
    return only_16(reply_16) | only_2(reply_2)


def from_201(reply):
    return dict.fromkeys(("2.0.1", "2.1"), reply)


def error(message_id, code, text):
    return f'[4,"{message_id}","{code}","{text}",{{}}]'.encode()


def no_id(text):
    """The id cannot be read: 2.x answers "-1" (part 4, 4.2.3), 1.6 has nobody to answer."""
    return by_version(None, error("-1", "RpcFrameworkError", text))


def no_frame(text, message_id="1"):
    """Not a frame, its id readable: RpcFrameworkError (part 4, 4.3); 1.6 has no such code."""
    return by_version(
        error(message_id, "FormationViolation", text),
        error(message_id, "RpcFrameworkError", text),
    )


def unknown_type(number, message_id="1"):
    """1.6 4.1.3 and 2.1 4.4: ignored. 2.0.1 4.4: MessageTypeNotSupported."""
    return {
        "1.6": None,
        "2.1": None,
        **{
            version: error(
                message_id,
                "MessageTypeNotSupported",
                f"message type {number} is not known to OCPP {version}",
            )
            for version in ("2.0", "2.0.1")
        },
    }


def unknown_action(shown):
    return {
        version: error("1", "NotImplemented", f"OCPP {version} has no action {shown}")
        for version in CATALOGUES
    }


def refused(code_16, code_2, text):
    return by_version(error("1", code_16, text), error("1", code_2, text))


def not_one_of(names):
    """The list is cut with the rest of the description."""
    text = f'$.status: "Flashing" is not one of {", ".join(names)}'[:255]
    return error("1", "PropertyConstraintViolation", text.replace('"', '\\"'))


NOT_JSON = "the message is not JSON"
TOO_DEEP = "the message is nested more than 64 deep"
NOT_AN_ARRAY = "a message is a JSON array that is not empty"
NO_NUMBER = "the message type is not a whole number"
CALL_FORM = "the message is not of the form [2, id, action, payload]"
ID_NO_STRING = "the message id is not a string"
ID_TOO_LONG = "the message id is longer than 36 characters"

#: 4.1.2: "The whole message consisting of wrapper and payload MUST be valid JSON encoded with
#: the UTF-8 character encoding."
NOT_VALID_JSON = [
    Exchange("nothing", b"", no_id(NOT_JSON)),
    Exchange("a blank", b" ", no_id(NOT_JSON)),
    Exchange("words", b"hello", no_id(NOT_JSON)),
    Exchange("a zero byte", b"\x00", no_id(NOT_JSON)),
    Exchange("cut after the bracket", b"[", no_id(NOT_JSON)),
    Exchange("cut after the type", b"[2", no_id(NOT_JSON)),
    Exchange("cut after the type's comma", b"[2,", no_id(NOT_JSON)),
    Exchange("cut in the id", b'[2,"1', no_id(NOT_JSON)),
    Exchange("cut after the id", b'[2,"1"', no_id(NOT_JSON)),
    Exchange("cut after the id's comma", b'[2,"1",', no_frame(NOT_JSON)),
    Exchange("cut in the action", b'[2,"1","Heart', no_frame(NOT_JSON)),
    Exchange("cut after the action", b'[2,"1","Heartbeat"', no_frame(NOT_JSON)),
    Exchange("cut in the payload", b'[2,"1","DataTransfer",{"vendorId', no_frame(NOT_JSON)),
    Exchange("cut before the last bracket", b'[2,"1","Heartbeat",{}', no_frame(NOT_JSON)),
    Exchange("cut with blanks", b' [ 2 ,\n"1" ,\t"Heartbeat"', no_frame(NOT_JSON)),
    Exchange("cut, the id escaped", rb'[2,"a\"b","Heartbeat",', no_id(NOT_JSON)),
    Exchange("cut, the id too long", b'[2,"%s","Heartbeat",' % (b"x" * 37), no_id(NOT_JSON)),
    Exchange("cut, the id in Greek", '[2,"ζ","Heartbeat",'.encode(), no_frame(NOT_JSON, "ζ")),
    Exchange("cut, the id not UTF-8", b'[2,"\xff","Heartbeat",', no_id(NOT_JSON)),
    Exchange("cut, the id a number", b'[2,1,"Heartbeat",', no_id(NOT_JSON)),
    Exchange("a bad literal", b'[2,"1","Heartbeat",nul]', no_frame(NOT_JSON)),
    Exchange("a trailing comma", b'[2,"1","Heartbeat",{},]', no_frame(NOT_JSON)),
    Exchange("single quotes", b"[2,'1','Heartbeat',{}]", no_id(NOT_JSON)),
    Exchange("a comment", b'[2,"1","Heartbeat",{}/**/]', no_frame(NOT_JSON)),
    Exchange("two messages", b'[2,"1","Heartbeat",{}][2,"2","Heartbeat",{}]', no_frame(NOT_JSON)),
    Exchange("a zero byte behind", b'[2,"1","Heartbeat",{}]\x00', no_frame(NOT_JSON)),
    Exchange("a byte order mark", b'\xef\xbb\xbf[2,"1","Heartbeat",{}]', no_id(NOT_JSON)),
    Exchange("UTF-16", '[2,"1","Heartbeat",{}]'.encode("utf-16"), no_id(NOT_JSON)),
    Exchange("a line break in the id", b'[2,"1\n","Heartbeat",{}]', no_id(NOT_JSON)),
    Exchange("a line break in the action", b'[2,"1","Heart\nbeat",{}]', no_frame(NOT_JSON)),
    Exchange("not UTF-8", b"\xff\xfe", no_id(NOT_JSON)),
    Exchange("the id not UTF-8", b'[2,"\xff","Heartbeat",{}]', no_id(NOT_JSON)),
    Exchange("the action not UTF-8", b'[2,"1","\xff",{}]', no_frame(NOT_JSON)),
    Exchange(
        "a value not UTF-8", b'[2,"1","DataTransfer",{"vendorId":"\xff"}]', no_frame(NOT_JSON)
    ),
    Exchange(
        "a key not UTF-8", b'[2,"1","DataTransfer",{"vendorId":"v","\xff":1}]', no_frame(NOT_JSON)
    ),
    Exchange(
        "a surrogate in UTF-8",
        b'[2,"1","DataTransfer",{"vendorId":"\xed\xa0\x80"}]',
        no_frame(NOT_JSON),
    ),
    Exchange("a lone surrogate as id", rb'[2,"\ud800","Heartbeat",{}]', no_id(NOT_JSON)),
    Exchange("a lone surrogate as action", rb'[2,"1","\udc00",{}]', no_frame(NOT_JSON)),
    Exchange(
        "a lone surrogate as value",
        rb'[2,"1","DataTransfer",{"vendorId":"\ud800"}]',
        no_frame(NOT_JSON),
    ),
    Exchange("NaN", b'[2,"1","DataTransfer",{"vendorId":NaN}]', no_frame(NOT_JSON)),
    Exchange("Infinity", b'[2,"1","DataTransfer",Infinity]', no_frame(NOT_JSON)),
    Exchange("minus Infinity", b'[2,"1","DataTransfer",-Infinity]', no_frame(NOT_JSON)),
    Exchange("brackets only", b"[" * 100_000, no_id(TOO_DEEP)),
    Exchange("brackets, closed", b"[" * 100_000 + b"]" * 100_000, no_id(TOO_DEEP)),
    Exchange(
        "brackets as payload",
        b'[2,"1","DataTransfer",' + b"[" * 100_000 + b"]" * 100_000 + b"]",
        no_frame(TOO_DEEP),
    ),
    Exchange(
        "brackets in a payload",
        b'[2,"1","DataTransfer",{"vendorId":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
        no_frame(TOO_DEEP),
    ),
    Exchange(
        "braces as payload",
        b'[2,"1","DataTransfer",' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]",
        no_frame(TOO_DEEP),
    ),
]

NOT_A_FRAME = [
    Exchange("an empty array", b"[]", no_id(NOT_AN_ARRAY)),
    Exchange("an object", b'{"messageTypeId":2}', no_id(NOT_AN_ARRAY)),
    Exchange("a string", b'"Heartbeat"', no_id(NOT_AN_ARRAY)),
    Exchange("a number", b"2", no_id(NOT_AN_ARRAY)),
    Exchange("null", b"null", no_id(NOT_AN_ARRAY)),
    Exchange("true", b"true", no_id(NOT_AN_ARRAY)),
    Exchange("a frame in a frame", b'[[2,"1","Heartbeat",{}]]', no_id(NO_NUMBER)),
    Exchange("the type only", b"[2]", no_id(ID_NO_STRING)),
    Exchange("the type and the id", b'[2,"1"]', no_frame(CALL_FORM)),
    Exchange("no payload", b'[2,"1","Heartbeat"]', no_frame(CALL_FORM)),
    Exchange("five elements", b'[2,"1","Heartbeat",{},{}]', no_frame(CALL_FORM)),
    Exchange("the action null", b'[2,"1",null,{}]', no_frame(CALL_FORM)),
    Exchange("the action a number", b'[2,"1",2,{}]', no_frame(CALL_FORM)),
    Exchange("the action an object", b'[2,"1",{},"Heartbeat"]', no_frame(CALL_FORM)),
    Exchange("the id a number", b'[2,1,"Heartbeat",{}]', no_id(ID_NO_STRING)),
    Exchange("the id null", b'[2,null,"Heartbeat",{}]', no_id(ID_NO_STRING)),
    Exchange("the id an array", b'[2,["1"],"Heartbeat",{}]', no_id(ID_NO_STRING)),
    Exchange(
        # "unique identifier too long" is a case for the CALLERROR (4.2.3); "the exact same id".
        "the id of 37 characters",
        b'[2,"%s","Heartbeat",{}]' % (b"x" * 37),
        no_frame(ID_TOO_LONG, "x" * 37),
    ),
    Exchange(
        "the id of 37 characters in Greek",
        f'[2,"{"ζ" * 37}","Heartbeat",{{}}]'.encode(),
        no_frame(ID_TOO_LONG, "ζ" * 37),
    ),
]

IDS = [
    Exchange("the id of 36 characters", b'[2,"%s","Heartbeat",{}]' % (b"x" * 36), same(CALLED)),
    Exchange("36 in Greek", f'[2,"{"ζ" * 36}","Heartbeat",{{}}]'.encode(), same(CALLED)),
    Exchange("an empty id", b'[2,"","Heartbeat",{}]', same(CALLED)),
    Exchange("the id -1", b'[2,"-1","Heartbeat",{}]', same(CALLED)),
    Exchange(
        "quotes and backslashes",
        rb'[2,"a\"b\\c","Heartbeat"]',
        no_frame(CALL_FORM, r"a\"b\\c"),
    ),
    Exchange("an escaped letter", rb'[2,"\u0041","Heartbeat"]', no_frame(CALL_FORM, "A")),
    Exchange("an escaped slash", rb'[2,"a\/b","Heartbeat"]', no_frame(CALL_FORM, "a/b")),
    Exchange("an escaped line break", rb'[2,"a\nb","Heartbeat"]', no_frame(CALL_FORM, r"a\nb")),
    Exchange("an escaped zero", rb'[2,"\u0000","Heartbeat"]', no_frame(CALL_FORM, r"\u0000")),
    Exchange("an escaped pair", rb'[2,"\ud83d\ude97","Heartbeat"]', no_frame(CALL_FORM, "🚗")),
    Exchange("a car", '[2,"🚗","Heartbeat"]'.encode(), no_frame(CALL_FORM, "🚗")),
]

TYPES = [
    Exchange("0", b'[0,"1","Heartbeat",{}]', unknown_type(0)),
    Exchange("1", b'[1,"1","Heartbeat",{}]', unknown_type(1)),
    Exchange("7", b'[7,"1","Heartbeat",{}]', unknown_type(7)),
    Exchange("99", b'[99,"1","Heartbeat",{}]', unknown_type(99)),
    Exchange("minus 2", b'[-2,"1","Heartbeat",{}]', unknown_type(-2)),
    Exchange("huge", b'[18446744073709551616,"1","Heartbeat",{}]', unknown_type(2**64)),
    Exchange("7 alone", b"[7]", unknown_type(7, "-1")),
    Exchange("7, the id a number", b"[7,1]", unknown_type(7, "-1")),
    Exchange("7, the id too long", b'[7,"%s"]' % (b"x" * 37), unknown_type(7, "x" * 37)),
    Exchange("7, cut", b'[7,"1",{', unknown_type(7)),
    Exchange("42, cut", b'[42,"1",{', unknown_type(42)),
    Exchange("a string", b'["2","1","Heartbeat",{}]', no_frame(NO_NUMBER)),
    Exchange("a float", b'[2.0,"1","Heartbeat",{}]', no_frame(NO_NUMBER)),
    Exchange("a fraction", b'[2.5,"1","Heartbeat",{}]', no_frame(NO_NUMBER)),
    Exchange("a fraction, cut", b'[4.5,"1","Heartbeat",{', no_id(NOT_JSON)),
    Exchange("true", b'[true,"1","Heartbeat",{}]', no_frame(NO_NUMBER)),
    Exchange("null", b'[null,"1","Heartbeat",{}]', no_frame(NO_NUMBER)),
    Exchange("1e400", b'[1e400,"1","Heartbeat",{}]', no_id(NOT_JSON)),
    Exchange("02", b'[02,"1","Heartbeat",{}]', no_id(NOT_JSON)),
    Exchange("of 5,000 digits", b'[%s,"1","Heartbeat",{}]' % (b"1" * 5000), no_id(NOT_JSON)),
    # CALLRESULTERROR and SEND are message types of 2.1 only, which never answers them.
    Exchange("5", b'[5,"1","InternalError","",{}]', unknown_type(5) | {"2.1": ResultRefused}),
    Exchange("5, malformed", b'[5,"1",[]]', unknown_type(5) | {"2.1": None}),
    Exchange("5, cut", b'[5,"1","Inter', unknown_type(5) | {"2.1": None}),
    Exchange("6, no SEND", b'[6,"1","Heartbeat",{}]', unknown_type(6) | {"2.1": None}),
    Exchange("6, unknown action", b'[6,"1","Fly",{}]', unknown_type(6) | {"2.1": None}),
    Exchange("6, malformed", b'[6,"1"]', unknown_type(6) | {"2.1": None}),
    Exchange("6, cut", b'[6,"1","Noti', unknown_type(6) | {"2.1": None}),
    Exchange(
        "6, the id too long",
        b'[6,"%s","NotifyPeriodicEventStream",{}]' % (b"x" * 37),
        unknown_type(6, "x" * 37) | {"2.1": None},
    ),
    Exchange(
        "6, incomplete", b'[6,"1","NotifyPeriodicEventStream",{}]', unknown_type(6) | {"2.1": None}
    ),
    Exchange(
        "6",
        b'[6,"1","NotifyPeriodicEventStream",{"id":1,"pending":0,'
        b'"basetime":"2024-08-27T12:30:40Z","data":[{"t":0,"v":"230.4"}]}]',
        unknown_type(6) | {"2.1": SENT},
    ),
]

ACTIONS = [
    Exchange("unknown", b'[2,"1","Fly",{}]', unknown_action("'Fly'")),
    Exchange("empty", b'[2,"1","",{}]', unknown_action("''")),
    Exchange("lower case", b'[2,"1","heartbeat",{}]', unknown_action("'heartbeat'")),
    Exchange("upper case", b'[2,"1","HEARTBEAT",{}]', unknown_action("'HEARTBEAT'")),
    Exchange("a blank behind", b'[2,"1","Heartbeat ",{}]', unknown_action("'Heartbeat '")),
    Exchange("with suffix", b'[2,"1","HeartbeatRequest",{}]', unknown_action("'HeartbeatRequest'")),
    Exchange(
        "of another version",
        b'[2,"1","TransactionEvent",null]',
        only_16(error("1", "NotImplemented", "OCPP 1.6 has no action 'TransactionEvent'")),
    ),
    Exchange("1 MB", b'[2,"1","%s",{}]' % (b"A" * 2**20), unknown_action(f"'{'A' * 50}'")),
    Exchange("of the central system", b'[2,"1","Reset",{"type":"Hard"}]', only_16(CALLED)),
    Exchange("of the central system", b'[2,"1","Reset",{"type":"Immediate"}]', only_2(CALLED)),
    Exchange(
        "a SEND as CALL",
        b'[2,"1","NotifyPeriodicEventStream",{}]',
        unknown_action("'NotifyPeriodicEventStream'")
        | {
            "2.1": error("1", "NotSupported", "NotifyPeriodicEventStream is a SEND, not a CALL"),
        },
    ),
]

#: The table of error codes: OCPP-J 1.6 table 7, part 4 table 8 (2.0.1) and 9 (2.1).
PAYLOADS = [
    Exchange("an empty object", b'[2,"1","Heartbeat",{}]', same(CALLED)),
    Exchange("null for an empty object", b'[2,"1","Heartbeat",null]', same(CALLED)),
    Exchange(
        "null, but fields are required",
        b'[2,"1","DataTransfer",null]',
        refused(
            "ProtocolError",
            "OccurrenceConstraintViolation",
            "$.vendorId: required, but absent",
        ),
    ),
    Exchange(
        "an array",
        b'[2,"1","Heartbeat",[]]',
        refused("FormationViolation", "FormatViolation", "$: expected an object, got an array"),
    ),
    Exchange(
        "a string",
        b'[2,"1","Heartbeat","{}"]',
        refused("FormationViolation", "FormatViolation", "$: expected an object, got a string"),
    ),
    Exchange(
        "a number",
        b'[2,"1","Heartbeat",1]',
        refused("FormationViolation", "FormatViolation", "$: expected an object, got an integer"),
    ),
    Exchange(
        "true",
        b'[2,"1","Heartbeat",true]',
        refused(
            "FormationViolation", "FormatViolation", "$: expected an object, got true or false"
        ),
    ),
    Exchange(
        "an unknown field",
        b'[2,"1","Heartbeat",{"a":1}]',
        {
            "1.6": error("1", "FormationViolation", "$.a: unknown field, expected none"),
            "2.0": CALLED,  # its schemas do not forbid additional properties
            "2.0.1": error("1", "ProtocolError", "$.a: unknown field, expected only customData"),
            "2.1": error("1", "ProtocolError", "$.a: unknown field, expected only customData"),
        },
    ),
    Exchange(
        "a missing field",
        b'[2,"1","DataTransfer",{"messageId":"m"}]',
        refused(
            "ProtocolError",
            "OccurrenceConstraintViolation",
            "$.vendorId: required, but absent",
        ),
    ),
    Exchange(
        "a missing field deep inside",
        b'[2,"1","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2024-01-01T00:00:00Z",'
        b'"sampledValue":[{}]}]}]',
        only_16(
            error(
                "1",
                "ProtocolError",
                "$.meterValue[0].sampledValue[0].value: required, but absent",
            )
        ),
    ),
    Exchange(
        "the wrong type",
        b'[2,"1","DataTransfer",{"vendorId":12}]',
        refused(
            "TypeConstraintViolation",
            "TypeConstraintViolation",
            "$.vendorId: expected a string, got an integer",
        ),
    ),
    Exchange(
        "null for an optional field",
        b'[2,"1","DataTransfer",{"vendorId":"v","messageId":null}]',
        refused(
            "TypeConstraintViolation",
            "TypeConstraintViolation",
            "$.messageId: expected a string, got null",
        ),
    ),
    Exchange(
        "a text too long",
        b'[2,"1","DataTransfer",{"vendorId":"%s"}]' % (b"v" * 256),
        refused(
            "PropertyConstraintViolation",
            "PropertyConstraintViolation",
            "$.vendorId: expected a string of at most 255 characters",
        ),
    ),
    Exchange(
        "a text of 1 MB",
        b'[2,"1","DataTransfer",{"vendorId":"%s"}]' % (b"v" * 2**20),
        refused(
            "PropertyConstraintViolation",
            "PropertyConstraintViolation",
            "$.vendorId: expected a string of at most 255 characters",
        ),
    ),
    Exchange(
        "the longest text",
        b'[2,"1","DataTransfer",{"vendorId":"%s"}]' % (b"v" * 255),
        same(CALLED),
    ),
    Exchange(
        "1 MB where any text goes",
        b'[2,"1","DataTransfer",{"vendorId":"v","data":"%s"}]' % (b"v" * 2**20),
        same(CALLED),
    ),
    Exchange(
        "a field name of 1 MB",
        b'[2,"1","Heartbeat",{"%s":1}]' % (b"a" * 2**20),
        only_16(error("1", "FormationViolation", f"$.{'a' * 50}...: unknown field, expected none"))
        | from_201(
            error("1", "ProtocolError", f"$.{'a' * 50}...: unknown field, expected only customData")
        ),
    ),
    Exchange(
        "a bad enum value",
        b'[2,"1","FirmwareStatusNotification",{"status":"Flashing","requestId":1}]',
        {
            version: not_one_of(package.FirmwareStatusEnumType)
            for version, package in (("2.0", v20), ("2.0.1", v201), ("2.1", v21))
        },
    ),
    Exchange(
        "a bad enum value",
        b'[2,"1","FirmwareStatusNotification",{"status":"Flashing"}]',
        only_16(not_one_of(v16.FirmwareStatus)),
    ),
    Exchange(
        "too few items",
        b'[2,"1","MeterValues",{"connectorId":1,"meterValue":[]}]',
        only_16(
            error(
                "1",
                "OccurenceConstraintViolation",
                "$.meterValue: expected an array of at least 1 item",
            )
        ),
    ),
    Exchange(
        "too few items",
        b'[2,"1","MeterValues",{"evseId":1,"meterValue":[]}]',
        only_2(
            error(
                "1",
                "OccurrenceConstraintViolation",
                "$.meterValue: expected an array of at least 1 item",
            )
        ),
    ),
    Exchange(
        "an object where a list goes",
        b'[2,"1","MeterValues",{"connectorId":1,"meterValue":{}}]',
        only_16(
            error("1", "TypeConstraintViolation", "$.meterValue: expected an array, got an object")
        ),
    ),
    Exchange(
        "a bad date",
        b'[2,"1","SecurityEventNotification",{"type":"FirmwareUpdated","timestamp":"yesterday"}]',
        refused(
            "PropertyConstraintViolation",
            "PropertyConstraintViolation",
            "$.timestamp: expected a date and time with its zone, for example 2024-01-31T12:00:00Z",
        ),
    ),
    Exchange(
        "the 30th of February",
        b'[2,"1","SecurityEventNotification",{"type":"FirmwareUpdated","timestamp":"2024-02-30T00:00:00Z"}]',
        refused(
            "PropertyConstraintViolation",
            "PropertyConstraintViolation",
            "$.timestamp: expected a date and time with its zone, for example 2024-01-31T12:00:00Z",
        ),
    ),
    Exchange(
        "a number for a date",
        b'[2,"1","SecurityEventNotification",{"type":"FirmwareUpdated","timestamp":1700000000}]',
        refused(
            "TypeConstraintViolation",
            "TypeConstraintViolation",
            "$.timestamp: expected a string with a date and time, got an integer",
        ),
    ),
    Exchange(
        "1e400",
        b'[2,"1","DataTransfer",1e400]',
        refused(
            "PropertyConstraintViolation",
            "PropertyConstraintViolation",
            "$: expected a number of a size that can be read",
        ),
    ),
    Exchange(
        "1e400 in a field",
        b'[2,"1","DataTransfer",{"vendorId":1e400}]',
        refused(
            "PropertyConstraintViolation",
            "PropertyConstraintViolation",
            "$.vendorId: expected a number of a size that can be read",
        ),
    ),
    Exchange(
        "a whole number with a fraction",
        b'[2,"1","ChangeAvailability",{"connectorId":1.5,"type":"Operative"}]',
        only_16(
            error(
                "1",
                "TypeConstraintViolation",
                "$.connectorId: expected an integer, got a number with a decimal point",
            )
        ),
    ),
    # RFC 8259, section 4, leaves open what equal keys mean; the last one counts here.
    Exchange(
        "two equal keys, the last one bad",
        b'[2,"1","DataTransfer",{"vendorId":"v","vendorId":1}]',
        refused(
            "TypeConstraintViolation",
            "TypeConstraintViolation",
            "$.vendorId: expected a string, got an integer",
        ),
    ),
    Exchange(
        "two equal keys, the last one good",
        b'[2,"1","DataTransfer",{"vendorId":1,"vendorId":"v"}]',
        same(CALLED),
    ),
    Exchange(
        "blanks everywhere",
        b' \r\n\t[ 2 , "1" ,\n"DataTransfer" , { "vendorId" : "v" } ] \r\n',
        same(CALLED),
    ),
]

#: "A reply is never given": a CALLRESULT or CALLERROR that nobody waits for.
UNASKED_ANSWERS = [
    Exchange("a CALLRESULT", b'[3,"1",{}]', same(None)),
    Exchange("a CALLRESULT of two", b'[3,"1"]', same(None)),
    Exchange("a CALLRESULT of four", b'[3,"1",{},{}]', same(None)),
    Exchange("a CALLRESULT alone", b"[3]", same(None)),
    Exchange("a CALLRESULT, the id a number", b"[3,1,{}]", same(None)),
    Exchange("a CALLRESULT, the id too long", b'[3,"%s",{}]' % (b"x" * 37), same(None)),
    Exchange("a CALLRESULT, cut", b'[3,"1",{"sta', same(None)),
    Exchange("a CALLRESULT, not UTF-8", b'[3,"1",{"status":"\xff"}]', same(None)),
    Exchange("a CALLRESULT, deep", b'[3,"1",' + b"[" * 100_000, same(None)),
    Exchange("a CALLERROR", b'[4,"1","InternalError","",{}]', same(None)),
    Exchange("a CALLERROR of four", b'[4,"1","InternalError",""]', same(None)),
    Exchange("a CALLERROR of three", b'[4,"1","InternalError"]', same(None)),
    Exchange("a CALLERROR of two", b'[4,"1"]', same(None)),
    Exchange("a CALLERROR of six", b'[4,"1","InternalError","",{},{}]', same(None)),
    Exchange("a CALLERROR alone", b"[4]", same(None)),
    Exchange("a CALLERROR to nobody", b'[4,"-1","RpcFrameworkError","",{}]', same(None)),
    Exchange("a CALLERROR, the id null", b'[4,null,"InternalError","",{}]', same(None)),
    Exchange("a CALLERROR, cut", b'[4,"1","Inter', same(None)),
    Exchange("a CALLERROR, cut at the type", b"[4", same(None)),
    Exchange("a CALLERROR, not UTF-8", b'[4,"1","E","\xff",{}]', same(None)),
    Exchange(
        "a CALLERROR, deep",
        b'[4,"1","E","",' + b"[" * 100_000 + b"]" * 100_000 + b"]",
        same(None),
    ),
]


def a_test(version, exchange):
    def test(self):
        self.check(version, exchange)

    return test


def tests_of(exchanges):
    """A class decorator: one test for each exchange and version."""

    def decorate(cls):
        for number, exchange in enumerate(exchanges):
            for version in exchange.replies:
                words = f"test_{version}_{number:02}_{exchange.name}"
                name = "".join(letter if letter.isalnum() else "_" for letter in words)
                test = a_test(version, exchange)
                test.__name__ = name
                assert not hasattr(cls, name)
                setattr(cls, name, test)
        return cls

    return decorate


class Exchanges(SynchronousTestCase):
    """The peer sends one message to a fresh session."""

    def check(self, version, exchange):
        session = Session(CATALOGUES[version], map(str, count(1)).__next__)
        event = session.receive(exchange.sent)
        expected = exchange.replies[version]
        if isinstance(expected, type):
            self.assertIs(type(event), expected, event)
        else:
            self.assertIs(type(event), Rejected, event)
            self.assertEqual(event.reply, expected)
            self.assertNotEqual(event.why, "")
        self.assertEqual(session.answering, 1 if expected is CALLED else 0)
        self.assertIsNone(next_frame(session))


@tests_of(NOT_VALID_JSON)
class NotValidJSON(Exchanges):
    pass


@tests_of(NOT_A_FRAME)
class NotAFrame(Exchanges):
    pass


@tests_of(IDS)
class MessageIds(Exchanges):
    pass


@tests_of(TYPES)
class MessageTypes(Exchanges):
    pass


@tests_of(ACTIONS)
class Actions(Exchanges):
    pass


@tests_of(PAYLOADS)
class Payloads(Exchanges):
    pass


@tests_of(UNASKED_ANSWERS)
class UnaskedAnswers(Exchanges):
    pass


#: How each version asks for a reset; its answer needs a status.
RESETS = {
    "1.6": (v16.ResetRequest(type=v16.ResetType.Hard), b'[2,"1","Reset",{"type":"Hard"}]'),
    "2.0": (
        v20.ResetRequest(type=v20.ResetEnumType.Immediate),
        b'[2,"1","Reset",{"type":"Immediate"}]',
    ),
    "2.0.1": (
        v201.ResetRequest(type=v201.ResetEnumType.Immediate),
        b'[2,"1","Reset",{"type":"Immediate"}]',
    ),
    "2.1": (
        v21.ResetRequest(type=v21.ResetEnumType.Immediate),
        b'[2,"1","Reset",{"type":"Immediate"}]',
    ),
}


class Answer(NamedTuple):
    """What the peer answers our Reset "1" with, and 2.1's CALLRESULTERROR to that."""

    name: str
    sent: bytes
    error: str
    reply_21: bytes | None = None
    versions: tuple[str, ...] = tuple(CATALOGUES)

    @property
    def replies(self):
        return {v: self.reply_21 if v == "2.1" else None for v in self.versions}


def result_error(code, text):
    return f'[5,"1","{code}","{text}",{{}}]'.encode()


RESULT_FORM = "the message is not of the form [3, id, payload]"
_FRAMEWORK = "RpcFrameworkError"
_NO_STATUS = "$.status: required, but absent"

#: 1.6 and 2.0.1 have no error to a CALLRESULT: the call fails here, nothing goes back. 2.1 part 4,
#: 4.2.3: "A CALLRESULTERROR is sent back on receipt of a CALLRESULT that contains errors".
BAD_ANSWERS = [
    Answer("no payload", b'[3,"1"]', RESULT_FORM, result_error(_FRAMEWORK, RESULT_FORM)),
    Answer("four elements", b'[3,"1",{},{}]', RESULT_FORM, result_error(_FRAMEWORK, RESULT_FORM)),
    Answer("cut", b'[3,"1",{"status":"Acc', NOT_JSON, result_error(_FRAMEWORK, NOT_JSON)),
    Answer("not UTF-8", b'[3,"1",{"status":"\xff"}]', NOT_JSON, result_error(_FRAMEWORK, NOT_JSON)),
    Answer("deep", b'[3,"1",' + b"[" * 100_000, TOO_DEEP, result_error(_FRAMEWORK, TOO_DEEP)),
    Answer(
        "a missing field",
        b'[3,"1",{}]',
        _NO_STATUS,
        result_error("OccurrenceConstraintViolation", _NO_STATUS),
    ),
    Answer(
        "null, but a field is required",
        b'[3,"1",null]',
        _NO_STATUS,
        result_error("OccurrenceConstraintViolation", _NO_STATUS),
    ),
    Answer(
        "an unknown field",
        b'[3,"1",{"status":"Accepted","a":1}]',
        "$.a: unknown field, expected only status",
        result_error(
            "ProtocolError", "$.a: unknown field, expected only status, statusInfo, customData"
        ),
        ("1.6", "2.0.1", "2.1"),
    ),
    Answer(
        "a bad enum value",
        b'[3,"1",{"status":"Maybe"}]',
        '$.status: "Maybe" is not one of Accepted, Rejected',
        result_error(
            "PropertyConstraintViolation",
            r"$.status: \"Maybe\" is not one of Accepted, Rejected, Scheduled",
        ),
    ),
    Answer(
        "the wrong type",
        b'[3,"1",{"status":1}]',
        "$.status: expected a string, got an integer",
        result_error("TypeConstraintViolation", "$.status: expected a string, got an integer"),
    ),
    Answer(
        "an array",
        b'[3,"1",[]]',
        "$: expected an object, got an array",
        result_error("FormatViolation", "$: expected an object, got an array"),
    ),
    # A CALLERROR is never answered, whatever it looks like.
    Answer("a CALLERROR without a code", b'[4,"1"]', "[4, id, code, description, details]"),
    Answer("its code a number", b'[4,"1",500,"",{}]', "[4, id, code, description, details]"),
    Answer("its description null", b'[4,"1","E",null,{}]', "[4, id, code, description, details]"),
    Answer("six elements", b'[4,"1","E","",{},{}]', "[4, id, code, description, details]"),
    Answer("a CALLERROR, cut", b'[4,"1","E","', NOT_JSON),
    Answer("a CALLERROR, not UTF-8", b'[4,"1","E","\xff",{}]', NOT_JSON),
]


class Waiting(SynchronousTestCase):
    """A Reset of ours waits for its answer."""

    def reset(self, version):
        request, frame = RESETS[version]
        session = Session(CATALOGUES[version], map(str, count(1)).__next__)
        self.call = session.call(request, now=0.0, timeout=30.0)
        self.assertEqual(next_frame(session), frame)
        return session

    def assert_free(self, session):
        """The next call is sent: nothing waits any more."""
        session.call(self.call.request, now=0.0, timeout=30.0)
        self.assertEqual(next_frame(session), self.call.frame.replace(b'"1"', b'"2"'))

    def assert_waits(self, session):
        event = session.receive(b'[3,"1",{"status":"Accepted"}]')
        self.assertIs(type(event), CallAnswered, event)
        self.assertIs(event.call, self.call)


@tests_of(BAD_ANSWERS)
class BadAnswers(Waiting):
    """The call ends with InvalidResponse; only 2.1 says so to the peer."""

    def check(self, version, answer):
        session = self.reset(version)
        event = session.receive(answer.sent)
        self.assertIs(type(event), CallEnded, event)
        self.assertIs(event.call, self.call)
        self.assertIs(type(event.error), InvalidResponse)
        self.assertIn(answer.error, str(event.error))
        self.assertEqual(event.reply, answer.replies[version])
        self.assert_free(session)


#: A call of ours waits as "1"; these are not its answer, and get none.
OTHER_ANSWERS = [
    Exchange("another id", b'[3,"2",{"status":"Accepted"}]', same(None)),
    Exchange("the id a number", b'[3,1,{"status":"Accepted"}]', same(None)),
    Exchange("the id cut", b'[3,"1', same(None)),
    Exchange("a CALLERROR with another id", b'[4,"2","InternalError","",{}]', same(None)),
    Exchange("a malformed one with another id", b'[3,"2"]', same(None)),
    Exchange("a CALLERROR without an id", b"[4]", same(None)),
    Exchange("a CALLRESULTERROR", b'[5,"1","E","",{}]', {"1.6": None, "2.1": ResultRefused}),
    # The id for unreadable ids is 2.x's; in 1.6 it is an id like any other.
    Exchange("a CALLERROR to -1", b'[4,"-1","GenericError","",{}]', only_16(None)),
    Exchange("a CALLRESULT to -1", b'[3,"-1",{"status":"Accepted"}]', same(None)),
]


@tests_of(OTHER_ANSWERS)
class OtherAnswers(Waiting):
    """The call goes on waiting."""

    def check(self, version, exchange):
        session = self.reset(version)
        event = session.receive(exchange.sent)
        if exchange.replies[version] is None:
            self.assertIs(type(event), Rejected, event)
            self.assertIsNone(event.reply)
        else:
            self.assertIs(type(event), exchange.replies[version], event)
        self.assert_waits(session)


class Refusal(NamedTuple):
    """A CALLERROR that is read: its code, description and details."""

    name: str
    sent: bytes
    read: tuple[str, str, object]
    versions: tuple[str, ...] = tuple(CATALOGUES)

    @property
    def replies(self):
        return dict.fromkeys(self.versions)


REFUSALS = [
    Refusal(
        "five elements",
        b'[4,"1","NotSupported","no reset",{"a":1}]',
        ("NotSupported", "no reset", {"a": 1}),
    ),
    Refusal("four elements", b'[4,"1","NotSupported","no"]', ("NotSupported", "no", {})),
    Refusal("three elements", b'[4,"1","NotSupported"]', ("NotSupported", "", {})),
    Refusal("details null", b'[4,"1","NotSupported","",null]', ("NotSupported", "", {})),
    Refusal("details a text", b'[4,"1","E","","why"]', ("E", "", "why")),
    Refusal("an empty code", b'[4,"1","","",{}]', ("", "", {})),
    Refusal("a code of 1.6", b'[4,"1","FormationViolation","",{}]', ("FormationViolation", "", {})),
    Refusal("a code of 2.x", b'[4,"1","FormatViolation","",{}]', ("FormatViolation", "", {})),
    Refusal("a long description", b'[4,"1","E","%s",{}]' % (b"x" * 1000), ("E", "x" * 1000, {})),
    Refusal(
        # Part 4, 4.2.3: the peer could not read the id of the only message that it can mean.
        "the id -1",
        b'[4,"-1","RpcFrameworkError","what?",{}]',
        ("RpcFrameworkError", "what?", {}),
        ("2.0", "2.0.1", "2.1"),
    ),
]


@tests_of(REFUSALS)
class Refusals(Waiting):
    """The call ends with CallErrorReceived, and nothing goes back."""

    def check(self, version, refusal):
        session = self.reset(version)
        event = session.receive(refusal.sent)
        self.assertIs(type(event), CallEnded, event)
        self.assertIs(event.call, self.call)
        self.assertIs(type(event.error), CallErrorReceived)
        read = event.error.code, event.error.description, event.error.details
        self.assertEqual(read, refusal.read)
        self.assertIsNone(event.reply)
        self.assert_free(session)
