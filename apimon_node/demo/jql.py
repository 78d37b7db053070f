"""A strict part of JQL, read into clauses. What it does not know it refuses, as Jira does. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apimon_node.demo.clauses import OPTIONAL, SEARCHED, Clause, Empty, Every, Saved, Some, Term, negated
from apimon_node.demo.issue import PRIORITIES, Issue
from apimon_node.errors import ApimonError


class QueryRefused(ApimonError):  # noqa: N818 - it is what Jira does
    """A query is not JQL, or not the part of it that is known here. The text is in Jira's manner."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, None for everything; names to sort by, the weightiest first, each with whether it descends."""

    where: Clause | None
    order: tuple[tuple[str, bool], ...]


SORT_KEYS: dict[str, Callable[[Issue], Any]] = {
    "key": lambda issue: int(issue.id),
    "created": lambda issue: issue.created,
    "updated": lambda issue: issue.updated,
    "summary": lambda issue: issue.summary,
    "status": lambda issue: issue.status,
    "priority": lambda issue: -PRIORITIES.index(issue.priority) if issue.priority else -len(PRIORITIES),
}
MAX_ORDER = 7  # fields in ORDER BY, of Jira Cloud
NAMES = {name.lower(): name for name in (*SEARCHED, *SORT_KEYS, "filter")}
OPERATORS = {"=": True, "!=": False}
RESERVED = frozenset({"and", "or", "not", "in", "is", "was", "order", "by", "empty", "null"})  # quoted they are values
RESERVED_CHARACTER = re.compile(r"[{}*/%+^$#@?;\[\]|&\\]")  # of Jira's grammar: in quotes, or not at all
TOKEN = re.compile(
    r"""\s*(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'"""
    r"""|(?P<symbol>!=|[=(),<>~!"'])|(?P<word>[^\s=(),<>~!"']+))"""
)
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
ESCAPED = {"t": "\t", "n": "\n", "r": "\r", **{itself: itself for itself in "\"'\\ "}}


def parse(jql: str, filters: Mapping[int, str]) -> Query:
    """Read a query. `filters` are the saved ones, by number. Raises QueryRefused."""
    return _Parser(jql, filters).query()


class _Parser:
    """Reads one query, from left to right. OR binds the least, then AND, then NOT."""

    def __init__(self, jql: str, filters: Mapping[int, str]) -> None:
        self._jql = jql
        self._filters = filters
        self._tokens = list(TOKEN.finditer(jql.rstrip()))
        self._at = 0

    def query(self) -> Query:
        where = self._either() if self._tokens and not self._is("order") else None
        order = self._order() if self._take("order") else []
        if self._at < len(self._tokens):
            raise self._unexpected("either 'OR' or 'AND'")
        return Query(where, tuple(order))

    def _either(self) -> Clause:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return Some(tuple(parts)) if len(parts) > 1 else parts[0]

    def _both(self) -> Clause:
        parts = [self._group()]
        while self._take("and"):
            parts.append(self._group())
        return Every(tuple(parts)) if len(parts) > 1 else parts[0]

    def _group(self) -> Clause:
        if self._take("not"):
            return negated(self._group())
        if not self._take("("):
            return self._term()
        clause = self._either()
        self._expect(")")
        return clause

    def _term(self) -> Clause:
        name = self._name([*SEARCHED, "filter"])
        if name in OPTIONAL and self._take("is"):
            return self._empty(name)
        values, wanted = self._compared()
        if name != "filter":
            return Term(name, values, wanted)
        return Saved(Some(tuple(self._saved(value) for value in values)), wanted)

    def _empty(self, name: str) -> Clause:
        wanted = not self._take("not")
        if not self._take("empty") and not self._take("null"):
            raise self._unexpected("'EMPTY'")
        return Empty(name, wanted)

    def _compared(self) -> tuple[tuple[str, ...], bool]:
        """Take an operator and what stands behind it."""
        for symbol, wanted in OPERATORS.items():
            if self._take(symbol):
                return (self._value(),), wanted
        wanted = not self._take("not")
        self._expect("in")
        return self._list(), wanted

    def _saved(self, number: str) -> Clause:
        """Return what a saved filter asks; its ORDER BY is of no matter. A filter does not know itself."""
        filters = dict(self._filters)
        jql = filters.pop(int(number), None) if number.isdecimal() else None
        if jql is None:
            raise QueryRefused(f"A value with ID '{number}' does not exist for the field 'filter'.")
        return Saved(parse(jql, filters).where, wanted=True)

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
        if token["word"]:
            return self._word(token)
        quoted = token["single"] if token["double"] is None else token["double"]
        return ESCAPE.sub(lambda escape: self._escaped(escape[1], token), quoted)

    def _word(self, token: re.Match[str]) -> str:
        """Return a value that stands in no quotes."""
        if reserved := RESERVED_CHARACTER.search(token["word"]):
            raise QueryRefused(
                f"Error in the JQL Query: The character '{reserved[0]}' is a reserved JQL character. You must enclose "
                f"it in a string or use the escape '\\u{ord(reserved[0]):04x}' instead. {self._where(token)}"
            )
        return token["word"]

    def _escaped(self, escape: str, token: re.Match[str]) -> str:
        """Return the character that stands behind a backslash in quotes."""
        if len(escape) > 1:
            return chr(int(escape[1:], 16))
        if escape not in ESCAPED:
            raise QueryRefused(
                f"Error in the JQL Query: '\\{escape}' is an illegal JQL escape sequence. The valid escape sequences "
                rf"are \', \", \t, \n, \r, \\, '\ ' and \uXXXX. {self._where(token)}"
            )
        return ESCAPED[escape]

    def _text(self) -> str | None:
        """Return the next token in small letters, None if it is in quotes or there is none."""
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
        got = token[0].strip()
        return QueryRefused(f"Error in the JQL Query: Expecting {wanted} but got '{got}'. {self._where(token)}")

    def _where(self, token: re.Match[str]) -> str:
        """Return where a token begins."""
        before = self._jql[: token.end() - len(token[0].lstrip())]
        line, character = before.count("\n") + 1, len(before) - before.rfind("\n")
        return f"(line {line}, character {character})"
