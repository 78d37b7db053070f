"""How requests to Jira are signed: secrets, tokens that all threads share, and what the token server refuses."""

import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from parts import PATIENCE
from raw import RawServer
from searching import (
    ACCOUNT,
    CLIENT_ID,
    CLIENT_SECRET,
    FIELDS,
    GATEWAY,
    JQL,
    SHORT,
    Clock,
    client_for,
    failure,
    many_tickets,
    oauth_app,
    paths,
    said,
    settings_for,
    time_for,
)

from apimon_node.config.settings import AuthSettings, AuthType, ClientAuth, JiraSettings
from apimon_node.demo.jira import (
    HTML,
    JSON,
    NOT_JSON,
    Account,
    Answer,
    Drip,
    Drop,
    Echo,
    Fault,
    Hang,
    JiraServer,
    OAuthApp,
    Request,
)
from apimon_node.demo.site import Site
from apimon_node.errors import ApimonError, ConfigError, JiraState
from apimon_node.poller.jira.client import JiraClient
from apimon_node.poller.jira.refusals import SIGNED_OUT
from apimon_node.poller.jira.sign_in import SignIn

TOKEN = "oauth2/latest/token"
PAGE = "api/2/search"


def is_token(request: Request) -> bool:
    return request.path.endswith("/token")


def is_search(request: Request) -> bool:
    return request.path.endswith("/search")


def nine(client: JiraClient) -> bool:
    return len(client.search(JQL, FIELDS).issues) == 9


@pytest.fixture
def site() -> Site:
    return many_tickets(number=9)


@pytest.fixture
def server(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=False, account=ACCOUNT) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guarded(site: Site, clock: Clock) -> Iterator[JiraServer]:
    """Give a Jira that takes tokens of OAuth2 alone."""
    with JiraServer(site, cloud=False, oauth=oauth_app(lifetime=600), clock=clock) as server:
        yield server


@pytest.fixture
def client(guarded: JiraServer, clock: Clock) -> Iterator[JiraClient]:
    with closing(client_for(guarded, AuthType.OAUTH2, now=clock)) as client:
        yield client


def tokens(server: JiraServer) -> int:
    return paths(server).count(TOKEN)


# --- with a secret ---


def test_without_authentication_no_secret_is_asked_for(site: Site) -> None:
    def secret() -> str:
        raise AssertionError

    with (
        JiraServer(site, cloud=False) as server,
        closing(JiraClient(settings_for(server, AuthType.NONE), secret)) as client,
    ):
        assert nine(client)


def test_the_netrc_of_the_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password SECRET\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with (
        RawServer(lambda _: [b"HTTP/1.0 401 No\r\n\r\n"]) as raw,
        closing(client_for(raw.url(), AuthType.NONE)) as free,
    ):
        failure(free)
    assert len(raw.asked) == 1
    assert b"authorization" not in raw.asked[0].lower()


def test_a_new_token_is_noticed_after_a_refused_one(server: JiraServer) -> None:
    secret = ["SECRETOLD"]
    with closing(JiraClient(settings_for(server, AuthType.PAT), lambda: secret[0])) as client:
        assert failure(client).state is JiraState.AUTH
        secret[0] = ACCOUNT.secret
        assert nine(client)


def test_a_token_that_is_withdrawn_while_we_run_is_a_matter_of_signing_in(server: JiraServer) -> None:
    secret = [ACCOUNT.secret]
    with closing(JiraClient(settings_for(server, AuthType.API_TOKEN), lambda: secret[0])) as client:
        assert nine(client)
        server.account = Account(ACCOUNT.user, "SECRETNEW")
        assert failure(client).state is JiraState.AUTH
        secret[0] = "SECRETNEW"
        assert nine(client)


@pytest.mark.parametrize("auth", [AuthType.PAT, AuthType.BASIC, AuthType.API_TOKEN, AuthType.OAUTH2])
def test_a_secret_that_cannot_be_read_is_a_matter_of_signing_in(server: JiraServer, auth: AuthType) -> None:
    def secret() -> str:
        raise ConfigError("/etc/apimon/jira-token: cannot be read")

    server.oauth = oauth_app()
    error = failure(JiraClient(settings_for(server, auth), secret))
    assert (error.state, error.everywhere) == (JiraState.AUTH, True)
    assert str(error) == "/etc/apimon/jira-token: cannot be read"
    assert isinstance(error.__cause__, ApimonError)
    assert not server.requests


