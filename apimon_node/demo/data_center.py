"""The REST API of Jira Data Center, as far as a poller of tickets meets it. Pure."""

from apimon_node.demo import api
from apimon_node.demo.api import Call
from apimon_node.demo.exchange import Answer, as_json

MAX_PAGE_SIZE = 1000  # jira.search.views.default.max
SEARCH_BODY: api.Body = {
    "jql": (str,),
    "startAt": (int,),
    "maxResults": (int,),
    "fields": (list,),
    "expand": (list,),
    "validateQuery": (bool, str),
}


def answer(call: Call) -> Answer:
    """Answer a request. Raises QueryRefused."""
    match call.request.method, call.endpoint:
        case "GET", "search":
            return _page(call)
        case "POST", "search":
            return api.bad_body(call.request, SEARCH_BODY, nulls=True) or _page(call)
    return api.answer(call)


def _page(call: Call) -> Answer:
    """Return a page, from `startAt` on. A page of size 0 is a way to ask for the total."""
    found = call.site.search(call.request.first("jql") or "")
    size = min(api.number(call.request, "maxResults", api.PAGE_SIZE), MAX_PAGE_SIZE)
    start = api.number(call.request, "startAt", 0)
    shown = api.issues(call, found[start : start + size], "*navigable")
    return as_json({"startAt": start, "maxResults": size, "total": len(found), "issues": shown})
