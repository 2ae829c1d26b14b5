import asyncio
import sys
from datetime import UTC, datetime

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.client import connect


def now():
    return datetime.now(UTC).isoformat()


class Station(ChargePoint):
    @on("RemoteStopTransaction")
    def remote_stop(self, transaction_id):
        print("told to stop")
        self.told_to_stop.set()
        return call_result.RemoteStopTransaction(status="Accepted")

    async def charge(self, tag):
        self.told_to_stop = asyncio.Event()
        boot = call.BootNotification(charge_point_vendor="Example", charge_point_model="One")
        print("boot:", (await self.call(boot)).status)
        authorized = await self.call(call.Authorize(id_tag=tag))
        print(f"authorize {tag}:", authorized.id_tag_info["status"])
        if authorized.id_tag_info["status"] != "Accepted":
            return

        start = call.StartTransaction(connector_id=1, id_tag=tag, meter_start=0, timestamp=now())
        transaction = (await self.call(start)).transaction_id
        print("transaction", transaction)
        meter = 0
        while not self.told_to_stop.is_set():
            meter += 2500
            print("meter:", meter, "Wh")
            values = [{"timestamp": now(), "sampled_value": [{"value": str(meter)}]}]
            await self.call(call.MeterValues(1, values, transaction_id=transaction))
            await asyncio.wait([asyncio.create_task(self.told_to_stop.wait())], timeout=1)
        await self.call(call.StopTransaction(meter, now(), transaction))
        print("stopped at", meter, "Wh")


async def main(url, tag):
    async with connect(url, subprotocols=["ocpp1.6"]) as websocket:
        station = Station("CP-1", websocket)
        listening = asyncio.create_task(station.start())
        await station.charge(tag)
        listening.cancel()


asyncio.run(main(*sys.argv[1:]))
