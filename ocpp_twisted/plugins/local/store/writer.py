"""Runs jobs in the database: one thread, many jobs to a commit.

Imports SQLAlchemy, Twisted and the errors. What is here knows no table.

A job's Deferred fires after the commit of the transaction that it was part of. All jobs that wait
are put into one transaction: so one write to the disk serves many charge points. If that fails,
each of them is run again in a transaction of its own, so that a job that fails harms no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread
from time import perf_counter
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.measuring import Histogram

__all__ = ["Immediate", "Runner", "Writer"]

_log = Logger()
_P = ParamSpec("_P")
_T = TypeVar("_T")

#: How many jobs make one transaction at most, so that the first does not wait for too many.
_MOST_TOGETHER = 256
#: Seconds between attempts to reach a database that is lost.
_PAUSE = 1.0


class Runner(Protocol):
    """What runs jobs.

    :ivar healthy: whether the database can be written, as of the last attempt.
    :ivar commits: how long transactions took, in seconds.
    """

    healthy: bool
    commits: Histogram

    @property
    def waiting(self) -> int:
        """How many jobs wait to be run."""

    def run(
        self, job: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]:
        """Run a job in a transaction; fires with what it returns, after the commit.

        Its errback is `RecordsUnavailable` if the database cannot be reached, or what the job
        raised; nothing was changed then.
        """

    def stop(self) -> Deferred[None]:
        """Run what waits, and close the database."""


class Immediate:
    """Runs each job at once, in the caller's thread: for a database in memory."""

    healthy = True
    waiting = 0

    def __init__(self, engine: Engine) -> None:
        self.commits = Histogram()
        self._engine = engine

    def run(
        self, job: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]:
        """See `Runner.run`."""
        try:
            with self._engine.begin() as db:
                return succeed(job(db, *args, **kwargs))
        except Exception:
            return fail(Failure())

    def stop(self) -> Deferred[None]:
        """See `Runner.stop`."""
        self._engine.dispose()
        return succeed(None)


class _Job(NamedTuple):
    call: Callable[[Connection], Any]
    done: Deferred[Any]


#: A job and what came of it: what it returned, or a Failure.
_Outcome = tuple[_Job, Any]