@pytest.mark.parametrize("secret", ["", "SECRET\nX-Header: 1", "SECRET\N{HORIZONTAL ELLIPSIS}"])
@pytest.mark.parametrize("auth", [AuthType.PAT, AuthType.BASIC, AuthType.API_TOKEN])
def test_a_secret_that_http_cannot_send_is_a_matter_of_signing_in(
    server: JiraServer, auth: AuthType, secret: str
) -> None:
    error = failure(client_for(server, auth, secret))
    assert (error.state, error.everywhere) == (JiraState.AUTH, True)
    assert "cannot send" in str(error)
    assert not server.requests


def test_an_empty_client_secret_is_not_sent(guarded: JiraServer) -> None:
    error = failure(client_for(guarded, AuthType.OAUTH2, ""))
    assert (error.state, error.everywhere, str(error)) == (JiraState.AUTH, True, "the client secret is empty")
    assert not guarded.requests


def test_a_client_secret_that_the_header_cannot_hold_needs_the_body(site: Site) -> None:
    secret = "SECRET &+%/=\N{EURO SIGN}"
    app = OAuthApp(CLIENT_ID, secret, client_auth="body")
    with JiraServer(site, cloud=False, oauth=app) as server:
        settings = settings_for(server, AuthType.OAUTH2)
        by_header = settings._replace(auth=settings.auth._replace(scope=None, client_auth=ClientAuth.BASIC))
        assert "set client_auth: body" in str(failure(JiraClient(by_header, lambda: secret)))
        assert not server.requests
        by_body = settings._replace(auth=settings.auth._replace(scope=None, client_auth=ClientAuth.BODY))
        with closing(JiraClient(by_body, lambda: secret)) as client:
            assert nine(client)


def test_the_header_holds_id_and_secret_as_they_are() -> None:
    with RawServer(lambda _: [b"HTTP/1.0 401 No\r\n\r\n"]) as raw:
        auth = AuthSettings(AuthType.OAUTH2, client_id="me", token_url=raw.url())
        failure(JiraClient(JiraSettings("http://127.0.0.1:9", auth), lambda: "SECRET&+%/="))
    expected = b"Basic " + base64.b64encode(b"me:SECRET&+%/=")
    assert expected in raw.asked[0]


# --- answers to a stranger ---

SIGNED = [AuthType.PAT, AuthType.BASIC, AuthType.API_TOKEN]


@pytest.mark.parametrize("endpoint", ["/serverInfo", "/search"])
@pytest.mark.parametrize("auth", SIGNED)
@pytest.mark.parametrize("cloud", [True, False])
def test_an_answer_to_a_stranger_is_no_board_without_tickets(
    site: Site, endpoint: str, auth: AuthType, *, cloud: bool
) -> None:
    """Cloud answers an expired token so, with 200; some Data Centers let anybody look."""
    with (
        JiraServer(site, cloud=cloud, account=ACCOUNT, prefix=GATEWAY if cloud else "") as server,
        closing(client_for(server, auth)) as client,
    ):
        assert nine(client)
        server.account = Account(ACCOUNT.user, "SECRETNEW")
        server.strangers = True
        if endpoint == "/serverInfo":
            client.close()
        server.requests.clear()
        error = failure(client)
        assert (error.state, error.everywhere, str(error)) == (JiraState.AUTH, True, SIGNED_OUT.text)
        assert len(server.requests) == 1
        server.account = ACCOUNT
        assert nine(client)


def test_a_catalogue_for_a_stranger_is_none(server: JiraServer) -> None:
    server.strangers = True
    with closing(client_for(server, AuthType.PAT, "SECRETOLD")) as client:
        error = failure(client, ask=client.catalogue)
        assert (error.state, error.everywhere) == (JiraState.AUTH, True)


@pytest.mark.parametrize("cloud", [True, False])
def test_without_authentication_everybody_is_a_stranger(site: Site, *, cloud: bool) -> None:
    with JiraServer(site, cloud=cloud) as server, closing(client_for(server, AuthType.NONE)) as client:
        assert nine(client)


