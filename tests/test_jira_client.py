"""The client around python-jira: the real library, over real HTTP, against the demo's Jira."""

import json
import logging
import socket
import ssl
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate

import pytest

from apimon_node.demo.issue import Issue
from apimon_node.demo.jira import (
    HTML,
    JSON,
    NOT_JSON,
    Account,
    Answer,
    Drop,
    Fault,
    Hang,
    JiraServer,
    RepeatedToken,
)
from apimon_node.demo.site import Site
from apimon_node.errors import ApimonError, JiraError, JiraState
from apimon_node.poller import client as client_module
from apimon_node.poller.client import JiraClient
from apimon_node.settings import AuthSettings, AuthType, JiraSettings

ACCOUNT = Account("me@example.com", "SECRETTOKEN")
JQL = "project = OPS AND statusCategory != Done"
FIELDS = ("status", "priority", "created", "summary", "assignee", "labels")
NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
NOON_DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.fixture
def site() -> Site:
    site = Site()
    for number in range(250):
        site.create(f"Ticket {number}", NOON - number)
    return site


@pytest.fixture
def server(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=False, account=ACCOUNT) as server:
        yield server


@pytest.fixture
def cloud(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=True, account=ACCOUNT) as server:
        yield server


def client_for(
    url: str, auth: AuthType = AuthType.BASIC, secret: str = ACCOUNT.secret, timeout: float = 20
) -> JiraClient:
    return JiraClient(JiraSettings(url, AuthSettings(auth, ACCOUNT.user), timeout), lambda: secret)


@pytest.fixture
def client(server: JiraServer) -> Iterator[JiraClient]:
    with closing(client_for(server.url)) as client:
        yield client


def failure(client: JiraClient, jql: str = JQL) -> JiraError:
    """Search, and give the error; what a log would show of it must not hold a secret."""
    with pytest.raises(JiraError) as caught:
        client.search(jql, FIELDS)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "SECRET" not in shown
    assert "Basic " not in shown
    assert "requests.exceptions" not in shown
    return caught.value


def paths(server: JiraServer) -> list[str]:
    return [request.path for request in server.requests]


# --- what is asked ---


def test_importing_the_client_imports_neither_jira_nor_requests() -> None:
    code = "import sys, apimon_node.poller.client; print({'jira', 'requests', 'urllib3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("is_cloud", "auth", "account"),
    [
        (True, AuthType.API_TOKEN, ACCOUNT),
        (False, AuthType.PAT, ACCOUNT),
        (False, AuthType.BASIC, ACCOUNT),
        (False, AuthType.NONE, None),
        (True, AuthType.NONE, None),
    ],
)
def test_250_tickets_come_in_three_pages(
    site: Site, *, is_cloud: bool, auth: AuthType, account: Account | None
) -> None:
    endpoint = "/rest/api/3/search/jql" if is_cloud else "/rest/api/2/search"
    with (
        JiraServer(site, cloud=is_cloud, account=account) as server,
        closing(client_for(server.url, auth)) as client,
    ):
        found = client.search(JQL, FIELDS)
        assert paths(server) == ["/rest/api/2/serverInfo", *[endpoint] * 3]
        client.search(JQL, FIELDS)
        assert paths(server) == ["/rest/api/2/serverInfo", *[endpoint] * 6]
    assert [issue["key"] for issue in found.issues] == [issue.key for issue in reversed(site.issues)]
    assert set(found.issues[0]["fields"]) == set(FIELDS)


def test_a_url_that_ends_in_a_slash_is_the_same(server: JiraServer) -> None:
    with closing(client_for(server.url + "/")) as client:
        assert len(client.search(JQL, FIELDS).issues) == 250


def test_the_fields_that_were_passed_stay_as_they_are(client: JiraClient) -> None:
    fields = ["summary", "status"]
    client.search(JQL, fields)
    assert fields == ["summary", "status"]


def test_without_authentication_no_secret_is_asked_for(site: Site) -> None:
    def secret() -> str:
        raise AssertionError

    with JiraServer(site, cloud=False) as server:
        settings = JiraSettings(server.url, AuthSettings(AuthType.NONE))
        with closing(JiraClient(settings, secret)) as client:
            assert len(client.search(JQL, FIELDS).issues) == 250


def test_nothing_is_asked_before_the_first_search(server: JiraServer, client: JiraClient) -> None:
    client.close()
    assert not server.requests


def test_after_close_a_search_signs_in_anew(server: JiraServer, client: JiraClient) -> None:
    client.search(JQL, FIELDS)
    client.close()
    assert len(client.search(JQL, FIELDS).issues) == 250
    assert paths(server).count("/rest/api/2/serverInfo") == 2


