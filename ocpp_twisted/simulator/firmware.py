"""How files come and go, step by step: a firmware update, and the upload of a log.

Imports Twisted's names only. Source: OCPP 1.6 sections 5.9 and 5.19 with errata 3.47 to 3.50, the
1.6 security whitepaper L01 and N01; OCPP 2.x use cases L01, L02 and N01. The words are those of the
security whitepaper, which 2.x shares; a version that has no word for a step does not tell it.
Nothing is fetched and nothing is sent: a charge point that is simulated asks nobody for a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["FirmwareOrder", "FirmwareUpdate", "Installs", "Upload", "name_in"]

#: Seconds that a step takes, at least and at most.
_DOWNLOAD = (5.0, 20.0)
_VERIFICATION = (1.0, 2.0)
_INSTALLATION = (10.0, 30.0)
_UPLOAD = (3.0, 10.0)
#: Seconds between two attempts, if the central system leaves that to the charge point.
_RETRY_INTERVAL = 30.0


def name_in(location: str) -> str:
    """The last part of a URL's path; empty if there is none."""
    path = location.partition("://")[2].partition("?")[0].partition("/")[2]
    return path.rpartition("/")[2]


class Installs(Protocol):
    """What a firmware update wants of the charge point."""

    def tell(self, status: str) -> None:
        """A step is reached: the wire's word for it."""

    def idle(self) -> bool:
        """Whether no transaction is running."""

    def block(self, blocked: bool) -> None:
        """Let nobody begin to charge, or let them again."""

    def reboot(self, location: str) -> Deferred[None]:
        """Start the new firmware; fires when the central system has accepted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareOrder:
    """What the central system wants installed.

    :ivar location: where it would be fetched.
    :ivar retrieve_in: seconds until it may be.
    :ivar install_in: seconds until it may be installed; None for as soon as it can be.
    :ivar attempts: how often it is tried.
    :ivar retry_interval: seconds between two of them; None for a time of our own.
    :ivar signed: whether there is a signature to verify.
    :ivar failing: what goes wrong: ``DownloadFailed``, ``InvalidSignature``,
        ``InstallVerificationFailed`` or ``InstallationFailed``; empty for nothing.
    """

    location: str
    retrieve_in: float = 0.0
    install_in: float | None = None
    attempts: int = 1
    retry_interval: float | None = None
    signed: bool = False
    failing: str = ""


class _Steps:
    """One thing after the other, on a timer."""

    def __init__(self, clock: IReactorTime, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._timer: IDelayedCall | None = None

    def cancel(self) -> None:
        """Go no further."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        self._timer = self._clock.callLater(max(seconds, 0.0), self._go, step)

    def _taking(self, bounds: tuple[float, float], step: Callable[[], None]) -> None:
        self._after(self._random.uniform(*bounds), step)

    def _go(self, step: Callable[[], None]) -> None:
        self._timer = None
        step()


class FirmwareUpdate(_Steps):
    """An update, from the order to the reboot::

        DownloadScheduled? Downloading Downloaded SignatureVerified? InstallScheduled?
        (no transaction any more) Installing InstallRebooting (reboot) Installed

    or a word that ends it on the way. With a question mark: only where there is something to wait
    for, or to verify.

    :ivar status: the last word; empty before the first.
    :ivar over: whether nothing more will come of it.
    """

    def __init__(
        self, order: FirmwareOrder, station: Installs, clock: IReactorTime, random: Random
    ) -> None:
        super().__init__(clock, random)
        self.order = order
        self.status = ""
        self.over = False
        self._station = station
        self._waits = False
        self._attempts = 0
        self._ordered_at = clock.seconds()

    def start(self) -> None:
        """Begin, when it may."""
        if self.order.retrieve_in > 0:
            self._tell("DownloadScheduled")
        self._after(self.order.retrieve_in, self._download)

    def cancel(self) -> None:
        """Another order has come."""
        super().cancel()
        self._end()

    def transaction_ended(self) -> None:
        """Perhaps it was the last, for which the installation waits."""
        if self._waits and self._station.idle():
            self._waits = False
            self._after(0.0, self._install)

    def _download(self) -> None:
        if not self._attempts:
            self._tell("Downloading")
        self._attempts += 1
        self._taking(_DOWNLOAD, self._downloaded)

    def _downloaded(self) -> None:
        order = self.order
        if order.failing == "DownloadFailed":
            if self._attempts >= order.attempts:
                self._fail(order.failing)
            else:
                seconds = order.retry_interval
                self._after(_RETRY_INTERVAL if seconds is None else seconds, self._download)
            return
        self._tell("Downloaded")
        if order.signed:
            self._taking(_VERIFICATION, self._verified)
        else:
            self._schedule()

    def _verified(self) -> None:
        if self.order.failing == "InvalidSignature":
            self._fail(self.order.failing)
            return
        self._tell("SignatureVerified")
        self._schedule()

    def _schedule(self) -> None:
        wanted = self.order.install_in
        seconds = 0.0 if wanted is None else self._ordered_at + wanted - self._clock.seconds()
        if seconds > 0:
            self._tell("InstallScheduled")
        self._after(seconds, self._await_idle)

    def _await_idle(self) -> None:
        # L01.FR.06 and 07: nobody is thrown out, and nobody else comes in.
        self._station.block(True)
        if self._station.idle():
            self._install()
        else:
            self._waits = True

    def _install(self) -> None:
        if self.order.failing == "InstallVerificationFailed":
            self._fail(self.order.failing)
            return
        self._tell("Installing")
        self._taking(_INSTALLATION, self._installed)

    def _installed(self) -> None:
        if self.order.failing == "InstallationFailed":
            self._fail(self.order.failing)
            return
        self._tell("InstallRebooting")
        self._station.reboot(self.order.location).addCallbacks(self._runs, lambda failure: None)

    def _runs(self, result: None) -> None:
        if not self.over:
            self._tell("Installed")
            self._end()

    def _fail(self, status: str) -> None:
        self._tell(status)
        self._end()

    def _end(self) -> None:
        if not self.over:
            self.over = True
            self._waits = False
            self._station.block(False)

    def _tell(self, status: str) -> None:
        self.status = status
        self._station.tell(status)


class Upload(_Steps):
    """The upload of a file: ``Uploading``, then ``Uploaded`` or the word for what went wrong.

    :param tell: is called with each word.
    :param failing: how every attempt ends; empty for well.
    :ivar status: the last word; empty before the first.
    :ivar over: whether nothing more will come of it.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        clock: IReactorTime,
        random: Random,
        attempts: int = 1,
        retry_interval: float | None = None,
        failing: str = "",
    ) -> None:
        super().__init__(clock, random)
        self.status = ""
        self._told = tell
        self._left = attempts
        self._retry_interval = _RETRY_INTERVAL if retry_interval is None else retry_interval
        self._failing = failing

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status != "" and self._timer is None

    def start(self) -> None:
        """Begin."""
        self._tell("Uploading")
        self._attempt()

    def _attempt(self) -> None:
        self._left -= 1
        self._taking(_UPLOAD, self._done)

    def _done(self) -> None:
        if self._failing and self._left > 0:
            self._after(self._retry_interval, self._attempt)
        else:
            self._tell(self._failing or "Uploaded")

    def _tell(self, status: str) -> None:
        self.status = status
        self._told(status)