def test_a_token_that_jira_passes_over_is_replaced_and_the_request_sent_again(
    guarded: JiraServer, client: JiraClient
) -> None:
    assert guarded.oauth
    guarded.strangers = True
    assert nine(client)
    guarded.oauth.revoke()
    guarded.requests.clear()
    assert nine(client)
    assert paths(guarded) == [PAGE, TOKEN, PAGE]


def test_a_fresh_token_that_jira_passes_over_is_told(site: Site, guarded: JiraServer) -> None:
    with JiraServer(site, cloud=False, oauth=oauth_app()) as other:
        other.strangers = True
        settings = settings_for(guarded, AuthType.OAUTH2)._replace(url=other.url)
        with closing(JiraClient(settings, lambda: CLIENT_SECRET)) as client:
            error = failure(client)
    assert (error.state, error.everywhere, str(error)) == (JiraState.AUTH, True, SIGNED_OUT.text)


# --- tokens ---


@pytest.mark.parametrize("client_auth", ["basic", "body"])
@pytest.mark.parametrize("scope", ["READ WRITE", ""])
def test_a_client_shows_its_secret_where_the_token_server_wants_it(
    site: Site, client_auth: Literal["basic", "body"], scope: str
) -> None:
    with JiraServer(site, cloud=False, oauth=oauth_app(client_auth=client_auth, scope=scope)) as server:
        settings = settings_for(server, AuthType.OAUTH2)
        settings = settings._replace(auth=settings.auth._replace(scope=scope or None))
        with closing(JiraClient(settings, lambda: CLIENT_SECRET)) as client:
            assert nine(client)


def test_a_token_is_used_for_half_its_life(guarded: JiraServer, client: JiraClient, clock: Clock) -> None:
    assert nine(client)
    clock.now += 299
    assert nine(client)
    assert tokens(guarded) == 1
    clock.now += 1
    assert nine(client)
    assert tokens(guarded) == 2


def test_a_token_that_does_not_tell_its_life_lives_an_hour(guarded: JiraServer, clock: Clock) -> None:
    content = {"access_token": "SECRETX", "token_type": "Bearer"}
    guarded.fail(Answer(200, JSON, json.dumps(content).encode()), is_token)
    sign_in = SignIn(settings_for(guarded, AuthType.OAUTH2), lambda: CLIENT_SECRET, clock)
    for late, asked in ((0, 1), (1799, 1), (1, 2)):
        clock.now += late
        sign_in._token.get()
        assert tokens(guarded) == asked


def test_a_token_that_jira_refuses_is_replaced_and_the_request_sent_again(
    guarded: JiraServer, client: JiraClient
) -> None:
    assert guarded.oauth
    assert nine(client)
    guarded.oauth.revoke()
    guarded.requests.clear()
    assert nine(client)
    assert paths(guarded) == [PAGE, TOKEN, PAGE]


def test_a_token_that_is_withdrawn_between_two_pages_does_no_harm(clock: Clock) -> None:
    with JiraServer(many_tickets(), cloud=False, oauth=oauth_app(), clock=clock) as server:

        def revoke(request: Request, answer: Answer) -> None:
            if answer.code == 200 and request.first("startAt") == "0" and server.oauth:
                server.oauth.revoke()

        server.witness = revoke  # type: ignore[method-assign]
        with closing(client_for(server, AuthType.OAUTH2)) as client:
            assert len(client.search(JQL, FIELDS).issues) == 250
        assert tokens(server) == 2


def test_threads_whose_token_is_refused_get_one_new_one_between_them(guarded: JiraServer, client: JiraClient) -> None:
    assert guarded.oauth
    assert nine(client)
    guarded.oauth.revoke()
    together = threading.Barrier(6)

    def search() -> bool:
        together.wait(PATIENCE)
        return nine(client)

    with ThreadPoolExecutor(6) as threads:
        assert all(call.result() for call in [threads.submit(search) for _ in range(6)])
    assert tokens(guarded) == 2


