"""What a query of JQL asks of a ticket. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from apimon_node.demo.issue import CATEGORIES, Issue

SEARCHED: dict[str, Callable[[Issue], tuple[str, ...]]] = {
    "project": lambda issue: (issue.key.rpartition("-")[0],),
    "status": lambda issue: (issue.status, issue.status_id),
    "statusCategory": lambda issue: (issue.category, CATEGORIES[issue.category]),
    "priority": lambda issue: (issue.priority,) if issue.priority else (),
    "assignee": lambda issue: (issue.assignee,) if issue.assignee else (),
    "labels": lambda issue: issue.labels,
}
OPTIONAL = frozenset({"priority", "assignee", "labels"})  # what may be empty


def lower(texts: Iterable[str]) -> set[str]:
    """Fold case: JQL's names and values do not heed it."""
    return {text.lower() for text in texts}


@dataclass(frozen=True, slots=True)
class Term:
    """`name` is one of `values`, or, if not `wanted`, has a value that is none of them."""

    name: str
    values: tuple[str, ...]
    wanted: bool

    def matches(self, issue: Issue) -> bool:
        """Return whether an issue is meant. An empty field matches neither `=` nor `!=`, as in Jira."""
        has = lower(SEARCHED[self.name](issue))
        return bool(has) and bool(has & lower(self.values)) is self.wanted


@dataclass(frozen=True, slots=True)
class Empty:
    """`name` is empty, or, if not `wanted`, is not."""

    name: str
    wanted: bool

    def matches(self, issue: Issue) -> bool:
        """Return whether an issue is meant."""
        return bool(SEARCHED[self.name](issue)) is not self.wanted


@dataclass(frozen=True, slots=True)
class Saved:
    """What a saved filter asks, None for nothing; or, if not `wanted`, all that it does not find."""

    where: "Clause | None"
    wanted: bool

    def matches(self, issue: Issue) -> bool:
        """Return whether an issue is meant."""
        return (self.where is None or self.where.matches(issue)) is self.wanted


@dataclass(frozen=True, slots=True)
class Every:
    """All of the parts."""

    parts: tuple["Clause", ...]

    def matches(self, issue: Issue) -> bool:
        """Return whether an issue is meant."""
        return all(part.matches(issue) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of the parts."""

    parts: tuple["Clause", ...]

    def matches(self, issue: Issue) -> bool:
        """Return whether an issue is meant."""
        return any(part.matches(issue) for part in self.parts)


Clause = Term | Empty | Saved | Every | Some


def negated(clause: Clause) -> Clause:
    """Return the opposite as Jira makes it: every operator turned round, so that NOT finds no empty field either."""
    match clause:
        case Every(parts):
            return Some(tuple(negated(part) for part in parts))
        case Some(parts):
            return Every(tuple(negated(part) for part in parts))
    return replace(clause, wanted=not clause.wanted)


def terms(clause: Clause | None) -> Iterator[Term]:
    """Yield all that is compared with values, wherever it stands."""
    match clause:
        case Term():
            yield clause
        case Every(parts) | Some(parts):
            for part in parts:
                yield from terms(part)
        case Saved(where):
            yield from terms(where)