# --- what is found ---


@pytest.mark.parametrize("is_cloud", [True, False])
def test_no_ticket_is_an_answer(*, is_cloud: bool) -> None:
    with JiraServer(Site(), cloud=is_cloud) as server, closing(client_for(server.url, AuthType.NONE)) as client:
        assert client.search(JQL, FIELDS).issues == []


def test_the_server_time_is_the_date_of_the_answer(site: Site) -> None:
    with (
        JiraServer(site, cloud=False, clock=lambda: NOON) as server,
        closing(client_for(server.url, AuthType.NONE)) as client,
    ):
        assert client.search(JQL, FIELDS).server_time == NOON


@pytest.mark.parametrize(
    "date",
    [
        {},
        {"Date": ""},
        {"Date": "yesterday"},
        {"Date": "Mon, 99 Nov 2026 12:00:00 GMT"},
        {"Date": f"Mon, 23 Nov 2026 12:00:00 +{'9' * 20}"},
    ],
)
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

    site = Busy()
    for _ in range(150):
        site.create("Ticket", NOON)
    with JiraServer(site, cloud=False) as server, closing(client_for(server.url, AuthType.NONE)) as client:
        keys = [issue["key"] for issue in client.search(JQL, FIELDS).issues]
    assert len(server.requests) == 3
    assert sorted(keys) == sorted(issue.key for issue in site.issues[:150])


def test_an_issue_without_an_id_goes_by_its_key(server: JiraServer, client: JiraClient) -> None:
    issues = [{"key": "OPS-1"}, {"id": "7", "key": "OPS-2"}, {"key": "OPS-1"}, {"id": "7", "key": "NEW-1"}]
    server.fail(Answer(200, JSON, json.dumps({"issues": issues, "total": 4}).encode()))
    assert client.search(JQL, FIELDS).issues == [{"key": "OPS-1"}, {"id": "7", "key": "NEW-1"}]


