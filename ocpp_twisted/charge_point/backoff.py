"""How long a charge point waits before it connects again. Imports nothing of the package.

Source: OCPP 2.1 part 4, section 5.4 and chapter 8; 1.6 names no rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Times that double, with a random part, so that not all charge points come back at once.

    :ivar wait_minimum: seconds before the first attempt (RetryBackOffWaitMinimum).
    :ivar repeat_times: how often they are doubled (RetryBackOffRepeatTimes).
    :ivar random_range: seconds that chance adds, at most (RetryBackOffRandomRange).
    """

    wait_minimum: float = 5.0
    repeat_times: int = 5
    random_range: float = 10.0

    def seconds(self, waits: int, random: Random) -> float:
        """Seconds to wait.

        :param waits: how often it has waited since there was a connection.
        """
        doubled: float = self.wait_minimum * 2 ** min(waits, self.repeat_times)
        return doubled + random.uniform(0.0, self.random_range)
