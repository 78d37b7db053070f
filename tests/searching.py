"""What the tests of the client of Jira have in common: a site of 250 tickets, a client for it, and what fails."""

import re
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from apimon_node.config.settings import AuthSettings, AuthType, ClientAuth, JiraSettings
from apimon_node.demo.jira import Account, Answer, Drip, Fault, Hang, JiraServer, OAuthApp
from apimon_node.demo.site import Site
from apimon_node.errors import JiraError
from apimon_node.poller.jira.client import JiraClient

ACCOUNT = Account("me@example.com", "SECRETTOKEN")
CLIENT_ID, CLIENT_SECRET = "apimon-1", "SECRET.of_apimon~1"  # the same whether a server decodes it or not
GATEWAY = "/ex/jira/0b1e6b4e"
JQL = "project = OPS AND statusCategory != Done"
FIELDS = ("status", "priority", "created", "summary", "assignee", "labels")
NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
NOON_DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


SHORT = 2.0
"""Seconds for an answer where a test waits for them to be over."""


def time_for(fault: Fault) -> float:
    """Return the seconds that an answer may take: few where none comes, many where one comes on a busy machine too."""
    return SHORT if isinstance(fault, Hang | Drip) else 20.0


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def many_tickets(site: Site | None = None, number: int = 250) -> Site:
    site = site or Site()
    for nth in range(number):
        site.create(f"Ticket {nth}", NOON - nth)
    return site


def oauth_app(**values: Any) -> OAuthApp:
    return OAuthApp(CLIENT_ID, CLIENT_SECRET, **{"scope": "READ WRITE", **values})


def settings_for(server: JiraServer, auth: AuthType, timeout: float = 20) -> JiraSettings:
    """Give what config.yaml would say to reach a server."""
    if auth is not AuthType.OAUTH2 or server.oauth is None:
        return JiraSettings(server.url, AuthSettings(auth, ACCOUNT.user), timeout)
    client_auth = ClientAuth(server.oauth.client_auth)
    oauth = AuthSettings(auth, None, None, CLIENT_ID, server.token_url, "READ", client_auth)
    return JiraSettings(server.url, oauth, timeout)


def client_for(
    server: JiraServer | str,
    auth: AuthType = AuthType.BASIC,
    secret: str | None = None,
    timeout: float = 20,
    **more: Callable[[], float],
) -> JiraClient:
    if isinstance(server, str):
        settings = JiraSettings(server, AuthSettings(auth, ACCOUNT.user), timeout)
    else:
        settings = settings_for(server, auth, timeout)
    usual = CLIENT_SECRET if auth is AuthType.OAUTH2 else ACCOUNT.secret
    return JiraClient(settings, lambda: usual if secret is None else secret, **more)


def failure(client: JiraClient, jql: str = JQL, ask: Callable[[], object] | None = None) -> JiraError:
    """Search, and give the error; what a log would show of it must not hold a secret."""
    ask = ask or partial(client.search, jql, FIELDS)
    with pytest.raises(JiraError) as caught:
        ask()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value)
    assert "SECRET" not in shown
    assert not re.search(r"(Basic|Bearer) [\w+/=-]{12}", shown)
    assert "requests.exceptions" not in shown
    assert "\n" not in str(caught.value)
    return caught.value


def said(code: int, **headers: str) -> Answer:
    """Refuse, with what must not be seen: cookies, and a body that is not to be read."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(code, {"Content-Type": "text/html", "Set-Cookie": "session=SECRETCOOKIE", **headers}, b"SECRETBODY")


def paths(server: JiraServer) -> list[str]:
    return [request.path.rpartition("/rest/")[2] for request in server.requests]
