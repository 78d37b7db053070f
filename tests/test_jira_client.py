"""The client of Jira: the real python-jira, over real HTTP, against the demo's Jira."""

import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from parts import PATIENCE
from searching import (
    ACCOUNT,
    FIELDS,
    GATEWAY,
    JQL,
    NOON,
    NOON_DATE,
    SHORT,
    Clock,
    client_for,
    failure,
    many_tickets,
    oauth_app,
    paths,
    said,
    time_for,
)

from apimon_node.config.settings import AuthType
from apimon_node.demo.issue import Issue
from apimon_node.demo.jira import (
    HTML,
    JSON,
    NOT_JSON,
    Account,
    Answer,
    Drip,
    Drop,
    Fault,
    Hang,
    JiraServer,
    RepeatedToken,
    StaleToken,
)
from apimon_node.demo.site import Site
from apimon_node.errors import JiraState
from apimon_node.poller.jira.client import DAY, JiraClient
from apimon_node.poller.jira.transport import MAX_REDIRECTS

CLOUD_PAGE, DATA_CENTER_PAGE = "api/3/search/jql", "api/2/search"
KIND, CATALOGUE = "api/2/serverInfo", "api/2/field"


@pytest.fixture
def site() -> Site:
    return many_tickets()


@pytest.fixture
def server(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=False, account=ACCOUNT) as server:
        yield server


@pytest.fixture
def cloud(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=True, account=ACCOUNT) as server:
        yield server


@pytest.fixture
def client(server: JiraServer) -> Iterator[JiraClient]:
    with closing(client_for(server)) as client:
        yield client


# --- what is asked ---


def test_importing_the_client_imports_neither_jira_nor_requests() -> None:
    code = "import sys, apimon_node.poller.jira.client; print({'jira', 'requests', 'urllib3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("is_cloud", "prefix", "auth"),
    [
        (True, "", AuthType.API_TOKEN),
        (True, "", AuthType.BASIC),
        (True, "", AuthType.NONE),
        (True, GATEWAY, AuthType.API_TOKEN),
        (True, GATEWAY, AuthType.PAT),
        (True, GATEWAY, AuthType.OAUTH2),
        (False, "", AuthType.API_TOKEN),
        (False, "", AuthType.BASIC),
        (False, "", AuthType.PAT),
        (False, "", AuthType.OAUTH2),
        (False, "", AuthType.NONE),
        (False, "/jira", AuthType.BASIC),
        (False, "/jira", AuthType.OAUTH2),
    ],
)
def test_250_tickets_come_in_three_pages(site: Site, *, is_cloud: bool, prefix: str, auth: AuthType) -> None:
    account = None if auth is AuthType.NONE else ACCOUNT
    oauth = oauth_app() if auth is AuthType.OAUTH2 else None
    page = CLOUD_PAGE if is_cloud else DATA_CENTER_PAGE
    with (
        JiraServer(site, cloud=is_cloud, account=account, prefix=prefix, oauth=oauth) as server,
        closing(client_for(server, auth)) as client,
    ):
        found = client.search(JQL, FIELDS)
        token = [] if oauth is None else ["oauth2/latest/token"]
        assert paths(server) == [*token, KIND, *[page] * 3]
        client.search(JQL, FIELDS)
        assert paths(server) == [*token, KIND, *[page] * 6]
    assert [issue["key"] for issue in found.issues] == [issue.key for issue in reversed(site.issues)]
    assert set(found.issues[0]["fields"]) == set(FIELDS)


def test_a_url_that_ends_in_a_slash_is_the_same(server: JiraServer) -> None:
    with closing(client_for(server.url + "/")) as client:
        assert len(client.search(JQL, FIELDS).issues) == 250


def test_the_fields_that_were_passed_stay_as_they_are(client: JiraClient) -> None:
    fields = ["summary", "status"]
    client.search(JQL, fields)
    client.catalogue()
    client.search(JQL, fields)
    assert fields == ["summary", "status"]


