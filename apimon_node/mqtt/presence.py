"""The presence of the broker, as a node knows it: whether it is there, since when, and why not. Pure."""

from apimon_node.clock import Instant

GRACE = 1.0
"""Seconds that a connection may be missing, or what the broker kept may take to come, before it is called a fault."""


class Presence:
    """Whether the broker is there, and whether it has been so for as long as the grace."""

    def __init__(self, now: Instant) -> None:
        self.up = False
        self.reason = "not connected yet"
        """Why it is not there."""
        self._since = now.monotonic

    def came(self, now: Instant) -> None:
        """Note a connection. It begins a time of its own even where no loss was noted."""
        self.up, self._since = True, now.monotonic

    def went(self, reason: str, now: Instant) -> None:
        """Note that it is lost, or that another try has failed."""
        if self.up:
            self.up, self._since = False, now.monotonic
        self.reason = reason

    @property
    def settled_at(self) -> float:
        """When (monotonic seconds) it has been as it is for as long as the grace."""
        return self._since + GRACE

    def settled(self, now: Instant) -> bool:
        """Tell whether what has not come by now is missing."""
        return now.monotonic >= self.settled_at
