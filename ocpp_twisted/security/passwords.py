"""Passwords kept as salted scrypt hashes, made and checked off the reactor's thread.

Imports Twisted's Deferreds and threads, and what a refusal is. Sources: OCPP 1.6 security
whitepaper, A01.FR.08; RFC 7914 (scrypt). A hash is a text, ``scrypt$ln=12,r=8,p=1$SALT$HASH``,
salt and hash in base64; the cost stands in it, so that hashes of another cost can be checked, too.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from hashlib import blake2b, scrypt
from hmac import compare_digest
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.threadpool import ThreadPool

from ocpp_twisted.security.handshake import Refused

__all__ = ["NOBODYS", "RETRY_LATER", "Passwords", "Workers", "hashed", "matches"]

_T = TypeVar("_T")

#: The cost of a new hash: 2**12 rounds, 4 MiB, about 10 ms of one core. That is little for the
#: passwords of people (OWASP: 2**17, 0.4 s). AuthorizationKeys are random by the specification, at
#: least 16 bytes (A00.FR.205, A01.FR.07): nobody finds one by trying, whatever a try costs. But
#: when the server starts again all charge points come at once: 5,000 of them take two cores half a
#: minute with 2**12, and a quarter of an hour with 2**17.
_LN, _R, _P = 12, 8, 1
#: The most that a hash from elsewhere may cost: 64 MiB, and the time of 16 times that of ours.
_MOST_MEMORY = 64 * 1024 * 1024
_MOST_ROUNDS = 16 << 12
#: Jobs for each thread of which one may say that they are many: a quarter of a second.
_MANY_FOR_A_THREAD = 25
#: Headers of an answer with 503.
RETRY_LATER = (("Retry-After", "10"),)
_TEXT = re.compile(r"scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([^$]+)\$([^$]+)", re.ASCII)
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")


class _Hash(NamedTuple):
    ln: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    def of(self, secret: bytes) -> bytes:
        return scrypt(
            secret,
            salt=self.salt,
            n=1 << self.ln,
            r=self.r,
            p=self.p,
            maxmem=2 * _MOST_MEMORY,
            dklen=len(self.hash),
        )

    def __str__(self) -> str:
        salt, digest = (b64encode(each).decode() for each in (self.salt, self.hash))
        return f"scrypt$ln={self.ln},r={self.r},p={self.p}${salt}${digest}"


@lru_cache(maxsize=64)
def _read(text: str) -> _Hash:
    found = _TEXT.fullmatch(text)
    if found is not None:
        ln, r, p = (int(found[each]) for each in (1, 2, 3))
        memory = 128 * r << ln
        if ln and r and p and memory <= _MOST_MEMORY and r * p << ln <= _MOST_ROUNDS * _R:
            return _Hash(ln, r, p, b64decode(found[4]), b64decode(found[5]))
    raise ValueError("the hash of a password is not one that can be checked here")


def _secret(password: bytes) -> bytes:
    """What a password means: hexadecimal digits are the bytes for which they stand.

    In 1.6 an AuthorizationKey is told as hexadecimal digits, and the charge point is to send the
    bytes (OCPP-J 1.6 section 6.2); some send the digits. So both are the same password here.
    """
    return bytes.fromhex(password.decode()) if _HEX.fullmatch(password) else password


def hashed(password: bytes) -> str:
    """The hash of a password; takes some milliseconds."""
    made = _Hash(_LN, _R, _P, secrets.token_bytes(16), bytes(32))
    return str(made._replace(hash=made.of(_secret(password))))


def matches(password: bytes, known: str) -> bool:
    """Whether a password is the one of a hash; takes some milliseconds, the same for either answer.

    :raises ValueError: if the hash cannot be read, or costs too much.
    """
    hash_ = _read(known)
    return compare_digest(hash_.of(_secret(password)), hash_.hash)


#: The hash of no password: to check one against it takes the usual time.
NOBODYS = str(_Hash(_LN, _R, _P, secrets.token_bytes(16), secrets.token_bytes(32)))


class _Worker(Thread):
    """A thread that yields to the reactor's where there are not cores enough for all.

    With two of them on two cores that had other work, that halved the reactor's delays: of a
    hundred turns, the slowest came 5 ms late instead of 10.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        # A process that forgets to stop them ends all the same.
        super().__init__(*arguments, **more, daemon=True)

    def run(self) -> None:
        if sys.platform == "linux":  # elsewhere it would be the priority of the whole process
            with suppress(OSError):
                os.nice(10)  # of this thread only; one that is low already stays so
        super().run()


