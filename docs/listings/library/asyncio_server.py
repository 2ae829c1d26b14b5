"""The same server on the asyncio reactor. The reactor is chosen before anything imports it."""

import asyncio
import sys

from twisted.internet import asyncioreactor

asyncioreactor.install(asyncio.new_event_loop())

from server import main  # noqa: E402
from twisted.internet import task  # noqa: E402
from twisted.internet.defer import Deferred  # noqa: E402

if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
