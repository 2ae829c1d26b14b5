"""The websockets library with nothing around it: answers each CALL. ``PORT [CERTIFICATE KEY]``."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from contextlib import suppress
from typing import Any

import websockets


async def connected(connection: Any) -> None:
    """Serve one charge point."""
    with suppress(websockets.ConnectionClosed):
        async for message in connection:
            await connection.send(json.dumps([3, json.loads(message)[1], {}]))


async def main() -> None:
    """Serve."""
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[2], sys.argv[3])
    async with websockets.serve(
        connected, "127.0.0.1", int(sys.argv[1]), subprotocols=["ocpp1.6"], ssl=tls
    ) as server:
        print("ready", flush=True)
        await server.serve_forever()


asyncio.run(main())