@pytest.mark.parametrize("is_cloud", [True, False])
def test_what_is_expanded_comes_with_each_issue(site: Site, *, is_cloud: bool) -> None:
    with (
        JiraServer(site, cloud=is_cloud) as server,
        closing(client_for(server, AuthType.NONE)) as client,
    ):
        assert "changelog" not in client.search(JQL, FIELDS).issues[0]
        assert "expand" not in server.requests[-1].query
        assert all("changelog" in issue for issue in client.search(JQL, FIELDS, "changelog").issues)
        assert [request.query["expand"] for request in list(server.requests)[-3:]] == [["changelog"]] * 3


def test_nothing_is_asked_before_the_first_search(server: JiraServer, client: JiraClient) -> None:
    client.close()
    assert not server.requests


def test_after_close_a_search_finds_out_anew_what_it_asks(server: JiraServer, client: JiraClient) -> None:
    client.search(JQL, FIELDS)
    client.catalogue()
    client.close()
    assert len(client.search(JQL, FIELDS).issues) == 250
    client.catalogue()
    assert paths(server).count(KIND) == 2
    assert paths(server).count(CATALOGUE) == 2


def test_an_hour_of_polls_costs_60_searches_two_tokens_and_one_question_for_the_kind() -> None:
    clock = Clock()
    with (
        JiraServer(many_tickets(number=9), cloud=False, oauth=oauth_app(lifetime=3600), clock=clock) as server,
        closing(client_for(server, AuthType.OAUTH2, now=clock)) as client,
    ):
        for _ in range(60):
            client.search(JQL, FIELDS)
            clock.now += 60
        asked = paths(server)
    assert {path: asked.count(path) for path in asked} == {DATA_CENTER_PAGE: 60, "oauth2/latest/token": 2, KIND: 1}


# --- several threads ---


@pytest.mark.parametrize("is_cloud", [True, False])
def test_threads_that_search_at_once_find_out_once_what_they_ask(site: Site, *, is_cloud: bool) -> None:
    together = threading.Barrier(8)
    with (
        JiraServer(site, cloud=is_cloud, oauth=oauth_app(), prefix=GATEWAY) as server,
        closing(client_for(server, AuthType.OAUTH2)) as client,
        ThreadPoolExecutor(8) as threads,
    ):

        def search(nth: int) -> list[str]:
            together.wait(PATIENCE)
            fields = client.search(f"{JQL} AND status = {('Open', 'Review')[nth % 2]}", FIELDS, "changelog").issues
            client.catalogue()
            return [issue["key"] for issue in fields]

        found = list(threads.map(search, range(8)))
        asked = paths(server)
    assert found == [[issue.key for issue in reversed(site.issues)], []] * 4
    assert asked.count(KIND) == asked.count(CATALOGUE) == 1
    assert sum(path.startswith("oauth2") for path in asked) == 1
    assert asked.count(CLOUD_PAGE if is_cloud else DATA_CENTER_PAGE) == 4 * 3 + 4


def test_the_failure_of_one_search_leaves_the_others_alone(site: Site, server: JiraServer, client: JiraClient) -> None:
    server.fail(Hang(60), lambda request: "NOSUCH" in (request.first("jql") or ""))
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(failure, client, "project = NOSUCH")
        assert len(client.search(JQL, FIELDS).issues) == len(site.issues)
        client.close()
        server.heal()
        assert hanging.result().state is JiraState.OFFLINE


# --- the catalogue ---


def test_the_catalogue_has_the_fields_and_is_kept_for_a_day(server: JiraServer) -> None:
    clock = Clock()
    with closing(client_for(server, now=clock)) as client:
        fields = client.catalogue()
        clock.now += DAY - 1
        assert client.catalogue() == fields
        assert paths(server) == [CATALOGUE]
        clock.now += 1
        assert client.catalogue() == fields
    assert paths(server) == [CATALOGUE] * 2
    assert {"id": "status", "name": "Status"}.items() <= next(
        field for field in fields if field["id"] == "status"
    ).items()


