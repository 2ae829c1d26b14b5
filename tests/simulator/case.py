"""Simulated charge points at a central system in memory."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.charge_point import Target
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.simulator.bench import Bench
from ocpp_twisted.simulator.modem import Modem
from ocpp_twisted.simulator.station import Hardware, Station
from ocpp_twisted.testing import Network
from tests.simulator.voice import SmallVoice

__all__ = ["BenchCase", "Tags"]


class Tags(ActionPlugin):
    """Knows RED and GREEN.

    :ivar asked: the tags that were asked for.
    :ivar silent: whether meter values have no answer.
    """

    name = "tags"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.coming: list[str] = []
        self.silent = False

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point: Any, request: Any) -> v16.AuthorizeResponse:
        self.asked.append(request.idTag)
        known = request.idTag in ("RED", "GREEN")
        status = v16.AuthorizationStatus.Accepted if known else v16.AuthorizationStatus.Invalid
        return v16.AuthorizeResponse(idTagInfo=v16.IdTagInfo(status=status))

    @on(v16.MeterValuesRequest)
    def meter_values(self, charge_point: Any, request: Any) -> Any:
        return Deferred() if self.silent else v16.MeterValuesResponse()

    def charge_point_online(self, charge_point: Any) -> None:
        self.coming.append(charge_point.id)


class BenchCase(SynchronousTestCase):
    """A charge point, CP1, that has power and has been accepted."""

    hardware = Hardware()

    def setUp(self) -> None:
        self.tags = Tags()
        self.network = Network(self.tags)
        self.bench = self.make("CP1", self.hardware)
        self.bench.power_on()
        self.network.run()

    def make(self, name: str, hardware: Hardware) -> Bench:
        """A charge point without power."""
        modem = Modem(self.network, self.network.clock, Random(1))
        station = Station(
            Target.at("ws://central-system", name),
            SmallVoice,
            self.network.clock,
            hardware,
            dialer=modem,
            random=Random(1),
        )
        return Bench(station, modem)
