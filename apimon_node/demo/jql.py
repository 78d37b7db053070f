"""A strict part of JQL: terms joined by AND, and ORDER BY. What it does not know it refuses, as Jira does. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from apimon_node.demo.issue import CATEGORIES, PRIORITIES, Issue
from apimon_node.errors import ApimonError


class QueryRefused(ApimonError):  # noqa: N818 - it is what Jira does
    """A query is not JQL, or not the part of it that is known here. The text is in Jira's manner."""


@dataclass(frozen=True, slots=True)
class Term:
    """`name` is one of `values`, or, if not `wanted`, has a value that is none of them."""

    name: str
    values: tuple[str, ...]
    wanted: bool

    def matches(self, issue: Issue) -> bool:
        """Tell whether an issue is meant. An empty field matches neither `=` nor `!=`, as in Jira."""
        has = lower(SEARCHED[self.name](issue))
        return bool(has) and bool(has & lower(self.values)) is self.wanted


@dataclass(frozen=True, slots=True)
class Query:
    """Terms, all of which must match; names to sort by, the weightiest first, each with whether it descends."""

    terms: tuple[Term, ...]
    order: tuple[tuple[str, bool], ...]


SEARCHED: dict[str, Callable[[Issue], tuple[str, ...]]] = {
    "project": lambda issue: (issue.key.rpartition("-")[0],),
    "status": lambda issue: (issue.status,),
    "statusCategory": lambda issue: (issue.category, CATEGORIES[issue.category]),
    "labels": lambda issue: issue.labels,
}
SORT_KEYS: dict[str, Callable[[Issue], Any]] = {
    "key": lambda issue: int(issue.id),
    "created": lambda issue: issue.created,
    "updated": lambda issue: issue.updated,
    "summary": lambda issue: issue.summary,
    "status": lambda issue: issue.status,
    "priority": lambda issue: -PRIORITIES.index(issue.priority) if issue.priority else -len(PRIORITIES),
}
MAX_ORDER = 7  # fields in ORDER BY, of Jira Cloud
NAMES = {name.lower(): name for name in (*SEARCHED, *SORT_KEYS)}
RESERVED = frozenset({"and", "or", "not", "in", "is", "was", "order", "by", "empty", "null"})  # quoted they are values
TOKEN = re.compile(
    r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<symbol>!=|[=(),<>~!"'])|(?P<word>[^\s=(),<>~!"']+))"""
)


def lower(texts: Iterable[str]) -> set[str]:
    """Fold case: JQL's names and values do not heed it."""
    return {text.lower() for text in texts}


def parse(jql: str) -> Query:
    """Read the part of JQL that is known here: terms joined by AND, in any parentheses; ORDER BY. Or QueryRefused."""
    return _Parser(jql).query()


class _Parser:
    """Reads one query, from left to right."""

    def __init__(self, jql: str) -> None:
        self._tokens = list(TOKEN.finditer(jql.rstrip()))
        self._at = 0

    def query(self) -> Query:
        terms = self._terms() if self._tokens and not self._is("order") else []
        order = self._order() if self._take("order") else []
        if self._at < len(self._tokens):
            raise self._unexpected("'AND' or 'ORDER BY'")
        return Query(tuple(terms), tuple(order))

    def _terms(self) -> list[Term]:
        terms = self._group()
        while self._take("and"):
            terms += self._group()
        return terms

    def _group(self) -> list[Term]:
        if not self._take("("):
            return [self._term()]
        terms = self._terms()
        self._expect(")")
        return terms

    def _term(self) -> Term:
        name = self._name(SEARCHED)
        for symbol in ("=", "!="):
            if self._take(symbol):
                return Term(name, (self._value(),), symbol == "=")
        wanted = not self._take("not")
        self._expect("in")
        return Term(name, self._list(), wanted)

    def _list(self) -> tuple[str, ...]:
        self._expect("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _order(self) -> list[tuple[str, bool]]:
        self._expect("by")
        order = [self._sort()]
        while self._take(","):
            order.append(self._sort())
        if len(order) > MAX_ORDER:
            raise QueryRefused(f"The maximum number of fields in ORDER BY is {MAX_ORDER}.")
        return order

    def _sort(self) -> tuple[str, bool]:
        name = self._name(SORT_KEYS)
        descending = self._take("desc")
        if not descending:
            self._take("asc")
        return name, descending

    def _name(self, known: Iterable[str]) -> str:
        text = self._value()
        name = NAMES.get(text.lower(), "")
        if name not in known:
            raise QueryRefused(f"Field '{text}' does not exist or you do not have permission to view it.")
        return name

    def _value(self) -> str:
        """Take a value: anything in quotes, or a word that is not reserved."""
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if token is None or token["symbol"] or self._text() in RESERVED:
            raise self._unexpected("a name or value")
        self._at += 1
        return next(text for text in token.group("double", "single", "word") if text is not None)

    def _text(self) -> str | None:
        """Give the next token in small letters, None if it is in quotes or there is none."""
        if self._at == len(self._tokens):
            return None
        token = self._tokens[self._at]
        return (token["symbol"] or token["word"] or "").lower() or None

    def _is(self, text: str) -> bool:
        return self._text() == text

    def _take(self, text: str) -> bool:
        taken = self._is(text)
        self._at += taken
        return taken

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(f"'{text.upper()}'")

    def _unexpected(self, wanted: str) -> QueryRefused:
        if self._at == len(self._tokens):
            return QueryRefused(f"Error in the JQL Query: Expecting {wanted} before the end of the query.")
        token = self._tokens[self._at]
        where = f"(line 1, character {token.end() - len(token[0].lstrip()) + 1})"
        return QueryRefused(f"Error in the JQL Query: Expecting {wanted} but got '{token[0].strip()}'. {where}")