@pytest.mark.parametrize(
    ("fault", "state", "everywhere"),
    [
        (said(401), JiraState.AUTH, True),
        (said(503), JiraState.ERROR, True),
        (HTML, JiraState.ERROR, True),
        (Drop(), JiraState.OFFLINE, True),
        (Answer(200, JSON, b"{}"), JiraState.ERROR, False),
        (Answer(200, JSON, b"[1]"), JiraState.ERROR, False),
    ],
)
def test_a_catalogue_that_cannot_be_had_is_told_and_asked_for_again(
    server: JiraServer, client: JiraClient, fault: Fault, state: JiraState, *, everywhere: bool
) -> None:
    server.fail(fault)
    error = failure(client, ask=client.catalogue)
    assert (error.state, error.everywhere) == (state, everywhere)
    server.heal()
    assert client.catalogue()


# --- what is found ---


@pytest.mark.parametrize("is_cloud", [True, False])
def test_no_ticket_is_an_answer(*, is_cloud: bool) -> None:
    with JiraServer(Site(), cloud=is_cloud) as server, closing(client_for(server, AuthType.NONE)) as client:
        assert client.search(JQL, FIELDS).issues == []


def test_the_server_time_is_the_date_of_the_answer(site: Site) -> None:
    clock = Clock()
    with (
        JiraServer(site, cloud=False, clock=clock) as server,
        closing(client_for(server, AuthType.NONE)) as client,
    ):
        assert client.search(JQL, FIELDS).server_time == NOON
        clock.now += 60
        assert client.search(JQL, FIELDS).server_time == NOON + 60


