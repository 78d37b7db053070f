"""The REST API of Jira Cloud, as far as a poller of tickets meets it. Pure."""

import zlib
from http import HTTPStatus
from typing import Any

from apimon_node.demo import api
from apimon_node.demo.api import Call
from apimon_node.demo.exchange import Answer, as_error, as_json
from apimon_node.demo.faults import RepeatedToken, StaleToken
from apimon_node.demo.jql import QueryRefused, parse

MAX_PAGE_SIZE = 100  # as seen where fields are asked for
SEARCH_BODY: api.Body = {
    "jql": (str,),
    "nextPageToken": (str,),
    "maxResults": (int,),
    "fields": (list,),
    "expand": (str,),
}
COUNT_BODY: api.Body = {"jql": (str,)}
NOT_HERE = ("properties", "fieldsByKeys", "reconcileIssues")  # parameters that change the answer
REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
BAD_TOKEN = "The provided next page token is invalid."  # noqa: S105 - about one


def answer(call: Call) -> Answer:
    """Answer a request. Raises QueryRefused."""
    match call.request.method, call.endpoint:
        case "GET", "search/jql":
            return _page(call)
        case "POST", "search/jql":
            return api.bad_body(call.request, SEARCH_BODY, nulls=False) or _page(call)
        case "POST", "search/approximate-count":
            return api.bad_body(call.request, COUNT_BODY, nulls=False) or _count(call)
        case _, "search":
            return as_error(HTTPStatus.GONE, REMOVED)
    return api.answer(call)


def _count(call: Call) -> Answer:
    return as_json({"count": len(call.site.search(_bounded(call)))})


def _page(call: Call) -> Answer:
    """Return a page. Its token tells where the next one begins, and for which query."""
    for name in NOT_HERE:
        if name in call.request.query:
            raise QueryRefused(f"{name} is not implemented here.")
    jql, size = _bounded(call), api.number(call.request, "maxResults", api.PAGE_SIZE)
    if not size:
        raise QueryRefused("maxResults must be at least 1.")
    found, start = call.site.search(jql), _start(call, jql)
    end = start + min(size, MAX_PAGE_SIZE)
    page: dict[str, Any] = {"issues": api.issues(call, found[start:end], "id")}
    if isinstance(call.fault, RepeatedToken):
        end = 0
    page["isLast"] = end >= len(found)
    return as_json(page if page["isLast"] else {**page, "nextPageToken": _token(jql, end)})


def _bounded(call: Call) -> str:
    """Return the query, which must ask for something."""
    jql = call.request.first("jql") or ""
    if parse(jql, call.site.filters).where is None:
        raise QueryRefused(UNBOUNDED)
    return jql


def _start(call: Call, jql: str) -> int:
    """Read a token: the index of the first issue of its page."""
    token = call.request.first("nextPageToken")
    if token is None:
        return 0
    start = token.rpartition("-")[2]
    if not start.isdecimal() or token != _token(jql, int(start)) or isinstance(call.fault, StaleToken):
        raise QueryRefused(BAD_TOKEN)
    return int(start)


def _token(jql: str, start: int) -> str:
    return f"{zlib.crc32(jql.encode()):08x}-{start}"