def test_a_fresh_token_that_jira_refuses_is_told(site: Site, guarded: JiraServer) -> None:
    with JiraServer(site, cloud=False, oauth=oauth_app()) as other:
        settings = settings_for(guarded, AuthType.OAUTH2)._replace(url=other.url)
        with closing(JiraClient(settings, lambda: CLIENT_SECRET)) as client:
            error = failure(client)
        assert paths(other) == ["api/2/serverInfo"] * 2
    assert (error.state, error.everywhere) == (JiraState.AUTH, True)
    assert str(error).startswith("Jira refused a token that the token server had just given (401)")
    assert tokens(guarded) == 2


def test_after_close_a_new_token_is_asked_for(guarded: JiraServer, client: JiraClient) -> None:
    assert nine(client)
    client.close()
    assert nine(client)
    assert tokens(guarded) == 2


@pytest.mark.parametrize("refusal", [said(403), said(429, X_AUSERNAME="anonymous"), said(503, X_AUSERNAME="anonymous")])
def test_a_refusal_that_is_not_of_the_token_asks_for_no_other(
    guarded: JiraServer, client: JiraClient, refusal: Answer
) -> None:
    assert nine(client)
    guarded.fail(refusal, is_search)
    failure(client)
    assert tokens(guarded) == 1


@pytest.mark.parametrize("refused", [b"HTTP/1.0 401 No\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n{}"])
def test_a_token_does_not_follow_a_redirect_to_another_host(
    guarded: JiraServer, client: JiraClient, refused: bytes
) -> None:
    assert nine(client)
    with RawServer(lambda _: [refused]) as elsewhere:
        guarded.fail(Answer(302, {"Location": elsewhere.url(host="localhost")}), is_search)
        failure(client)
        (asked,) = elsewhere.asked
    assert b"bearer" not in asked.lower()
    assert tokens(guarded) == 1


# --- what the token server refuses ---


def refuse(code: str, status: int = 400) -> Answer:
    content = {"error": code, "error_description": "SECRET"}
    return Answer(status, JSON | {"Set-Cookie": "a=SECRETCOOKIE"}, json.dumps(content).encode())


def token(**change: object) -> Answer:
    content = {"access_token": "SECRETX", "token_type": "Bearer", "expires_in": 60} | change
    return Answer(200, JSON, json.dumps(content).encode())


REFUSALS: list[tuple[Fault, JiraState, str, float]] = [
    (refuse("invalid_client", 401), JiraState.AUTH, "refuses the client", 0),
    (refuse("invalid_client"), JiraState.AUTH, "does it want client_auth: body?", 0),
    (refuse("invalid_scope"), JiraState.AUTH, "poller.jira.auth.scope", 0),
    (refuse("unauthorized_client"), JiraState.AUTH, "the grant client_credentials", 0),
    (said(401), JiraState.AUTH, "refuses the client", 0),
    (said(403), JiraState.AUTH, "denies this client", 0),
    (said(404), JiraState.ERROR, "not at this address (404)", 0),
    (said(302, Location="/login"), JiraState.ERROR, "status 302", 0),
    (said(429, Retry_After="90"), JiraState.RATE_LIMITED, "wants fewer requests", 90),
    (said(503, Retry_After="20"), JiraState.ERROR, "in trouble (503)", 20),
    (said(500), JiraState.ERROR, "in trouble (500)", 0),
    (HTML, JiraState.ERROR, "no JSON", 0),
    (NOT_JSON, JiraState.ERROR, "no JSON", 0),
    (token(access_token=None), JiraState.ERROR, "no access_token", 0),
    (token(token_type="mac"), JiraState.ERROR, "no Bearer token", 0),
    (token(expires_in="soon"), JiraState.ERROR, "expires_in", 0),
    (Answer(200, {"Content-Length": "99"}, b'{"access_token": "SECRET'), JiraState.OFFLINE, "broke off", 0),
    (Drop(), JiraState.OFFLINE, "broke off", 0),
    (Hang(60), JiraState.OFFLINE, "did not answer in time", 0),
    (Drip(0.05), JiraState.OFFLINE, "did not answer in time", 0),
]