@pytest.mark.parametrize("date", [{}, {"Date": ""}, {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Date": "yesterday"}])
def test_without_a_sensible_date_there_is_no_server_time(
    server: JiraServer, client: JiraClient, date: dict[str, str]
) -> None:
    client.search(JQL, FIELDS)
    server.fail(Answer(200, JSON | date, b'{"issues": [], "total": 0}'))
    assert client.search(JQL, FIELDS).server_time is None


def test_a_ticket_that_slides_to_the_next_page_is_found_once() -> None:
    class Busy(Site):
        """While one reads a page, a new ticket pushes the others down."""

        def search(self, jql: str) -> list[Issue]:
            found = super().search(jql)
            self.create("One more", NOON)
            return found

    site = many_tickets(Busy(), 150)
    with JiraServer(site, cloud=False) as server, closing(client_for(server, AuthType.NONE)) as client:
        keys = [issue["key"] for issue in client.search(JQL, FIELDS).issues]
    assert len(server.requests) == 3
    assert sorted(keys) == sorted(issue.key for issue in site.issues[:150])


@pytest.mark.parametrize("is_cloud", [True, False])
def test_too_many_tickets_are_a_fault_of_the_query(site: Site, *, is_cloud: bool) -> None:
    with JiraServer(site, cloud=is_cloud) as server, closing(client_for(server, AuthType.NONE)) as client:
        assert len(client.search(JQL, FIELDS, most=250).issues) == 250
        server.requests.clear()
        error = failure(client, ask=lambda: client.search(JQL, FIELDS, most=150))
        asked = len(server.requests)
    assert (error.state, error.everywhere) == (JiraState.QUERY, False)
    assert str(error) == ("the query finds more than 150 tickets: narrow the JQL, or raise max_tickets of this board")
    assert asked == (2 if is_cloud else 1)


def test_a_repeated_page_token_ends_the_search(cloud: JiraServer) -> None:
    with closing(client_for(cloud, AuthType.API_TOKEN)) as client:
        cloud.fail(RepeatedToken())
        error = failure(client)
        assert error.state is JiraState.ERROR
        assert "token twice" in str(error)
        assert len(cloud.requests) == 3
        cloud.heal()
        assert len(client.search(JQL, FIELDS).issues) == 250


def test_a_page_token_that_jira_refuses_is_no_fault_of_the_query(cloud: JiraServer) -> None:
    with closing(client_for(cloud, AuthType.API_TOKEN)) as client:
        cloud.fail(StaleToken())
        error = failure(client)
        assert (error.state, error.everywhere) == (JiraState.ERROR, False)
        assert "page token that it gave itself" in str(error)
        cloud.heal()
        assert len(client.search(JQL, FIELDS).issues) == 250


# --- what goes wrong ---


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize(
    ("fault", "state", "text", "retry_after"),
    [
        (said(400), JiraState.QUERY, "does not take the query: it gave no reason", 0),
        (said(401), JiraState.AUTH, "refused the sign-in", 0),
        (said(403), JiraState.AUTH, "denies access", 0),
        (said(404), JiraState.ERROR, "no Jira at this URL", 0),
        (said(410), JiraState.ERROR, "dropped the search", 0),
        (said(418), JiraState.ERROR, "status 418", 0),
        (said(429), JiraState.RATE_LIMITED, "fewer requests", 0),
        (said(429, Retry_After="300"), JiraState.RATE_LIMITED, "fewer requests", 300),
        (
            said(429, Date=NOON_DATE, Retry_After="Mon, 23 Nov 2026 12:02:00 GMT"),
            JiraState.RATE_LIMITED,
            "fewer requests",
            120,
        ),
        (
            said(429, Date=NOON_DATE, X_RateLimit_Reset="2026-11-23T12:03Z"),
            JiraState.RATE_LIMITED,
            "fewer requests",
            180,
        ),
        (said(500), JiraState.ERROR, "in trouble (500)", 0),
        (said(502), JiraState.ERROR, "in trouble (502)", 0),
        (said(503, Retry_After="30"), JiraState.ERROR, "in trouble (503)", 30),
        (HTML, JiraState.ERROR, "web page instead of JSON", 0),
        (NOT_JSON, JiraState.ERROR, "web page instead of JSON", 0),
        (said(302, Location="/login"), JiraState.ERROR, "web page instead of JSON", 0),
        (said(304), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b"[]"), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b"[1]"), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b"[" * 100_000), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b'{"issues": {}}'), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, {"Content-Length": "99"}, b'{"issues": ['), JiraState.OFFLINE, "broke off", 0),
        (Answer(200, {"Content-Encoding": "gzip"}, b"no gzip"), JiraState.OFFLINE, "broke off", 0),
        (said(429, Content_Length="99999", Retry_After="7"), JiraState.RATE_LIMITED, "fewer requests", 7),
        (said(400, Content_Length="99999"), JiraState.QUERY, "it gave no reason", 0),
        (Drop(), JiraState.OFFLINE, "broke off", 0),
    ],
)
def test_a_failure_is_told_and_passes(
    server: JiraServer,
    client: JiraClient,
    *,
    signed_in: bool,
    fault: Fault,
    state: JiraState,
    text: str,
    retry_after: float,
) -> None:
    if signed_in:
        client.search(JQL, FIELDS)
    server.fail(fault)
    error = failure(client)
    assert (error.state, error.retry_after) == (state, retry_after)
    assert text in str(error)
    server.heal()
    assert len(client.search(JQL, FIELDS).issues) == 250


@pytest.mark.parametrize("endpoint", ["/search", "/serverInfo"])
@pytest.mark.parametrize(
    ("fault", "of_the_search", "of_the_kind"),
    [
        (said(400), False, False),
        (said(401), True, True),
        (said(403), False, False),
        (said(404), True, True),
        (said(410), True, True),
        (said(429), True, True),
        (said(500), False, False),
        (said(503), True, True),
        (HTML, True, True),
        (said(302, Location="/login"), True, True),
        (Answer(200, JSON, b"[1]"), False, True),
        (Drop(), True, True),
        (Hang(60), False, False),
        (Drip(0.05), False, False),
    ],
)
def test_a_failure_tells_whether_it_concerns_every_query(
    server: JiraServer, endpoint: str, fault: Fault, *, of_the_search: bool, of_the_kind: bool
) -> None:
    server.fail(fault, lambda request: request.path.endswith(endpoint))
    with closing(client_for(server, timeout=time_for(fault))) as client:
        assert failure(client).everywhere == (of_the_search if endpoint == "/search" else of_the_kind)


