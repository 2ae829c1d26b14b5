"""The messages that the benchmarks exchange: a heartbeat, five sampled values, and a mix of both.

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

#: What a row of the table sends. In ``call`` the server calls and the charge points answer.
KINDS = {"heartbeat": (HEARTBEAT,), "meter values": (METER_VALUES,), "mix": MIX, "call": ()}
