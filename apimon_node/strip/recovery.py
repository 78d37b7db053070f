"""The recovery of a strip: when it is tried again after a failure, by the class of that. Pure.

Every failure gets a fresh start of the device at the next attempt (a fresh process, where there is one).
"""

from collections import Counter
from typing import NamedTuple

from apimon_node.errors import Failure
from apimon_node.timing import Backoff

FIRST, LIMIT, RESET = 1.0, 60.0, 60.0
"""Seconds: the first wait after a failure, the longest, and the health after which all begins anew."""

SELDOM = 300.0
"""Seconds between two attempts at what hardly mends itself. A process that is killed keeps its part of the GPU's
memory, at least 4 kB (C library's threads): in a day of this that is 1.2 MB at the most."""

HOPELESS = {Failure.OPEN: 10, Failure.CRASH: 10, Failure.HANG: 10, Failure.STICKY: 4, Failure.MEMORY: 2}
"""Failures of a class without a minute of health between them, after which only a restart of the Pi may help."""


class Retry(NamedTuple):
    """When (monotonic seconds) a strip is tried again, and whether the Pi has to be restarted for it, most likely."""

    at: float
    reboot: bool


class Recovery:
    """Counts failures, and says when to try again. All times are monotonic seconds."""

    def __init__(self) -> None:
        self._backoff = Backoff(FIRST, LIMIT, RESET)
        self._failures: Counter[Failure] = Counter()

    def failed(self, failure: Failure, now: float) -> Retry:
        """Note a failure at `now`; return what is to be done about it."""
        at = self._backoff.failed(now)
        if self.attempts == 1:
            self._failures.clear()
        self._failures[failure] += 1
        reboot = self._failures[failure] >= HOPELESS.get(failure, self.attempts + 1)
        if reboot or failure is Failure.PERMANENT:
            at = now + SELDOM
        elif failure is Failure.STICKY:
            at = now  # opened anew, it is well or it never will be
        return Retry(at, reboot)

    def succeeded(self, now: float) -> None:
        """Note that it worked at `now`."""
        self._backoff.succeeded(now)

    @property
    def attempts(self) -> int:
        """Failures since the strip was last well for a while."""
        return self._backoff.attempts
