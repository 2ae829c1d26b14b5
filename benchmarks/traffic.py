"""The messages that the benchmarks exchange: heartbeats, sampled values, what begins transactions.

A message is an action and its payload as JSON text.
"""

from __future__ import annotations

HEARTBEAT = ("Heartbeat", "{}")

METER_VALUES = (
    "MeterValues",
    (
        '{"connectorId":1,"transactionId":12345,"meterValue":[{"timestamp":"2024-01-01T00:00:00Z",'
        '"sampledValue":['
        '{"value":"1234567.5","context":"Sample.Periodic",'
        '"measurand":"Energy.Active.Import.Register","unit":"Wh"},'
        '{"value":"16.0","context":"Sample.Periodic","measurand":"Current.Import","phase":"L1",'
        '"unit":"A"},'
        '{"value":"16.1","context":"Sample.Periodic","measurand":"Current.Import","phase":"L2",'
        '"unit":"A"},'
        '{"value":"230.2","context":"Sample.Periodic","measurand":"Voltage","phase":"L1-N",'
        '"unit":"V"},'
        '{"value":"11040","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"}'
        "]}]}"
    ),
)

#: One charging minute: two meter values, a heartbeat and a change of status.
MIX = (
    METER_VALUES,
    HEARTBEAT,
    METER_VALUES,
    ("StatusNotification", '{"connectorId":1,"errorCode":"NoError","status":"Charging"}'),
)

START_TRANSACTION = (
    "StartTransaction",
    (
        '{"connectorId":1,"idTag":"04A1B2C3D4E5F6","meterStart":1234567,'
        '"timestamp":"2024-01-01T00:00:00Z"}'
    ),
)

#: The same five values, as 2.0.1 has them.
TRANSACTION_EVENT = (
    "TransactionEvent",
    (
        '{"eventType":"Updated","timestamp":"2024-01-01T00:00:00Z",'
        '"triggerReason":"MeterValuePeriodic","seqNo":7,'
        '"transactionInfo":{"transactionId":"7a5e2f0c-6f0b-4c5e-9d1e-2f8a1b3c4d5e",'
        '"chargingState":"Charging"},"evse":{"id":1,"connectorId":1},'
        '"meterValue":[{"timestamp":"2024-01-01T00:00:00Z","sampledValue":['
        '{"value":1234567.5,"context":"Sample.Periodic",'
        '"measurand":"Energy.Active.Import.Register","unitOfMeasure":{"unit":"Wh"}},'
        '{"value":16.0,"context":"Sample.Periodic","measurand":"Current.Import","phase":"L1",'
        '"unitOfMeasure":{"unit":"A"}},'
        '{"value":16.1,"context":"Sample.Periodic","measurand":"Current.Import","phase":"L2",'
        '"unitOfMeasure":{"unit":"A"}},'
        '{"value":230.2,"context":"Sample.Periodic","measurand":"Voltage","phase":"L1-N",'
        '"unitOfMeasure":{"unit":"V"}},'
        '{"value":11040,"context":"Sample.Periodic","measurand":"Power.Active.Import",'
        '"unitOfMeasure":{"unit":"W"}}'
        "]}]}"
    ),
)

#: What a row of the table sends. In ``call`` the server calls and the charge points answer.
KINDS = {"heartbeat": (HEARTBEAT,), "meter values": (METER_VALUES,), "mix": MIX, "call": ()}
#: Those, and what is measured over NATS besides.
ALL_KINDS = KINDS | {
    "start transaction": (START_TRANSACTION,),
    "transaction event": (TRANSACTION_EVENT,),
}
#: Those that are not of OCPP 1.6, with their subprotocol.
SUBPROTOCOLS = {"transaction event": "ocpp2.0.1"}
