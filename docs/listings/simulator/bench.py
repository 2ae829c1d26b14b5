"""A charge point of your own program, on a bench: a car, a token, and a fault."""

import sys
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from ocpp_twisted.charge_point import Dialer, Target
from ocpp_twisted.simulator.bench import Bench
from ocpp_twisted.simulator.faults import Fault
from ocpp_twisted.simulator.modem import Modem
from ocpp_twisted.simulator.station import Hardware, Station
from ocpp_twisted.simulator.voices import voice_for


async def main(reactor, url, version="1.6"):
    modem = Modem(Dialer(reactor), reactor, Random(1))
    hardware = Hardware(outlets=1)
    target = Target.at(url, "BENCH")
    bench = Bench(Station(target, voice_for(version), reactor, hardware, dialer=modem), modem)
    bench.power_on()
    await bench.station.charge_point.accepted()
    bench.station.plug_in(1)
    bench.station.present("RED")
    while not bench.stands_at("charging"):
        await deferLater(reactor, 0.1)
    print("charging")
    modem.switch_on(Fault.of("answer-late", {"seconds": 20}))
    await deferLater(reactor, 1)
    bench.station.unplug(1)
    while bench.station.charge_point.queued:
        await deferLater(reactor, 0.1)
    await bench.stop()


if __name__ == "__main__":
    react(lambda *arguments: Deferred.fromCoroutine(main(*arguments)), sys.argv[1:])