@pytest.mark.parametrize(("fault", "state", "text", "retry_after"), REFUSALS)
def test_a_failure_of_the_token_server_is_told_as_its_own_and_passes(
    guarded: JiraServer, fault: Fault, state: JiraState, text: str, retry_after: float
) -> None:
    with closing(client_for(guarded, AuthType.OAUTH2, timeout=time_for(fault))) as client:
        guarded.fail(fault, is_token)
        error = failure(client)
        assert (error.state, error.retry_after, error.everywhere) == (state, retry_after, True)
        assert "the token server" in str(error)
        assert "poller.jira.auth.token_url" in str(error)
        assert text in str(error)
        assert set(paths(guarded)) == {TOKEN}
        guarded.heal()
        assert nine(client)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda auth: auth._replace(client_id="stranger"), "are client_id and the client secret right"),
        (lambda auth: auth._replace(scope="ADMIN"), "is poller.jira.auth.scope right?"),
        (lambda auth: auth._replace(scope=None), "is poller.jira.auth.scope right?"),
        (lambda auth: auth._replace(client_auth=ClientAuth.BODY), "does it want client_auth: basic?"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_told(
    guarded: JiraServer, change: Callable[[AuthSettings], AuthSettings], text: str
) -> None:
    settings = settings_for(guarded, AuthType.OAUTH2)
    error = failure(JiraClient(settings._replace(auth=change(settings.auth)), lambda: CLIENT_SECRET))
    assert text in str(error)


def test_a_wrong_secret_is_a_matter_of_signing_in(guarded: JiraServer) -> None:
    error = failure(client_for(guarded, AuthType.OAUTH2, "SECRETWRONG"))
    assert (error.state, error.everywhere) == (JiraState.AUTH, True)
    assert "refuses the client" in str(error)


@pytest.mark.parametrize("url", ["http://nohost.invalid/token", "http://[::1", ""])
def test_a_token_server_that_there_is_not_is_told(guarded: JiraServer, url: str) -> None:
    settings = settings_for(guarded, AuthType.OAUTH2)
    settings = settings._replace(auth=settings.auth._replace(token_url=url))
    error = failure(JiraClient(settings, lambda: CLIENT_SECRET))
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert "poller.jira.auth.token_url" in str(error)


# --- what must stay secret ---


def test_no_log_line_and_no_text_shows_a_token_or_the_client_secret(
    guarded: JiraServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with closing(client_for(guarded, AuthType.OAUTH2, timeout=SHORT)) as client:
        for fault, *_ in REFUSALS:
            guarded.fail(fault, is_token)
            failure(client)  # looks at the error
            guarded.heal()
            assert nine(client)
            guarded.fail(said(401), is_search)
            failure(client)
            client.close()
        guarded.heal()
        assert nine(client)
        given = client._sign_in._token.get()
        shown = "".join(
            map(repr, (client, vars(client), client._sign_in, client._sign_in.sign(), client._sign_in._token))
        )
    assert len(given) > 20
    assert "SECRET" not in shown
    assert given not in shown
    assert caplog.records == []


@pytest.mark.parametrize("words", ["no: {}", "{}", "x" * 180 + "{}", "Cookie: a=1, Authorization: {}, Host: jira"])
@pytest.mark.parametrize("auth", [*SIGNED, AuthType.OAUTH2])
@pytest.mark.parametrize("cloud", [True, False])
def test_a_jira_that_repeats_the_header_in_its_400_shows_no_secret(
    site: Site, auth: AuthType, words: str, *, cloud: bool
) -> None:
    app = oauth_app() if auth is AuthType.OAUTH2 else None
    with (
        JiraServer(site, cloud=cloud, account=ACCOUNT, oauth=app, prefix=GATEWAY if cloud else "") as server,
        closing(client_for(server, auth)) as client,
    ):
        assert nine(client)
        server.fail(Echo(words), lambda request: "/search" in request.path)
        error = failure(client)
        assert error.state is JiraState.QUERY
        assert "***" in str(error)
        given = list(app._living) if app is not None else []
        assert not any(token[at : at + 8] in str(error) for token in given for at in range(len(token) - 7))


@pytest.mark.parametrize("auth", [AuthType.PAT, AuthType.BASIC, AuthType.API_TOKEN])
def test_what_signs_does_not_show_what_it_holds(auth: AuthType) -> None:
    sign_in = SignIn(JiraSettings("http://x", AuthSettings(auth, "me")), lambda: "SECRET", lambda: 0.0)
    assert "SECRET" not in repr(sign_in.sign()) + repr(sign_in) + repr(vars(sign_in))
