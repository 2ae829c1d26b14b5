"""A recording on disk: JSON Lines in a file that is rotated, so that it never grows too large.

Imports Twisted, the errors, `writable` and its neighbours. Lines wait up to a second, and not
more than 64 KiB of them, and are then written at once, in the reactor's thread. That is a copy
into the operating system's memory: use a local disk. A process that is killed loses those that
wait; what the operating system has not put on the disk yet is lost if the machine stops.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.logfile import LogFile

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.identity import Identity
from ocpp_twisted.recording.lines import Line, encode, timestamp
from ocpp_twisted.recording.settings import RecordedSettings
from ocpp_twisted.writable import obstacle

__all__ = ["Recording", "RecordingFile", "check_recording"]

_log = Logger()
#: Seconds that a line may wait.
_LATEST = 1.0
#: Bytes that may wait.
_MOST_BYTES = 65536
#: Seconds after which a file that could not be written is tried again.
_TRY_AGAIN = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is recorded, and where.

    :ivar path: the file. Those before it are beside it: ``FILE.1`` is the newest of them.
    :ivar charge_points: patterns of charge point ids, as the shell has them (``DEPOT-*``); all
        charge points if there is none.
    :ivar size: bytes that a file may have, 1024 or more. A ``gap`` line stands for a longer one.
    :ivar files: how many files are kept beside the one that is written; 1 or more.
    :ivar hide_id_tokens: whether id tokens are replaced by pseudonyms.
    """

    path: Path
    charge_points: Sequence[str] = ()
    size: int = 10 * 1024 * 1024
    files: int = 9
    hide_id_tokens: bool = False

    def chooses(self, identity: Identity) -> bool:
        """Whether a charge point is recorded."""
        return not self.charge_points or any(
            fnmatchcase(identity.id, pattern) for pattern in self.charge_points
        )


class RecordingFile:
    """Writes lines, from `start` to `stop`.

    A file that cannot be written is no reason not to serve: it is logged once and tried again;
    the lines that are lost meanwhile are counted, and a ``gap`` line tells how many they were.

    :param clock: tells when lines have waited long enough.
    :param now: seconds since 1970.
    :param settings: those of the server. They are written at the start, and again at the top of
        each further file, for who has that one only.
    """

    def __init__(
        self,
        recording: Recording,
        clock: IReactorTime,
        now: Callable[[], float] = time.time,
        settings: RecordedSettings | None = None,
    ) -> None:
        self._recording = recording
        self._settings = settings
        self._clock = clock
        self._now = now
        self._most = recording.size - len(self._head())  # of one line
        self._lock: int | None = None
        self._file: Any = None
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._timer: IDelayedCall | None = None
        #: How many lines have been lost since the file could not be written; None if it can.
        self._lost: int | None = None

    def start(self) -> None:
        """Open the file, and write that a recording begins.

        :raises ConfigurationError: if it cannot be opened, or another process writes it.
        """
        path = self._recording.path
        check_recording(self._recording)
        try:
            self._lock = _locked(path)
            self._file = self._opened()
            start = encode(Line(time=timestamp(self._now()), event="start"))
            self._put(start, with_settings=True)
        except OSError as error:
            self._close()
            reason = error.strerror or error
            if isinstance(error, BlockingIOError):
                reason = "another process records into it; give each process a file of its own"
            raise _unusable(path, reason) from error

    def stop(self) -> None:
        """Write what waits, and close the file; does nothing if it is not open."""
        if self._lock is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lost is None:
            self._flush()
        else:
            self._try_again()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close()

    def write(self, line: Line) -> None:
        """Take a line; a `ocpp_twisted.recording.tap.Sink`."""
        if self._lost is not None:
            self._lost += 1
            return
        data = encode(line)
        if len(data) > self._most:
            data = encode(Line(time=line.time, event="gap", lost=1))
        self._waiting.append(data)
        self._bytes += len(data)
        if self._bytes >= _MOST_BYTES:
            self._flush()
        elif self._timer is None:
            self._timer = self._clock.callLater(_LATEST, self._flush)

    def _flush(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if not waiting:
            return
        written = 0
        try:
            for part in self._parts(waiting):
                self._put(b"".join(part))
                written += len(part)
        except OSError as error:
            self._lost = len(waiting) - written
            _log.error(
                "cannot write the recording {path}: {reason}; lines are lost until it can be "
                "written again",
                path=str(self._recording.path),
                reason=str(error),
            )
            self._close_file()
            self._timer = self._clock.callLater(_TRY_AGAIN, self._try_again)

    def _try_again(self) -> None:
        self._timer = None
        lost = self._lost or 0
        try:
            self._file = self._opened()
            self._put(encode(Line(time=timestamp(self._now()), event="gap", lost=lost)))
        except OSError:
            self._close_file()
            self._timer = self._clock.callLater(_TRY_AGAIN, self._try_again)
            return
        self._lost = None
        _log.warn(
            "the recording {path} is written again; {lost} lines are lost",
            path=str(self._recording.path),
            lost=lost,
        )

    def _opened(self) -> Any:
        file = LogFile.fromFullPath(
            str(self._recording.path),
            rotateLength=None,  # it would look before it writes, and let the file grow too long
            defaultMode=0o600,
            maxRotatedFiles=self._recording.files,
        )
        if file.size and not _ends_with_line(self._recording.path):
            file.write(b"\n")  # what a crash has left is a line of its own
        return file

    def _head(self) -> bytes:
        """What each file begins with: the settings, if they are known, and leave room for more."""
        if self._settings is None:
            return b""
        time = timestamp(self._now())
        head = encode(Line(time=time, event="settings", settings=self._settings))
        return head if len(head) <= self._recording.size // 2 else b""

    def _parts(self, lines: Iterable[bytes]) -> Iterator[list[bytes]]:
        """The lines, so divided that each part but the first begins a file."""
        part: list[bytes] = []
        room = self._recording.size - self._file.size
        for line in lines:
            if len(line) > room:
                if part:
                    yield part
                part, room = [], self._most
            part.append(line)
            room -= len(line)
        yield part

    def _put(self, data: bytes, with_settings: bool = False) -> None:
        """Write all of it, or nothing.

        :raises OSError: if it cannot be written.
        """
        file, path = self._file, self._recording.path
        if file.size and file.size + len(data) > self._recording.size:
            file.rotate()
            if file.size:  # LogFile goes on in silence
                raise OSError(errno.EACCES, "it cannot be rotated: see who may write the directory")
        if with_settings or not file.size:
            data = self._head() + data
        before = file.size
        file.write(data)
        written = path.stat().st_size  # a full disk takes a part; who cleans up takes the file away
        if written != file.size:
            with suppress(OSError):
                os.truncate(path, before)
            raise OSError(errno.ENOSPC, f"{written - before} of {len(data)} bytes are written")

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError, ValueError):  # a failed rotation has closed it
                file.close()

    def _close(self) -> None:
        self._close_file()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def check_recording(recording: Recording) -> None:
    """See whether the file could be written; nothing is made.

    :raises ConfigurationError: if it could not.
    """
    if reason := obstacle(recording.path):
        raise _unusable(recording.path, reason)


def _unusable(path: Path, reason: object) -> ConfigurationError:
    return ConfigurationError(f"cannot record into {path}: {reason}")


def _locked(path: Path) -> int:
    """A descriptor that holds the lock of a recording, in a file that is not rotated.

    :raises OSError: BlockingIOError if another process holds it.
    """
    descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _ends_with_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
