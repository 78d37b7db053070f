"""What the threads of a client share: a value that one of them fetches for all, and that holds for a while."""

import math
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from apimon_node.errors import JiraError

T = TypeVar("T")


class Shared(Generic[T]):
    """A value that is fetched when it is first needed, and again when its time is over.

    `fetch` gives it, and for how many seconds it holds. Threads that come while one fetches wait, and get what that
    one got, be it an error: ten threads do not wait for ten time-outs, one after the other.
    """

    def __init__(self, fetch: Callable[[], tuple[T, float]], now: Callable[[], float]) -> None:
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._value: T | None = None
        self._until = -math.inf
        self._failures = 0
        self._failed: Callable[[], JiraError] | None = None

    def get(self, instead_of: T | None = None) -> T:
        """Return the value, fetched anew if it still is the one that proved wrong. Blocks; raises JiraError."""
        failures = self._failures
        with self._lock:
            if self._value is not None and self._now() < self._until and self._value != instead_of:
                return self._value
            if self._failed is not None and self._failures != failures:
                raise self._failed()
            return self._renew()

    def forget(self) -> None:
        """Invalidate the value. A fetch under way is not waited for, and its value counts as a new one."""
        self._until = -math.inf

    def _renew(self) -> T:
        began = self._now()
        self._value = None
        try:
            self._value, seconds = self._fetch()
        except JiraError as error:
            self._failures += 1
            self._failed = _again(error)
            raise
        self._until = began + seconds
        return self._value


def _again(error: JiraError) -> Callable[[], JiraError]:
    """Make what makes the same error anew. The error itself holds on to a stack, and so to secrets."""
    state, text, retry_after = error.state, str(error), error.retry_after
    everywhere, held = error.everywhere, error.held
    return lambda: JiraError(state, text, retry_after, everywhere=everywhere, held=held)