@pytest.mark.parametrize("is_cloud", [True, False])
def test_too_many_tickets_are_a_fault_of_the_query(
    site: Site,
    *,
    is_cloud: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with JiraServer(site, cloud=is_cloud) as server, closing(client_for(server.url, AuthType.NONE)) as client:
        monkeypatch.setattr(client_module, "MAX_PAGES", 3)
        assert len(client.search(JQL, FIELDS).issues) == 250
        monkeypatch.setattr(client_module, "MAX_PAGES", 2)
        error = failure(client)
    assert (error.state, str(error)) == (
        JiraState.QUERY,
        "the query finds more than 10,000 tickets: narrow the JQL",
    )


def test_pages_that_grow_without_end_are_a_fault_of_the_query(
    server: JiraServer, client: JiraClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_PAGES", 3)
    server.fail(Answer(200, JSON, b'{"issues": [{"id": "1"}], "total": 300}'))
    assert failure(client).state is JiraState.QUERY
    assert len(server.requests) == 4


def test_a_data_center_that_runs_out_before_its_total_is_done(server: JiraServer, client: JiraClient) -> None:
    server.fail(Answer(200, JSON, b'{"issues": [], "total": 5}'))
    assert client.search(JQL, FIELDS).issues == []


def test_a_repeated_page_token_ends_the_search(cloud: JiraServer) -> None:
    with closing(client_for(cloud.url, AuthType.API_TOKEN)) as client:
        cloud.fail(RepeatedToken())
        error = failure(client)
        assert error.state is JiraState.ERROR
        assert "token twice" in str(error)
        assert len(cloud.requests) == 3
        cloud.heal()
        assert len(client.search(JQL, FIELDS).issues) == 250


# --- what goes wrong ---


def said(code: int, **headers: str) -> Answer:
    """Refuse, with what must not be seen: cookies, and a body that is not to be read."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(code, {"Content-Type": "text/html", "Set-Cookie": "session=SECRETCOOKIE", **headers}, b"SECRETBODY")


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
        (said(429, Retry_After="9" * 500), JiraState.RATE_LIMITED, "fewer requests", 3600),
        (said(429, Retry_After="soon"), JiraState.RATE_LIMITED, "fewer requests", 0),
        (said(429, Retry_After="-1"), JiraState.RATE_LIMITED, "fewer requests", 0),
        (
            said(429, Date=NOON_DATE, Retry_After="Mon, 23 Nov 2026 12:02:00 GMT"),
            JiraState.RATE_LIMITED,
            "fewer requests",
            120,
        ),
        (
            said(429, Date=NOON_DATE, Retry_After="Mon, 23 Nov 2026 11:02:00 GMT"),
            JiraState.RATE_LIMITED,
            "fewer requests",
            0,
        ),
        (
            said(429, Date=NOON_DATE, Retry_After="Tue, 24 Nov 2026 12:00:00 GMT"),
            JiraState.RATE_LIMITED,
            "fewer requests",
            3600,
        ),
        (said(500), JiraState.ERROR, "in trouble (500)", 0),
        (said(502), JiraState.ERROR, "in trouble (502)", 0),
        (said(503), JiraState.ERROR, "in trouble (503)", 0),
        (said(503, Retry_After="30"), JiraState.ERROR, "in trouble (503)", 30),
        (HTML, JiraState.ERROR, "web page instead of JSON", 0),
        (NOT_JSON, JiraState.ERROR, "web page instead of JSON", 0),
        (said(302, Location="/login"), JiraState.ERROR, "web page instead of JSON", 0),
        (said(304), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b"[]"), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b"[1]"), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b'{"issues": {}}'), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b'{"issues": []}'), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b'{"issues": [1], "total": 1}'), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, JSON, b'{"issues": [{"id": 1}], "total": 1}'), JiraState.ERROR, "not what a search answers", 0),
        (Answer(200, {"Content-Length": "99"}, b'{"issues": ['), JiraState.OFFLINE, "broke off", 0),
        (Answer(200, {"Content-Encoding": "gzip"}, b"no gzip"), JiraState.OFFLINE, "broke off", 0),
        (said(429, Content_Length="99999", Retry_After="7"), JiraState.RATE_LIMITED, "fewer requests", 7),
        (said(400, Content_Length="99999"), JiraState.OFFLINE, "broke off", 0),
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
    assert "\n" not in str(error)
    server.heal()
    assert len(client.search(JQL, FIELDS).issues) == 250


def test_a_retry_date_without_a_date_counts_from_our_clock(server: JiraServer, client: JiraClient) -> None:
    server.fail(said(429, Retry_After=formatdate(time.time() + 120, usegmt=True)))
    assert failure(client).retry_after == pytest.approx(120, abs=30)


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


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"errorMessages": ["one", "two"], "errors": {"jql": "three"}}, "one two three"),
        ({"errorMessages": ["a\n b\t\x1b[31mred"]}, "a b [31mred"),
        ({"errorMessages": ["x" * 1000]}, "x" * 200),
        ({"errorMessages": None, "errors": 5}, "it gave no reason"),
        ({"errorMessages": [7, None], "errors": []}, "7 None"),
        (["no"], "it gave no reason"),
        (None, "it gave no reason"),
    ],
)
def test_the_words_of_jira_are_clipped_to_one_line(
    server: JiraServer, client: JiraClient, body: object, reason: str
) -> None:
    client.search(JQL, FIELDS)
    server.fail(Answer(400, JSON, json.dumps(body).encode()))
    assert str(failure(client)) == f"Jira does not take the query: {reason}"


def test_a_bad_query_keeps_the_session(server: JiraServer, client: JiraClient) -> None:
    failure(client, "garbage ((")
    client.search(JQL, FIELDS)
    assert paths(server).count("/rest/api/2/serverInfo") == 1


def test_a_new_token_is_noticed_after_a_refused_one(server: JiraServer) -> None:
    tokens = iter(["SECRETOLD", ACCOUNT.secret])
    settings = JiraSettings(server.url, AuthSettings(AuthType.PAT))
    with closing(JiraClient(settings, lambda: next(tokens))) as client:
        assert failure(client).state is JiraState.AUTH
        assert len(client.search(JQL, FIELDS).issues) == 250
        assert len(client.search(JQL, FIELDS).issues) == 250  # with the same token


def test_a_token_that_is_withdrawn_while_we_run_is_a_matter_of_signing_in(
    cloud: JiraServer,
) -> None:
    token = [ACCOUNT.secret]
    settings = JiraSettings(cloud.url, AuthSettings(AuthType.API_TOKEN, ACCOUNT.user))
    with closing(JiraClient(settings, lambda: token[0])) as client:
        client.search(JQL, FIELDS)
        cloud.account = Account(ACCOUNT.user, "SECRETNEW")
        assert failure(client).state is JiraState.AUTH
        assert failure(client).state is JiraState.AUTH
        token[0] = "SECRETNEW"
        assert len(client.search(JQL, FIELDS).issues) == 250


def test_a_secret_that_cannot_be_read_is_a_matter_of_signing_in(server: JiraServer) -> None:
    def secret() -> str:
        raise ApimonError("/etc/apimon/jira-token cannot be read")

    client = JiraClient(JiraSettings(server.url, AuthSettings(AuthType.PAT)), secret)
    error = failure(client)
    assert (error.state, str(error)) == (JiraState.AUTH, "/etc/apimon/jira-token cannot be read")
    assert not server.requests


@pytest.mark.parametrize("secret", ["", "SECRET\nX-Header: 1", "SECRET\N{HORIZONTAL ELLIPSIS}"])
@pytest.mark.parametrize("auth", [AuthType.PAT, AuthType.BASIC])
def test_a_secret_that_http_cannot_send_is_a_matter_of_signing_in(
    server: JiraServer, auth: AuthType, secret: str
) -> None:
    error = failure(client_for(server.url, auth, secret))
    assert error.state is JiraState.AUTH
    assert "cannot send" in str(error)


@pytest.mark.parametrize("becomes_cloud", [True, False])
def test_a_jira_that_becomes_the_other_kind_is_found_out(site: Site, *, becomes_cloud: bool) -> None:
    with (
        JiraServer(site, cloud=not becomes_cloud, account=ACCOUNT) as server,
        closing(client_for(server.url)) as client,
    ):
        client.search(JQL, FIELDS)
        server.cloud = becomes_cloud
        error = failure(client)
        assert error.state is JiraState.ERROR
        assert ("410" if becomes_cloud else "404") in str(error)
        assert len(client.search(JQL, FIELDS).issues) == 250


# --- no way to Jira ---


def test_a_jira_that_hangs_is_offline_after_the_timeout(server: JiraServer) -> None:
    with closing(client_for(server.url, timeout=0.3)) as client:
        server.fail(Hang(60))
        before = time.monotonic()
        error = failure(client)
        assert time.monotonic() - before < 5
        assert error.state is JiraState.OFFLINE
        assert "did not answer in time" in str(error)
        server.heal()
        assert len(client.search(JQL, FIELDS).issues) == 250


def test_a_port_that_nobody_listens_on_refuses() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets this port
        error = failure(client_for(f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert error.state is JiraState.OFFLINE
    assert "refuses the connection" in str(error)


def test_a_host_that_there_is_not_is_not_known() -> None:
    error = failure(client_for("http://nohost.invalid"))
    assert error.state is JiraState.OFFLINE
    assert "host name" in str(error)


def test_https_to_a_port_of_http_is_no_tls(server: JiraServer) -> None:
    error = failure(client_for(server.url.replace("http:", "https:")))
    assert error.state is JiraState.OFFLINE
    assert "no TLS" in str(error)


def test_a_certificate_that_is_not_trusted_is_told_from_other_tls_errors() -> None:
    untrusted = OSError("as requests wraps it")
    untrusted.__context__ = ssl.SSLCertVerificationError(1, "self-signed certificate")
    assert "certificate is not trusted" in client_module._cause(untrusted)


@pytest.mark.parametrize(
    "url", ["", "jira.example.com", "ftp://jira.example.com", "http://[::1", f"http://{'a' * 70}.com"]
)
def test_a_url_that_is_none_is_told(url: str) -> None:
    error = failure(client_for(url))
    assert error.state is JiraState.OFFLINE
    assert "not a valid URL" in str(error)


def test_a_proxy_that_is_away_is_told_from_jira(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{bound.getsockname()[1]}")
        error = failure(client_for("http://jira.example.com"))
    assert error.state is JiraState.OFFLINE
    assert "proxy" in str(error)


def test_a_redirect_without_end_is_a_login_page(server: JiraServer, client: JiraClient) -> None:
    server.fail(said(302, Location=f"{server.url}/login"))
    assert "login page" in str(failure(client))


# --- what must stay secret ---


@pytest.mark.parametrize("is_cloud", [True, False])
def test_no_log_line_of_the_libraries_shows_anything(
    site: Site,
    *,
    is_cloud: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    no_json = Answer(200, {"Content-Type": "application/json"}, b'{"SECRETBODY": ')
    with (
        JiraServer(site, cloud=is_cloud, account=ACCOUNT) as server,
        closing(client_for(server.url)) as client,
    ):
        client.search(JQL, FIELDS)
        for fault in (said(401), said(429, Retry_After="9"), said(503), said(200), HTML, NOT_JSON, no_json, Drop()):
            server.fail(fault)
            failure(client)
            failure(client)
        assert "SECRET" not in repr(client) + str(client)
    assert caplog.records == []
