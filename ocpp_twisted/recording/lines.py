"""The form of a recording: JSON Lines, one thing that happened in each.

Imports msgspec and its neighbour `settings`. A line of a CALL that a charge point sent::

    {"time":"2026-01-02T03:04:05.678Z","event":"in","connection":7,"charge_point":"CP1",
     "version":"1.6","frame":[2,"19","Heartbeat",{}]}

(written without the line break). Fields that have nothing to tell are left out. Readers should
pass over events and fields that they do not know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ocpp_twisted.recording.settings import RecordedSettings

__all__ = ["Line", "NotALine", "encode", "read", "timestamp"]


class NotALine(ValueError):
    """Text that is no line of a recording, for example the half of one."""


class Line(Struct, omit_defaults=True, gc=False, kw_only=True):
    """One line.

    :ivar time: when, by the server's clock: RFC 3339 in UTC, with milliseconds.
    :ivar event: ``start``: a server begins to record; connections of an earlier one have ended.
        ``settings``: those that the server has from here on; also at the top of each later file.
        ``online``: a charge point has connected. ``in``: it has sent a message. ``out``: a
        message is sent to it. ``close``: the server closes the connection. ``offline``: the
        connection has ended. ``gap``: lines are missing here.
    :ivar connection: the connection's number, counted from the start.
    :ivar charge_point: the charge point's id.
    :ivar name: the name under which it connected, if its URL has one.
    :ivar version: the OCPP version of the connection, for example ``2.0.1``.
    :ivar peer: online: where it connects from.
    :ivar frame: in, out: the message if it is JSON: as it came, or, if there was anything that
        might have to be hidden, written anew.
    :ivar text: in, out: the message if it is not JSON, but text.
    :ivar base64: in, out: the message if it is not even that.
    :ivar withheld: in, out: the length, in bytes, of a message that cannot be written, since
        there may be a secret in what is not readable.
    :ivar code: close: the WebSocket close code.
    :ivar reason: close, offline: why.
    :ivar lost: gap: how many lines are missing; 0 if that is not known.
    :ivar settings: settings: them.
    """

    time: str
    event: Literal["settings", "start", "online", "in", "out", "close", "offline", "gap"]
    connection: int = 0
    charge_point: str = ""
    name: str = ""
    version: str = ""
    peer: str = ""
    frame: Raw | UnsetType = UNSET
    text: str | UnsetType = UNSET
    base64: bytes | UnsetType = UNSET
    withheld: int | UnsetType = UNSET
    code: int = 0
    reason: str = ""
    lost: int = 0
    settings: RecordedSettings | None = None

    @property
    def message(self) -> bytes | None:
        """The message as it was on the wire, but for what is hidden; None if it is not told."""
        if self.frame is not UNSET:
            return bytes(self.frame)
        if self.text is not UNSET:
            return self.text.encode()
        return None if self.base64 is UNSET else self.base64

    @property
    def seconds(self) -> float:
        """The time in seconds since 1970."""
        return datetime.fromisoformat(self.time).timestamp()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


def encode(line: Line) -> bytes:
    """The line as it stands in a file, its end included."""
    return _encode(line) + b"\n"


def read(data: bytes | str) -> Line:
    """A line of a file.

    :raises NotALine: if it is none.
    """
    try:
        line = _decode(data)
        line.seconds  # noqa: B018 - it has to be a time
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotALine(str(error)) from error
    return line


def timestamp(seconds: float) -> str:
    """Seconds since 1970, as a line tells the time."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