def test_a_refusal_of_jira_is_not_asked_again(server: JiraServer, client: JiraClient) -> None:
    client.search(JQL, FIELDS)
    before = len(server.requests)
    server.fail(said(429, Retry_After="1"))
    failure(client)
    assert len(server.requests) == before + 1


def test_jira_itself_says_what_is_wrong_with_a_query(client: JiraClient) -> None:
    error = failure(client, "project = NOSUCH")
    assert error.state is JiraState.QUERY
    assert str(error).endswith("The value 'NOSUCH' does not exist for the field 'project'.")


def test_a_bad_query_does_not_put_in_doubt_which_jira_it_is(server: JiraServer, client: JiraClient) -> None:
    failure(client, "garbage ((")
    client.search(JQL, FIELDS)
    assert paths(server).count(KIND) == 1


@pytest.mark.parametrize("becomes_cloud", [True, False])
def test_a_jira_that_becomes_the_other_kind_is_found_out(site: Site, *, becomes_cloud: bool) -> None:
    with (
        JiraServer(site, cloud=not becomes_cloud, account=ACCOUNT) as server,
        closing(client_for(server)) as client,
    ):
        client.search(JQL, FIELDS)
        server.cloud = becomes_cloud
        error = failure(client)
        assert error.state is JiraState.ERROR
        assert ("410" if becomes_cloud else "404") in str(error)
        assert len(client.search(JQL, FIELDS).issues) == 250


# --- no way to Jira ---


@pytest.mark.parametrize("fault", [Hang(60), Drip(0.05)])
def test_a_jira_that_is_too_slow_is_offline_after_the_timeout(server: JiraServer, fault: Fault) -> None:
    with closing(client_for(server, timeout=SHORT)) as client:
        server.fail(fault)
        error = failure(client)
        assert error.state is JiraState.OFFLINE
        assert "did not answer in time" in str(error)
        server.heal()
        assert len(client.search(JQL, FIELDS).issues) == 250


def test_a_port_that_nobody_listens_on_refuses() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets this port
        error = failure(client_for(f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert "refuses the connection" in str(error)


@pytest.mark.parametrize(
    "url", ["", "jira.example.com", "ftp://jira.example.com", "http://[::1", f"http://{'a' * 70}.com"]
)
def test_a_url_that_is_none_is_told(url: str) -> None:
    error = failure(client_for(url))
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert "not a valid URL" in str(error)


def test_a_redirect_without_end_is_a_login_page(server: JiraServer, client: JiraClient) -> None:
    server.fail(said(302, Location=f"{server.url}/login"))
    assert "login page" in str(failure(client))
    assert len(server.requests) == 1 + MAX_REDIRECTS


# --- what must stay secret ---


@pytest.mark.parametrize("is_cloud", [True, False])
def test_no_log_line_of_the_libraries_shows_anything(
    site: Site, *, is_cloud: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    no_json = Answer(200, {"Content-Type": "application/json"}, b'{"SECRETBODY": ')
    with (
        JiraServer(site, cloud=is_cloud, account=Account(ACCOUNT.user, ACCOUNT.secret)) as server,
        closing(client_for(server)) as client,
    ):
        client.search(JQL, FIELDS)
        for fault in (said(401), said(429, Retry_After="9"), said(503), said(200), HTML, NOT_JSON, no_json, Drop()):
            server.fail(fault)
            failure(client)
            failure(client)
            failure(client, ask=client.catalogue)
        assert "SECRET" not in repr(client) + str(client) + repr(vars(client))
    assert caplog.records == []


def test_the_words_of_a_broken_answer_are_not_told(server: JiraServer, client: JiraClient) -> None:
    server.fail(Answer(200, JSON, json.dumps({"issues": [{"id": 1, "SECRET": "SECRET"}], "total": 1}).encode()))
    failure(client)
