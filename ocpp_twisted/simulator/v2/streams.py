"""Periodic event streams: values as SENDs, at an interval (OCPP 2.1, use cases N11 to N15).

Imports its neighbours and errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from ocpp_twisted.errors import OCPPError
from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given
from ocpp_twisted.simulator.v2.monitors import Monitor

__all__ = ["Streams"]

#: Values that wait at most: later ones are better than earlier ones.
_MOST_VALUES = 1_000


@dataclass(eq=False)
class _Stream:
    """A stream.

    :ivar interval: seconds until what there is, is sent.
    :ivar values: as many are sent at once.
    """

    id: int
    monitor: Monitor
    interval: int | None
    values: int | None
    open: bool = False
    waiting: list[tuple[datetime, str]] = field(default_factory=list)
    timer: IDelayedCall | None = None


class Streams(Block):
    """Opens a stream for a periodic monitor that is set with one."""

    name = "streams"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self._streams: dict[int, _Stream] = {}
        self._last_id = 0

    @after(*every("SetVariableMonitoring"))
    def monitors_set(self, link: Any, request: Any, response: Any) -> None:
        """Open what was asked for."""
        for data, result in zip(
            request.setMonitoringData, response.setMonitoringResult, strict=True
        ):
            wanted, number = given(data, "periodicEventStream"), given(result, "id")
            if wanted is not None and result.status == "Accepted" and number is not None:
                self._open(self.voice.monitoring.monitors[number], wanted)

    @after(*every("ClearVariableMonitoring"))
    def monitors_cleared(self, link: Any, request: Any, response: Any) -> None:
        """Streams of monitors that are gone end (N12)."""
        for stream in list(self._streams.values()):
            if self.voice.monitoring.monitors.get(stream.monitor.id) is not stream.monitor:
                self._drop(stream)
                self.call("ClosePeriodicEventStream", id=stream.id)

    def _open(self, monitor: Monitor, wanted: Any) -> None:
        self._last_id += 1
        stream = _Stream(self._last_id, monitor, given(wanted, "interval"), given(wanted, "values"))
        self._streams[stream.id] = stream
        opening = self.call("OpenPeriodicEventStream", constantStreamData=self._constant(stream))
        opening.addCallback(self._opened, stream)

    def _opened(self, response: Any, stream: _Stream) -> None:
        if response is None or response.status != "Accepted":
            self._drop(stream)
        elif self._streams.get(stream.id) is stream:
            stream.open = True
            self._wait(stream)

    def _drop(self, stream: _Stream) -> None:
        self._streams.pop(stream.id, None)
        self._stop(stream)

    def _stop(self, stream: _Stream) -> None:
        if stream.timer is not None:
            self.voice.timers.stop(stream.timer)
            stream.timer = None

    def takes(self, monitor: Monitor) -> bool:
        """Whether a monitor's value goes into a stream, and no event is to be sent."""
        stream = next((each for each in self._streams.values() if each.monitor is monitor), None)
        if stream is None:
            return False
        stream.waiting.append((self.now(), monitor.variable.now))
        del stream.waiting[:-_MOST_VALUES]
        if stream.open and stream.values and len(stream.waiting) >= stream.values:
            self._send(stream)
        return True

    def _wait(self, stream: _Stream) -> None:
        self._stop(stream)
        if stream.interval:
            stream.timer = self.later(stream.interval, lambda: self._due(stream))

    def _due(self, stream: _Stream) -> None:
        self._wait(stream)
        self._send(stream)

    def _send(self, stream: _Stream) -> None:
        if not stream.waiting:
            return
        values = stream.waiting[: stream.values or None]
        base = values[0][0]
        message = self.make(
            "NotifyPeriodicEventStream",
            id=stream.id,
            pending=len(stream.waiting) - len(values),
            basetime=base,
            data=[
                self.make("StreamDataElementType", t=(when - base).total_seconds(), v=value)
                for when, value in values
            ],
        )
        try:
            self.station.charge_point.send(message)
        except OCPPError:
            return  # there is no connection: later
        del stream.waiting[: len(values)]

    def started(self) -> None:
        """See `Block`: those that there were before go on."""
        for stream in self._streams.values():
            if stream.open:
                self._wait(stream)

    def powered_off(self) -> None:
        """See `Block`."""
        for stream in self._streams.values():
            stream.timer = None

    def _constant(self, stream: _Stream) -> Any:
        return self.make(
            "ConstantStreamDataType",
            id=stream.id,
            variableMonitoringId=stream.monitor.id,
            params=self.make(
                "PeriodicEventStreamParamsType", interval=stream.interval, values=stream.values
            ),
        )

    @on(*every("GetPeriodicEventStream"))
    def get_streams(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        found = [self._constant(each) for each in self._streams.values() if each.open]
        return self.make("GetPeriodicEventStreamResponse", constantStreamData=found or None)

    @on(*every("AdjustPeriodicEventStream"))
    def adjust_stream(self, link: Any, request: Any) -> Any:
        """See OCPP."""
        stream = self._streams.get(request.id)
        if stream is not None:
            stream.interval = given(request.params, "interval")
            stream.values = given(request.params, "values")
            self._wait(stream)
        return self.make(
            "AdjustPeriodicEventStreamResponse",
            status="Accepted" if stream is not None else "Rejected",
        )
