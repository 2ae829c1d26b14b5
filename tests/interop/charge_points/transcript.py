"""One WebSocket of a client program, and the transcript of it.

A line of the transcript is one of::

    {"opened": "ocpp1.6", "extensions": ["permessage-deflate"]}
    {"sent": [2, "...", "Heartbeat", {}]}
    {"received": [3, "...", {"currentTime": "..."}]}
    {"step": "charged"}
    {"closed": 1000, "reason": ""}
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol


def note(**line: Any) -> None:
    """Write a line of the transcript."""
    print(json.dumps(line), flush=True)


class Recorded:
    """What the package ocpp needs of a connection: `recv` and `send`, each written down."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket

    async def recv(self) -> str:
        """The next message; ends the program's task when the server has closed."""
        message = await self._websocket.recv(decode=True)
        note(received=json.loads(message))
        return message

    async def send(self, message: str) -> None:
        """Send a message."""
        note(sent=json.loads(message))
        await self._websocket.send(message)


def run(subprotocol: str, play: Callable[[Recorded, str], Awaitable[None]]) -> None:
    """Connect as the command line says, and play: ``await play(connection, id)``.

    :param subprotocol: what is offered if the command line names nothing else.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca", help="the certificate to trust (PEM), for wss")
    parser.add_argument("--offer", help="subprotocols, the preferred first, by commas")
    parser.add_argument("--compression", choices=["deflate"])
    arguments = parser.parse_args()
    offered = arguments.offer.split(",") if arguments.offer else [subprotocol]
    asyncio.run(_run(arguments, [Subprotocol(each) for each in offered], play))


async def _run(
    arguments: argparse.Namespace,
    offered: list[Subprotocol],
    play: Callable[[Recorded, str], Awaitable[None]],
) -> None:
    context = None
    if arguments.ca:
        context = ssl.create_default_context(cafile=arguments.ca)
        # What is the default from Python 3.13 on.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    async with connect(
        arguments.url,
        subprotocols=offered,
        compression=arguments.compression,
        ssl=context,
        proxy=None,
    ) as websocket:
        extensions = [extension.name for extension in websocket.protocol.extensions]
        note(opened=websocket.subprotocol, extensions=extensions)
        playing = asyncio.ensure_future(play(Recorded(websocket), websocket.id.hex))
        told_to_stop = asyncio.ensure_future(end_of_input())
        await asyncio.wait([playing, told_to_stop], return_when=asyncio.FIRST_COMPLETED)
        told_to_stop.cancel()
        playing.cancel()
        with suppress(ConnectionClosed, asyncio.CancelledError):
            await playing
    note(closed=websocket.close_code, reason=websocket.close_reason)


async def end_of_input() -> None:
    """Wait until nothing more can come on standard input."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()
