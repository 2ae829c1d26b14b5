"""The floor: picows and msgspec with our messages and no framework at all."""

from __future__ import annotations

import asyncio
import ssl
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from ocpp_twisted import v16

_frame = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_HANDLERS: dict[str, tuple[Any, Any]] = {
    "Heartbeat": (
        msgspec.json.Decoder(v16.HeartbeatRequest).decode,
        lambda request: v16.HeartbeatResponse(currentTime=datetime.now(UTC)),
    ),
    "MeterValues": (
        msgspec.json.Decoder(v16.MeterValuesRequest).decode,
        lambda request: v16.MeterValuesResponse(),
    ),
    "StatusNotification": (
        msgspec.json.Decoder(v16.StatusNotificationRequest).decode,
        lambda request: v16.StatusNotificationResponse(),
    ),
}


class Floor(WSListener):  # type: ignore[misc]
    """Decodes, validates, answers."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        _, message_id, action, payload = _frame(frame.get_payload_as_bytes())
        decode, handle = _HANDLERS[action]
        transport.send(WSMsgType.TEXT, _encode((3, message_id, handle(decode(payload)))))


async def main() -> None:
    """Serve."""
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[2], sys.argv[3])
    server = await ws_create_server(lambda request: Floor(), "127.0.0.1", int(sys.argv[1]), ssl=tls)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
