"""A fault on the wire: an entry of `faults` on the status topic of a node or a poller. Pure."""

from enum import StrEnum
from typing import NamedTuple

from apimon_node.contract import lenient
from apimon_node.contract.lenient import Fields

MAX_FAULTS = 50
"""Faults of a status that are read; more of them are left out."""


class FaultName(StrEnum):
    """The names of faults."""

    STRIP = "strip"
    BROKER = "broker"
    ACCESS = "access"
    PAYLOAD = "payload"
    STALE = "stale"
    POLLER = "poller"
    JIRA = "jira"


class Fault(NamedTuple):
    """One thing that is wrong. The text says by itself what it is about.

    `subject` is the same for programs: a strip, a board, a topic; empty where there is but one.
    Times are seconds since 1970, by the clock of whoever has the fault.
    """

    name: str
    text: str
    since: float | None = None
    subject: str = ""
    code: int | str | None = None
    attempts: int = 0
    retry_at: float | None = None

    def shifted(self, seconds: float) -> "Fault":
        """Return the fault as it is after the wall clock was set."""
        since, retry_at = (None if at is None else at + seconds for at in (self.since, self.retry_at))
        return self._replace(since=since, retry_at=retry_at)

    def dump(self) -> dict[str, object]:
        """Return the fault as an object of JSON."""
        raw: dict[str, object] = {
            "name": self.name,
            "text": self.text,
            "code": self.code,
            "since": lenient.dump_moment(self.since),
            "attempts": self.attempts,
            "retry_at": lenient.dump_moment(self.retry_at),
        }
        return raw | {"subject": self.subject} if self.subject else raw


def parse(raw: Fields) -> Fault:
    """Parse what dump() has made, or somebody else: what is wrong in it is left out."""
    name, code = lenient.text(raw, "name") or "unknown", raw.get("code")
    return Fault(
        name,
        lenient.text(raw, "text") or name,
        lenient.moment(raw, "since"),
        lenient.text(raw, "subject"),
        code if isinstance(code, int | str) and not isinstance(code, bool) else None,
        lenient.whole(raw, "attempts") or 0,
        lenient.moment(raw, "retry_at"),
    )


def parse_all(value: object) -> tuple[Fault, ...]:
    """Parse the list of a status, at most 50 of it."""
    return tuple(map(parse, lenient.objects(value)[:MAX_FAULTS]))