class Writer:
    """Runs jobs in a thread of its own, as many together as wait.

    While the database is lost, jobs fail at once, and it is tried again every second.

    :param probe: a job to try with.
    :param most_waiting: how many jobs may wait; more of them fail at once.
    :param trouble: why the database cannot be reached yet; None if it can.
    """

    def __init__(
        self,
        engine: Engine,
        reactor: Any,
        probe: Callable[[Connection], None],
        most_waiting: int = 20_000,
        trouble: str | None = None,
    ) -> None:
        self.healthy = True
        self.commits = Histogram()
        self._engine = engine
        self._reactor = reactor
        self._probe = probe
        self._most_waiting = most_waiting
        self._overrun = False
        self._stopped: Deferred[None] = Deferred()
        # What the two threads share is touched under this only.
        self._lock = Condition()
        self._waiting: deque[_Job] = deque()
        self._lost = trouble is not None
        self._stopping = False
        self._told([], trouble)
        self._thread = Thread(target=self._work, name="ocpp records", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """See `Runner.waiting`."""
        return len(self._waiting)

    def run(
        self, job: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]:
        """See `Runner.run`."""
        if not self.healthy:
            return fail(RecordsUnavailable("the records cannot be reached now; try again later"))
        done: Deferred[_T] = Deferred()
        with self._lock:
            room = len(self._waiting) < self._most_waiting and not self._stopping
            if room:
                self._waiting.append(_Job(lambda db: job(db, *args, **kwargs), done))
                self._lock.notify()
        if not room:
            self._tell_overrun()
            return fail(RecordsUnavailable("too many changes of records wait; try again later"))
        return done

    def stop(self) -> Deferred[None]:
        """See `Runner.stop`."""
        with self._lock:
            self._stopping = True
            self._lock.notify()
        return self._stopped

    # -- in the reactor's thread --------------------------------------------------------------

    def _tell_overrun(self) -> None:
        if not self._overrun:
            self._overrun = True
            _log.error(
                "the records are too slow: {count} changes wait, and charge points are told to "
                "try again; is the disk or the database slow?",
                count=self._most_waiting,
            )

    def _told(self, outcomes: Sequence[_Outcome], trouble: str | None) -> None:
        if self.healthy and trouble is not None:
            _log.error(
                "the records cannot be reached: {trouble}. Charge points are told to try again, "
                "and so does this server, every second",
                trouble=trouble,
            )
        elif not self.healthy and trouble is None:
            _log.warn("the records can be reached again")
        self.healthy = trouble is None
        for job, outcome in outcomes:
            if isinstance(outcome, Failure):
                job.done.errback(outcome)
            else:
                job.done.callback(outcome)
        if self._overrun and not self._waiting:
            self._overrun = False

    def _ended(self) -> None:
        self._thread.join()
        self._engine.dispose()
        self._stopped.callback(None)

    # -- in the thread of its own -------------------------------------------------------------

    def _work(self) -> None:
        while (jobs := self._next()) is not None:
            outcomes, trouble = self._attempt(jobs)
            if trouble is not None:
                # Who waits behind these would only wait for the same.
                unavailable = Failure(
                    RecordsUnavailable(f"the records cannot be reached: {trouble}")
                )
                with self._lock:
                    outcomes += [(job, unavailable) for job in self._waiting]
                    self._waiting.clear()
            if outcomes or (trouble is not None) != self._lost:
                self._reactor.callFromThread(self._told, outcomes, trouble)
            self._lost = trouble is not None
        self._reactor.callFromThread(self._ended)

    def _next(self) -> Sequence[_Job] | None:
        """The jobs to do together; none of them to try whether the database is back."""
        with self._lock:
            if self._lost:
                self._lock.wait_for(lambda: self._stopping, _PAUSE)
            else:
                self._lock.wait_for(lambda: self._waiting or self._stopping)
            if self._stopping and not self._waiting:
                return None
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]

    def _attempt(self, jobs: Sequence[_Job]) -> tuple[list[_Outcome], str | None]:
        """What came of the jobs, and why the database cannot be reached if it cannot."""
        begun, reached = perf_counter(), False
        try:
            with self._engine.begin() as db:
                reached = True
                if not jobs:
                    self._probe(db)
                outcomes = [(job, job.call(db)) for job in jobs]
        except Exception as error:
            if not jobs:
                return [], _said(error)
            if not reached and _is_lost(error):  # to try each of them would take as long again
                lost = Failure(RecordsUnavailable(f"the records cannot be reached: {error}"))
                return [(job, lost) for job in jobs], _said(error)
            return self._one_by_one(jobs)
        self.commits.add(perf_counter() - begun)
        return outcomes, None

    def _one_by_one(self, jobs: Sequence[_Job]) -> tuple[list[_Outcome], str | None]:
        outcomes: list[_Outcome] = []
        for index, job in enumerate(jobs):
            try:
                with self._engine.begin() as db:
                    outcome = job.call(db)
            except Exception as error:
                if _is_lost(error):
                    lost = Failure(
                        RecordsUnavailable(f"the records cannot be reached: {_said(error)}")
                    )
                    outcomes += [(each, lost) for each in jobs[index:]]
                    return outcomes, _said(error)
                outcomes.append((job, Failure()))
            else:
                outcomes.append((job, outcome))
        return outcomes, None


def _is_lost(error: Exception) -> bool:
    """Whether the database is to blame, not the job."""
    if isinstance(error, DataError | IntegrityError | NotSupportedError | ProgrammingError):
        return False
    if str(getattr(getattr(error, "orig", None), "sqlstate", "")).startswith("40"):
        return False  # PostgreSQL: it collided with another process
    return isinstance(error, DatabaseError | InterfaceError | PoolTimeout | OSError)


def _said(error: Exception) -> str:
    cause = error.orig if isinstance(error, DatabaseError | InterfaceError) else error
    return " ".join(str(cause).split())
