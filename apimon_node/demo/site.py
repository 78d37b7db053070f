"""A project of the demo's Jira: its tickets, and the search over them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from apimon_node.demo.clauses import Term, lower, terms
from apimon_node.demo.history import Entry, compare
from apimon_node.demo.issue import CATEGORIES, PEOPLE, PRIORITIES, WORKFLOW, Issue, Status
from apimon_node.demo.jql import SORT_KEYS, QueryRefused, parse
from apimon_node.demo.sla import FIRST_NUMBER, Sla, SlaField

FIRST_ID = 10000
FIRST_ENTRY = 20000  # of the history


class Site:
    """One project and its tickets. `workflow` gives the statuses, `slas` the names of the SLAs, if any.

    `filters` are saved searches: by number, their JQL. `people` may be asked for as an assignee: Jira refuses
    others. `hidden` are keys that the search does not show just now, as Cloud's takes its time with new tickets.
    """

    def __init__(
        self, project: str = "OPS", workflow: Mapping[str, Status] = WORKFLOW, *, slas: Iterable[str] = ()
    ) -> None:
        self.project = project
        self.workflow = dict(workflow)
        self.slas = tuple(SlaField(number, name) for number, name in enumerate(slas, FIRST_NUMBER))
        self.filters: dict[int, str] = {}
        self.people = frozenset(PEOPLE)  # replaced, never changed, as issues are
        self.hidden: set[str] = set()
        # Issues are frozen, and replaced: a server in another thread reads the old one or the new one.
        self._issues: dict[str, Issue] = {}
        self._numbered = 0
        self._recorded = FIRST_ENTRY

    @property
    def issues(self) -> tuple[Issue, ...]:
        """All tickets, the oldest key first."""
        return tuple(self._issues.values())

    def create(
        self,
        summary: str,
        now: float,
        *,
        status: str = "Open",
        priority: str | None = "Medium",
        assignee: str | None = None,
        labels: tuple[str, ...] = (),
        duedate: date | None = None,
    ) -> Issue:
        """Create a ticket. KeyError for a status that the workflow does not have."""
        self._numbered += 1
        key = f"{self.project}-{self._numbered}"
        self._issues[key] = Issue(
            id=str(FIRST_ID + self._numbered),
            key=key,
            summary=summary,
            status=status,
            status_id=self.workflow[status].id,
            category=self.workflow[status].category,
            created=now,
            updated=now,
            priority=priority,
            assignee=assignee,
            labels=labels,
            duedate=duedate,
            slas=tuple((field, None) for field in self.slas),
        )
        self._meet(assignee)
        return self._issues[key]

    def move(self, key: str, status: str, now: float, **others: Any) -> Issue:
        """Move a ticket to a status; what else changes with it is one entry of the history. Raises as edit() does."""
        return self.edit(key, now, status=status, **others)

    def edit(self, key: str, now: float, **values: Any) -> Issue:
        """Change fields of a ticket, by their names in Issue. KeyError for a key or status that there is not."""
        before = self._issues[key]
        if "status" in values:
            id_, category = self.workflow[values["status"]]
            values |= {"status_id": id_, "category": category}
        issue = replace(before, updated=now, **values)
        if items := compare(before.recorded(), issue.recorded()):
            self._recorded += 1
            issue = replace(issue, history=(*issue.history, Entry(str(self._recorded), now, items)))
        self._meet(issue.assignee)
        self._issues[key] = issue
        return issue

    def sla(self, key: str, name: str, sla: Sla | None) -> Issue:
        """Set an SLA of a ticket, None where it has none. KeyError for a key or name that there is not."""
        field = {field.name: field for field in self.slas}[name]
        slas = {**dict(self._issues[key].slas), field: sla}
        self._issues[key] = replace(self._issues[key], slas=tuple(slas.items()))
        return self._issues[key]

    def delete(self, key: str) -> None:
        """Delete a ticket for good. KeyError for a key that there is not."""
        del self._issues[key]

    def search(self, jql: str) -> list[Issue]:
        """Find tickets by JQL, the newest key first unless it says otherwise. Raises QueryRefused."""
        query = parse(jql, self.filters)
        where = query.where
        for term in terms(where):
            self._check(term)
        shown = (issue for issue in reversed(self.issues) if issue.key not in self.hidden)
        found = [issue for issue in shown if where is None or where.matches(issue)]
        for name, descending in reversed(query.order):  # sorting is stable: the first key sorts last
            found.sort(key=SORT_KEYS[name], reverse=descending)
        return found

    def _meet(self, assignee: str | None) -> None:
        """Note that there is such a person."""
        if assignee is not None:
            self.people |= {assignee}

    def _check(self, term: Term) -> None:
        """Refuse values that this site does not have, as Jira does. Any label may be asked for."""
        known: dict[str, Iterable[str]] = {
            "project": {self.project},
            "status": {*self.workflow, *(status.id for status in self.workflow.values())},
            "statusCategory": {*CATEGORIES, *CATEGORIES.values()},
            "priority": PRIORITIES,
            "assignee": self.people,
        }
        for value in term.values:
            if term.name in known and value.lower() not in lower(known[term.name]):
                raise QueryRefused(f"The value '{value}' does not exist for the field '{term.name}'.")
