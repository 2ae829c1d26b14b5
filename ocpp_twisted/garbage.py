"""Python's garbage collector, set for a process that keeps many connections.

Imports nothing of the library. A connection that ends leaves no cycles, so there is little for
the collector to find, and much to look through: each full collection stops the process for a
time that grows with the connections (docs/performance.md).
"""

from __future__ import annotations

import gc

__all__ = ["settle"]

#: New objects until a young collection (Python's own: 700), young ones until a middle one, and
#: middle ones until a full one.
_THRESHOLDS = 10_000, 20, 50


def settle() -> None:
    """Leave what exists now out of all later collections, and collect less often.

    For the whole process, therefore for programs to decide: ``twistd ocpp`` calls it when all has
    started.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
