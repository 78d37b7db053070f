"""The memo: what was worked out last time, for as long as what it came from has not changed. Pure."""

from collections.abc import Callable, Hashable
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Memo:
    """Remembers results by name, with what they came from. What is not asked for in a turn is forgotten.

    What is the same object is equal at no cost; parts that are worked out of each other's results so stay the same.
    """

    def __init__(self) -> None:
        self._before: dict[Hashable, tuple[object, object]] = {}
        self._now: dict[Hashable, tuple[object, object]] = {}

    def of(self, name: Hashable, work: Callable[[*Ts], T], *inputs: *Ts) -> T:
        """Return what a function makes of its inputs; its last result where these are as they were."""
        known = self._now.get(name) or self._before.get(name)
        if known is None or known[0] != inputs:
            known = (inputs, work(*inputs))
        self._now[name] = known
        return known[1]  # type: ignore[return-value]  # of the same name comes the same kind

    def turn(self) -> None:
        """Begin anew: forget what the last turn did not ask for."""
        self._before, self._now = self._now, {}

    def clear(self) -> None:
        """Forget everything."""
        self._before, self._now = {}, {}
