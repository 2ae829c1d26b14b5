"""TLS whose files may change while it is used.

Imports the contexts and Twisted's names. Changed files are found by looking at them now and then,
which also sees links that are turned to other files (certbot, Kubernetes).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.websocket.certificates import TLSFiles, load_tls
from ocpp_twisted.websocket.tls import ServerTLS

__all__ = ["ReloadedTLS"]

_log = Logger()

#: Seconds between two looks at the files.
_INTERVAL = 10.0
_DAY = 86400.0
#: Days to the end of a certificate from which on it is told daily.
_SOON = 30


class ReloadedTLS:
    """The TLS of a server's listeners, from files that are read again when they change.

    :param clock: for the looks at the files.
    :param now: the time, in seconds since 1970.
    :raises ConfigurationError: if a file cannot be read or used.
    """

    def __init__(
        self, files: TLSFiles, clock: IReactorTime, now: Callable[[], float] = time.time
    ) -> None:
        self._files = files
        self._clock = clock
        self._now = now
        self._listeners: list[ServerTLS] = []
        self._seen = self._look()  # before they are read: what changes meanwhile is read again
        self._loaded = load_tls(files)
        self._looking = LoopingCall(self._tick)
        self._looking.clock = clock
        self._told = 0.0

    @property
    def certificates_end(self) -> Mapping[Path, datetime]:
        """When each certificate ends; in a file of CAs, the first of them."""
        return self._loaded.certificates_end

    @property
    def crls_end(self) -> Mapping[Path, datetime]:
        """When the next CRL is due."""
        return self._loaded.crls_end

    def listener(self, *, client_certificates: bool = False, legacy: bool = False) -> ServerTLS:
        """The TLS for one more listener, which will always use the newest files.

        :raises ConfigurationError: as `ServerTLS`.
        """
        made = ServerTLS(self._loaded, client_certificates=client_certificates, legacy=legacy)
        if legacy:
            _log.warn(
                "a listener takes TLS 1.0 and 1.1, which can be broken into: it is for old charge "
                "points only (--wss-legacy)"
            )
            if not made.speaks_tls_1_0():
                _log.warn(
                    "the OpenSSL of this machine does not speak TLS 1.0, whatever --wss-legacy "
                    "says: see MinProtocol in openssl.cnf, or use a build that has it"
                )
        self._listeners.append(made)
        return made

    def start(self) -> None:
        """Look at the files from now on, and warn of what ends soon."""
        self._tell_ends()
        self._looking.start(_INTERVAL, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._looking.running:
            self._looking.stop()

    def reload(self) -> bool:
        """Read the files again: all are used from the next handshake on, or none.

        :returns: whether they are used. Otherwise an error is logged, and the old ones stay.
        """
        self._seen = self._look()
        try:
            loaded = load_tls(self._files)
            prepared = [listener.prepare(loaded) for listener in self._listeners]
        except ConfigurationError as error:
            _log.error("TLS goes on with its old files: {reason}", reason=str(error))
            return False
        except Exception:  # whatever a broken file does, the listeners and the looks go on
            _log.failure("TLS goes on with its old files: the new ones cannot be used")
            return False
        for listener, contexts in zip(self._listeners, prepared, strict=True):
            listener.take(contexts)
        self._loaded = loaded
        _log.info("TLS uses its files as they are now")
        self._tell_ends()
        return True

    def _tick(self) -> None:
        if self._look() != self._seen:
            self.reload()
        elif self._clock.seconds() - self._told >= _DAY:
            self._tell_ends()

    def _look(self) -> list[tuple[int, ...] | None]:
        """What differs when a file does; None for one that is not there."""
        return [_print_of(path) for path in self._files.all]

    def _tell_ends(self) -> None:
        self._told = self._clock.seconds()
        for path, ends in self.certificates_end.items():
            days = (ends.timestamp() - self._now()) / _DAY
            if days < 0:
                _log.warn("a certificate in {path} has ended: replace it", path=str(path))
            elif days < _SOON:
                _log.warn(
                    "a certificate in {path} ends in {days} days: replace it",
                    path=str(path),
                    days=int(days),
                )
        for path, ends in self.crls_end.items():
            if ends.timestamp() < self._now():
                _log.warn(
                    "the CRL {path} is out of date since {ends}: what it revokes stays revoked, "
                    "but newer revocations are unknown; fetch a new one",
                    path=str(path),
                    ends=ends.isoformat(),
                )


def _print_of(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
