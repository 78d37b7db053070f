"""A project of the demo's Jira: its tickets, and the search over them. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from apimon_node.demo.issue import CATEGORIES, WORKFLOW, Issue
from apimon_node.demo.jql import SORT_KEYS, QueryRefused, Term, lower, parse

FIRST_ID = 10000


class Site:
    """One project and its tickets. `workflow` gives the statuses and the category of each."""

    def __init__(self, project: str = "OPS", workflow: Mapping[str, str] = WORKFLOW) -> None:
        self.project = project
        self.workflow = dict(workflow)
        # Issues are frozen, and replaced: a server in another thread reads the old one or the new one.
        self._issues: dict[str, Issue] = {}
        self._numbered = 0

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
    ) -> Issue:
        """Create a ticket. KeyError for a status that the workflow does not have."""
        self._numbered += 1
        category, key = self.workflow[status], f"{self.project}-{self._numbered}"
        id_ = str(FIRST_ID + self._numbered)
        self._issues[key] = Issue(id_, key, summary, status, category, now, now, priority, assignee, labels)
        return self._issues[key]

    def move(self, key: str, status: str, now: float) -> Issue:
        """Move a ticket to a status. KeyError for a key or status that there is not."""
        issue = replace(self._issues[key], status=status, category=self.workflow[status], updated=now)
        self._issues[key] = issue
        return issue

    def delete(self, key: str) -> None:
        """Delete a ticket for good. KeyError for a key that there is not."""
        del self._issues[key]

    def search(self, jql: str) -> list[Issue]:
        """Find tickets by JQL, the newest key first unless it says otherwise. Raises QueryRefused."""
        query = parse(jql)
        for term in query.terms:
            self._check(term)
        found = [issue for issue in reversed(self.issues) if all(term.matches(issue) for term in query.terms)]
        for name, descending in reversed(query.order):  # sorting is stable: the first key sorts last
            found.sort(key=SORT_KEYS[name], reverse=descending)
        return found

    def _check(self, term: Term) -> None:
        """Refuse values that this site does not have, as Jira does. Any label may be asked for."""
        known = {
            "project": {self.project},
            "status": set(self.workflow),
            "statusCategory": {*CATEGORIES, *CATEGORIES.values()},
        }
        for value in term.values:
            if term.name in known and value.lower() not in lower(known[term.name]):
                raise QueryRefused(f"The value '{value}' does not exist for the field '{term.name}'.")
