"""Resets a charge point, wherever it is connected: ``python call.py nats://localhost:4222 CP1``."""

import sys

from twisted.internet import asyncioreactor

asyncioreactor.install()

from twisted.internet.defer import Deferred  # noqa: E402
from twisted.internet.task import react  # noqa: E402

from ocpp_twisted import v16  # noqa: E402
from ocpp_twisted.errors import CallFailed  # noqa: E402
from ocpp_twisted.plugins.nats.caller import NatsCaller  # noqa: E402
from ocpp_twisted.plugins.nats.link import Link  # noqa: E402
from ocpp_twisted.plugins.nats.reach import LinkOptions  # noqa: E402
from ocpp_twisted.plugins.nats.subjects import Subjects  # noqa: E402


async def main(reactor, url, charge_point):
    link = Link(LinkOptions(servers=[url]), reactor)
    connected = Deferred()
    link.listen(lambda: connected.called or connected.callback(None), lambda: None)
    link.start()
    await connected
    try:
        response = await NatsCaller(link, Subjects()).call(
            charge_point, v16.ResetRequest(type="Soft"), timeout=20
        )
        print(response.status)
    except CallFailed as error:
        print(error)
    await link.stop()


react(main, sys.argv[1:])
