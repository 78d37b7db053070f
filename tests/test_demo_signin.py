"""Who may ask the demo's Jira: accounts, tokens of OAuth, and where each of them is admitted."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlencode

import pytest
from asking import ACCOUNT, BASIC, BEARER, NOON, ask, four_tickets, send

from apimon_node.demo.jira import Account, JiraServer, OAuthApp

GATEWAY = "/ex/jira/0b1e6b4e"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CLIENT_ID, CLIENT_SECRET = "apimon:1", "s&cret +%"  # what has to be encoded
GRANT = {"grant_type": "client_credentials", "scope": "READ"}
IN_BODY = GRANT | {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app() -> OAuthApp:
    return OAuthApp(CLIENT_ID, CLIENT_SECRET, "READ WRITE", "body", lifetime=600)


@pytest.fixture
def jira(app: OAuthApp, clock: Clock) -> Iterator[JiraServer]:
    with JiraServer(four_tickets(), cloud=False, account=ACCOUNT, clock=clock, oauth=app) as server:
        yield server


def basic(user: str = "apimon%3A1", secret: str = "s%26cret+%2B%25") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def token(
    server: JiraServer, form: dict[str, str] | str = IN_BODY, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    body = form if isinstance(form, str) else urlencode(form)
    status, got, text = send(server.token_url, "POST", body, FORM | (headers or {}))
    assert (got["Cache-Control"], got["Pragma"]) == ("no-store", "no-cache")
    assert (got["WWW-Authenticate"] is not None) == (status == 401)
    return status, json.loads(text)


def bearer(server: JiraServer) -> dict[str, str]:
    status, content = token(server)
    assert status == 200
    return {"Authorization": f"Bearer {content['access_token']}"}


def asked(server: JiraServer, headers: dict[str, str]) -> int:
    return ask(server, "2/serverInfo", headers=headers)[0]


# --- who is admitted where ---


@pytest.mark.parametrize(
    ("cloud", "prefix", "admitted"),
    [
        (False, "", {"basic", "bearer", "oauth"}),
        (False, "/jira", {"basic", "bearer", "oauth"}),
        (True, "", {"basic"}),
        (True, GATEWAY, {"basic", "bearer", "oauth"}),
    ],
)
def test_each_place_admits_what_it_admits(app: OAuthApp, *, cloud: bool, prefix: str, admitted: set[str]) -> None:
    with JiraServer(four_tickets(), cloud=cloud, account=ACCOUNT, oauth=app, prefix=prefix) as server:
        ways = {
            "basic": BASIC,
            "bearer": BEARER,
            "oauth": bearer(server),
            "nothing": {},
            "other": {"Authorization": "x"},
        }
        assert {way for way, headers in ways.items() if asked(server, headers) == 200} == admitted
        assert {asked(server, headers) for way, headers in ways.items() if way not in admitted} == {401}


def test_the_name_of_the_way_to_sign_in_may_be_written_in_any_case(jira: JiraServer) -> None:
    assert asked(jira, {"Authorization": "bearer token"}) == 200
    assert asked(jira, {"Authorization": BASIC["Authorization"].replace("Basic", "BASIC")}) == 200


def test_each_kind_refuses_in_its_own_way(jira: JiraServer) -> None:
    status, answer = ask(jira, "2/serverInfo", headers={"Authorization": "Bearer wrong"})
    assert (status, answer[:6]) == (401, "<html>")
    jira.cloud = True
    status, answer = ask(jira, "3/serverInfo", headers=BEARER)
    assert (status, answer["errorMessages"]) == (401, ["Client must be authenticated to access this resource."])


def test_without_an_account_a_token_is_what_admits(app: OAuthApp) -> None:
    with JiraServer(four_tickets(), cloud=False, oauth=app) as server:
        assert asked(server, BASIC) == asked(server, BEARER) == asked(server, {}) == 401
        assert asked(server, bearer(server)) == 200
        server.oauth = None
        assert asked(server, {}) == 200


def test_no_secret_shows(jira: JiraServer) -> None:
    token(jira)
    assert "token" not in repr(ACCOUNT)
    assert "cret" not in repr(jira.requests)
    assert "cret" not in repr(jira.oauth)


@pytest.mark.parametrize(
    ("cloud", "headers", "said"),
    [
        (True, BASIC, {"X-Seraph-LoginReason": "OK"}),
        (True, basic("me@example.com", "wrong"), {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}),
        (True, {}, {}),
        (False, BASIC, {"X-Seraph-LoginReason": "OK", "X-AUSERNAME": "me@example.com"}),
        (False, BEARER, {"X-Seraph-LoginReason": "OK", "X-AUSERNAME": "owner-of-the-token"}),
        (False, {"Authorization": "Bearer wrong"}, {"X-AUSERNAME": "anonymous"}),
        (False, {}, {"X-AUSERNAME": "anonymous"}),
    ],
)
def test_a_site_that_answers_strangers_shows_them_nothing_and_tells_them_apart_by_its_headers(
    *, cloud: bool, headers: dict[str, str], said: dict[str, str]
) -> None:
    with JiraServer(four_tickets(), cloud=cloud, account=ACCOUNT) as server:
        server.strangers = True
        url = f"{server.url}/rest/api/2/search{'/jql' * cloud}?jql=project+%3D+OPS"
        status, got, text = send(url, headers=headers)
    assert (status, len(json.loads(text)["issues"])) == (200, 4 if said.get("X-Seraph-LoginReason") == "OK" else 0)
    assert {name: got[name] for name in ("X-Seraph-LoginReason", "X-AUSERNAME") if name in got} == said


def test_after_three_wrong_passwords_data_center_wants_a_captcha_and_no_password_any_more(jira: JiraServer) -> None:
    wrong = basic("me@example.com", "wrong")
    for _ in range(5):
        assert [asked(jira, wrong), asked(jira, wrong), asked(jira, BASIC)] == [401, 401, 200]
    assert [asked(jira, wrong) for _ in range(4)] == [401, 401, 401, 403]
    status, got, _ = send(f"{jira.url}/rest/api/2/serverInfo", headers=BASIC)
    assert (status, got["X-Seraph-LoginReason"]) == (403, "AUTHENTICATION_DENIED")
    assert got["X-Authentication-Denied-Reason"] == f"CAPTCHA_CHALLENGE; login-url={jira.url}/login.jsp"
    assert asked(jira, BEARER) == 200
    jira.lockout.solve()
    assert asked(jira, BASIC) == 200


# --- paths ---


@pytest.mark.parametrize(("cloud", "base"), [(True, ""), (False, GATEWAY)])
def test_below_a_prefix_there_is_the_api_and_elsewhere_nothing(*, cloud: bool, base: str) -> None:
    with JiraServer(four_tickets(), cloud=cloud, prefix=GATEWAY) as server:
        root = server.url.removesuffix(GATEWAY)
        assert server.url == root + GATEWAY
        status, info = ask(server, "2/serverInfo", headers={})
        assert (status, info["baseUrl"]) == (200, root + base)
        for path in ("/rest/api/2/serverInfo", "", f"{GATEWAY}x/rest/api/2/serverInfo", "/ex/jira/1/rest/api/2/field"):
            assert send(root + path)[0] == 404


def test_tokens_come_from_below_the_context_path_of_data_center_and_beside_the_gateway_of_cloud(app: OAuthApp) -> None:
    for cloud, path in ((False, "/jira/rest/oauth2/latest/token"), (True, "/rest/oauth2/latest/token")):
        with JiraServer(four_tickets(), cloud=cloud, prefix="/jira", oauth=app) as server:
            assert server.token_url == server.url.removesuffix("/jira") + path
            assert token(server)[0] == 200


def test_without_an_application_there_are_no_tokens() -> None:
    with JiraServer(four_tickets(), cloud=False) as server:
        assert send(server.token_url, "POST", urlencode(IN_BODY), FORM)[0] == 404


# --- tokens ---


def test_a_token_says_how_long_it_lives_and_what_for(jira: JiraServer, app: OAuthApp) -> None:
    status, content = token(jira)
    assert status == 200
    assert len(content.pop("access_token")) > 30
    assert content == {"token_type": "Bearer", "expires_in": 600, "scope": "READ"}
    assert app.tokens == 1


def test_a_token_expires_by_the_clock_of_the_server(jira: JiraServer, clock: Clock) -> None:
    headers = bearer(jira)
    clock.now += 599.9
    assert asked(jira, headers) == 200
    other = bearer(jira)
    clock.now += 0.1
    assert asked(jira, headers) == 401
    assert asked(jira, other) == 200


def test_tokens_live_side_by_side_until_all_are_revoked(jira: JiraServer, app: OAuthApp) -> None:
    one, other = bearer(jira), bearer(jira)
    assert one != other
    assert asked(jira, one) == asked(jira, other) == 200
    app.revoke()
    assert asked(jira, one) == asked(jira, other) == 401
    assert asked(jira, bearer(jira)) == 200
    assert app.tokens == 3


@pytest.mark.parametrize("scope", ["", "READ"])
def test_an_application_without_scopes_wants_none(clock: Clock, scope: str) -> None:
    app = OAuthApp("id", "secret", client_auth="body")
    form = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret", "scope": scope}
    with JiraServer(four_tickets(), cloud=False, clock=clock, oauth=app) as server:
        status, content = token(server, form)
    assert (status, content.get("error")) == ((400, "invalid_scope") if scope else (200, None))
    assert "scope" not in content


@pytest.mark.parametrize(
    ("client_auth", "form", "headers", "status", "error"),
    [
        ("body", IN_BODY, {}, 200, None),
        ("basic", GRANT, basic(), 200, None),
        ("basic", GRANT | {"client_id": CLIENT_ID}, basic(), 200, None),
        ("body", IN_BODY | {"extra": "1", "state": ""}, {}, 200, None),
        ("body", IN_BODY | {"scope": "WRITE READ"}, {}, 200, None),
        # the client
        ("body", GRANT, basic(), 401, "invalid_client"),
        ("basic", IN_BODY, {}, 401, "invalid_client"),
        ("basic", IN_BODY, basic(), 400, "invalid_request"),
        ("body", IN_BODY, basic(), 400, "invalid_request"),
        ("body", IN_BODY | {"client_secret": "wrong"}, {}, 400, "invalid_client"),
        ("body", IN_BODY | {"client_secret": ""}, {}, 400, "invalid_client"),
        ("body", IN_BODY | {"client_id": "wrong"}, {}, 400, "invalid_client"),
        ("body", GRANT, {}, 400, "invalid_client"),
        ("basic", GRANT, {}, 401, "invalid_client"),
        ("basic", GRANT, basic(secret="wrong"), 401, "invalid_client"),
        ("basic", GRANT, basic(CLIENT_ID, CLIENT_SECRET), 401, "invalid_client"),  # not encoded
        ("basic", GRANT | {"client_id": "wrong"}, basic(), 401, "invalid_client"),
        ("basic", GRANT, {"Authorization": "Basic ???"}, 401, "invalid_client"),
        ("basic", GRANT, {"Authorization": "Basic 4pyT"}, 401, "invalid_client"),
        ("basic", GRANT, {"Authorization": basic()["Authorization"].replace("Basic", "Digest")}, 401, "invalid_client"),
        # the grant
        ("body", IN_BODY | {"grant_type": ""}, {}, 400, "invalid_request"),
        ("body", IN_BODY | {"grant_type": "password"}, {}, 400, "unsupported_grant_type"),
        ("body", IN_BODY | {"scope": "ADMIN"}, {}, 400, "invalid_scope"),
        ("body", IN_BODY | {"scope": "READ ADMIN"}, {}, 400, "invalid_scope"),
        ("body", IN_BODY | {"scope": ""}, {}, 400, "invalid_scope"),
        # the form
        ("body", urlencode(IN_BODY) + "&scope=WRITE", {}, 400, "invalid_request"),
        ("body", "rubbish", {}, 400, "invalid_request"),
        ("body", "", {}, 400, "invalid_client"),
        ("body", urlencode(IN_BODY) + "&x=\u00e9", {}, 400, "invalid_request"),
        ("body", json.dumps(IN_BODY), {"Content-Type": "application/json"}, 400, "invalid_request"),
    ],
)
def test_a_token_is_given_or_refused_as_rfc_6749_says(
    client_auth: Literal["basic", "body"],
    form: dict[str, str] | str,
    headers: dict[str, str],
    status: int,
    error: str | None,
) -> None:
    app = OAuthApp(CLIENT_ID, CLIENT_SECRET, "READ WRITE", client_auth)
    with JiraServer(four_tickets(), cloud=False, account=ACCOUNT, oauth=app) as server:
        got, content = token(server, form, headers)
    assert (got, content.get("error")) == (status, error)
    assert app.tokens == (status == 200)


def test_a_token_is_posted_for(jira: JiraServer) -> None:
    status, headers, _ = send(f"{jira.token_url}?{urlencode(IN_BODY)}")
    assert (status, headers["Allow"]) == (405, "POST")


def test_a_token_counts_for_its_own_application_only(jira: JiraServer) -> None:
    headers = bearer(jira)
    jira.oauth = OAuthApp("other", "secret")
    assert asked(jira, headers) == 401
    jira.account = Account("you", "other")
    assert asked(jira, BASIC) == 401
