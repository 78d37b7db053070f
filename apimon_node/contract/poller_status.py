"""The status of a poller: how the last poll of each board went, and what is wrong with itself. Pure."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from apimon_node import wire
from apimon_node.contract import faults, lenient
from apimon_node.contract.faults import Fault
from apimon_node.errors import PayloadError


class BoardReport(NamedTuple):
    """How the last poll of a board went: a word of JiraState (or of a later version), and why. Times as below."""

    state: str = ""
    detail: str = ""
    checked_at: float | None = None
    next_poll_at: float | None = None

    def dump(self) -> dict[str, object]:
        """Return the report as an object of JSON."""
        return {
            "state": self.state,
            "detail": self.detail,
            "checked_at": lenient.dump_moment(self.checked_at),
            "next_poll_at": lenient.dump_moment(self.next_poll_at),
        }


class PollerStatus(NamedTuple):
    """How a poller says that it is. `browse` is where the addresses of its tickets begin.

    What is wrong with Jira stands in `boards`; `faults` are the poller's own, of which older ones say nothing.
    Times are seconds since 1970, by the clock of the poller.
    """

    boards: Mapping[str, BoardReport] = MappingProxyType({})
    faults: tuple[Fault, ...] = ()
    browse: str = ""
    started_at: float | None = None
    version: str = ""

    def dump(self) -> bytes:
        """Return the payload of the status topic."""
        return wire.dump(
            {
                "boards": {name: report.dump() for name, report in self.boards.items()},
                "faults": [fault.dump() for fault in self.faults],
                "browse": self.browse,
                "started_at": lenient.dump_moment(self.started_at),
                "version": self.version,
            }
        )


def parse(payload: bytes, boards: Collection[str] | None = None) -> PollerStatus:
    """Parse a status: what is wrong in it is left out. Raise PayloadError where it has no boards.

    With `boards` only their reports are read, and one without a state, or with another detail than text, is refused.
    """
    raw = wire.load(payload)
    if not isinstance(raw, dict) or not isinstance(raw.get("boards"), dict):
        raise PayloadError("expected an object with boards")
    if boards is None:
        reports = {name: _report(report) for name, report in lenient.named(raw["boards"])}
    else:
        reports = {name: _checked(name, report) for name, report in raw["boards"].items() if name in boards}
    return PollerStatus(
        reports,
        faults.parse_all(raw.get("faults")),
        lenient.text(raw, "browse"),
        lenient.moment(raw, "started_at"),
        lenient.text(raw, "version"),
    )


def _report(raw: lenient.Fields) -> BoardReport:
    return BoardReport(
        lenient.text(raw, "state"),
        lenient.text(raw, "detail"),
        lenient.moment(raw, "checked_at"),
        lenient.moment(raw, "next_poll_at"),
    )


def _checked(name: str, raw: object) -> BoardReport:
    if not isinstance(raw, dict) or not isinstance(raw.get("state"), str):
        raise wire.unexpected(f"boards.{name}", "an object with a state", raw)
    if not isinstance(raw.get("detail"), str | None):
        raise wire.unexpected(f"boards.{name}.detail", "text", raw["detail"])
    return _report(raw)
