"""What the tests of the demo's Jira have in common: a site with four tickets, who may ask, and how one asks."""

import base64
import http.client
import json
from typing import Any
from urllib.parse import urlencode

from parts import PATIENCE

from apimon_node.demo.jira import Account, JiraServer
from apimon_node.demo.site import Site

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
ACCOUNT = Account("me@example.com", "token")
BASIC = {"Authorization": "Basic " + base64.b64encode(b"me@example.com:token").decode()}
BEARER = {"Authorization": "Bearer token"}
JSON_BODY = {"Content-Type": "application/json"}


def four_tickets(site: Site | None = None) -> Site:
    """Give a site with four tickets, OPS-4 the oldest."""
    site = site or Site()
    site.create("Printer on fire", NOON, status="Open", priority="High", labels=("hardware",))
    site.create("Login broken", NOON + 1, status="In Progress", assignee="Ada", labels=("customer", "web"))
    site.create("Backup full", NOON + 2, status="Review", priority=None)
    site.create("All is well", NOON - 9, status="Done", priority="Low")
    return site


def send(
    url: str, method: str = "GET", body: str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, str]:
    """Send a request to a URL. Gives the status, the headers and the body."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    try:
        connection.request(method, f"/{path}", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def ask(
    server: JiraServer, path: str, *, body: str | None = None, headers: dict[str, str] = BASIC, **query: Any
) -> tuple[int, Any]:
    """GET, or POST where there is a body. Gives the status and the JSON (the text, where it is none)."""
    url = f"{server.url}/rest/api/{path}" + ("?" + urlencode(query, doseq=True) if query else "")
    status, got, text = send(url, "GET" if body is None else "POST", body, JSON_BODY | headers)
    return status, json.loads(text) if (got["Content-Type"] or "").startswith("application/json") else text


def keys(answer: tuple[int, Any]) -> list[str]:
    """Give the keys on a page."""
    status, page = answer
    assert status == 200, page
    return [issue["key"] for issue in page["issues"]]