class Workers:
    """Runs jobs in a few threads of their own, those that wait in lines that are bounded together.

    Each for whom jobs wait has a line, and they take turns. If too many wait, the newest job of
    the longest line is refused: who sends wrong passwords without end keeps others from nothing.

    :param reactor: whose thread calls `run`, and hears what came of it.
    :param threads: how many; by default as many as there are cores, and two at least.
    :param most_waiting: how many jobs may wait; more are refused. 1,000 checks of passwords take
        two cores some 5 seconds, and a handshake has 20.
    """

    def __init__(self, reactor: Any, threads: int = 0, most_waiting: int = 1000) -> None:
        self._reactor = reactor
        self._threads = threads or max(2, os.cpu_count() or 2)
        self._most_waiting = most_waiting
        self._pool: ThreadPool | None = None
        self._running = 0
        self._waiting = 0
        #: The first line has the next turn; each is in the order in which they came.
        self._lines: OrderedDict[str | None, dict[Deferred[Any], Callable[[], Any]]] = OrderedDict()

    def run(self, job: Callable[[], _T], whose: str | None = None) -> Deferred[_T]:
        """Run a job in a thread.

        :param whose: the address for which it is done; None for ourselves, who are refused only
            if nobody has a longer line.
        :returns: a Deferred that fires with what the job returns. If it is cancelled while the job
            waits, that never runs. Its errback is `Refused` with 503 if too many wait.
        """
        done: Deferred[_T] = Deferred(partial(self._leave, whose))
        self._lines.setdefault(whose, {})[done] = job
        self._waiting += 1
        self._next()
        if self._waiting > self._most_waiting:
            self._refuse_one()
        return done

    @property
    def busy(self) -> bool:
        """Whether those that wait keep the threads occupied for a while."""
        return self._waiting >= _MANY_FOR_A_THREAD * self._threads

    def _refuse_one(self) -> None:
        whose, line = max(
            reversed(self._lines.items()), key=lambda each: (len(each[1]), each[0] is not None)
        )
        newest = next(reversed(line))
        self._leave(whose, newest)
        text = "too many charge points come in now: try again later"
        newest.errback(Refused(503, text, RETRY_LATER))

    def _leave(self, whose: str | None, done: Deferred[Any]) -> None:
        line = self._lines.get(whose, {})
        if line.pop(done, None) is not None:  # else it is running
            self._waiting -= 1
            if not line:
                del self._lines[whose]

    def stop(self) -> None:
        """End the threads; what waits is cancelled."""
        for done in [done for line in self._lines.values() for done in line]:
            done.cancel()
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    def _next(self) -> None:
        while self._lines and self._running < self._threads:
            if self._pool is None:
                self._pool = ThreadPool(0, self._threads, "ocpp passwords")
                self._pool.threadFactory = _Worker
                self._pool.start()
            whose, line = next(iter(self._lines.items()))
            done, job = next(iter(line.items()))
            self._lines.move_to_end(whose)
            self._leave(whose, done)
            self._running += 1
            self._pool.callInThreadWithCallback(
                partial(self._reactor.callFromThread, self._over, done), job
            )

    def _over(self, done: Deferred[Any], succeeded: bool, outcome: Any) -> None:
        self._running -= 1
        if not done.called:  # else it was cancelled
            done.callback(outcome)  # a Failure goes the other way
        self._next()


def _at_once(job: Callable[[], _T], whose: str | None) -> Deferred[_T]:
    return maybeDeferred(job)


class Passwords:
    """Makes and checks the hashes of passwords.

    That a password fits a hash is remembered, so that a charge point that comes back costs
    nothing: under the hash, and under a digest of the password with a key that this process alone
    has. A hash that is replaced is never found again, and no password is kept.

    :param run: runs a job somewhere, for whom it is told, and fires with what it returns:
        `Workers.run`; by default it is run at once, and everybody waits for it.
    :param most_remembered: how many fits are remembered; those that were not asked for longest go
        first. Each takes some 300 bytes.
    """

    def __init__(
        self,
        run: Callable[[Callable[[], str], str | None], Deferred[str]] = _at_once,
        most_remembered: int = 20_000,
    ) -> None:
        self._run = run
        self._most_remembered = most_remembered
        self._key = secrets.token_bytes(32)
        self._fitted: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def hashed(self, password: bytes) -> Deferred[str]:
        """Fires with the hash of a password."""
        return self._run(lambda: hashed(password), None)

    def fitting(
        self, password: bytes, hashes: Sequence[str], whose: str | None = None
    ) -> Deferred[str]:
        """Find to which of these hashes a password belongs.

        :param whose: the address from which it has come; None if we ask ourselves.
        :returns: a Deferred that fires with the hash, or with the empty text if there is none.
        """
        digest = blake2b(_secret(password), key=self._key, digest_size=32).digest()
        for known in hashes:
            if (known, digest) in self._fitted:
                self._fitted.move_to_end((known, digest))
                return succeed(known)

        def remember(found: str) -> str:
            if found:
                self._fitted[found, digest] = None
                if len(self._fitted) > self._most_remembered:
                    self._fitted.popitem(last=False)
            return found

        return self._run(
            lambda: next((known for known in hashes if matches(password, known)), ""), whose
        ).addCallback(remember)
