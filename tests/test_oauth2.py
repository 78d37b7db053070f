"""What a token server answers, as a token or as what to do."""

import json
from typing import Any

import pytest

from apimon_node.config.settings import AuthSettings, AuthType, ClientAuth
from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.oauth2 import HOUR, YEAR, Token, token

AUTH = AuthSettings(AuthType.OAUTH2, client_id="apimon", token_url="https://id.example.com/token")
GOOD = {"access_token": "SECRETTOKEN", "token_type": "Bearer", "expires_in": 600}
NOON = 1_795_435_200.0


def read(content: object, status: int = 200, auth: AuthSettings = AUTH, headers: dict[str, str] | None = None) -> Token:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return token(status, headers or {}, body, auth, NOON)


def failure(content: object, status: int = 200, auth: AuthSettings = AUTH, **headers: str) -> JiraError:
    with pytest.raises(JiraError) as caught:
        read(content, status, auth, {name.replace("_", "-"): value for name, value in headers.items()})
    assert "SECRET" not in str(caught.value)
    assert "the token server (poller.jira.auth.token_url)" in str(caught.value)
    assert caught.value.everywhere
    return caught.value


def test_a_token_has_its_life() -> None:
    assert read(GOOD) == Token("SECRETTOKEN", 600)


def test_a_token_does_not_show_itself() -> None:
    assert repr(read(GOOD)) == "Token(life=600)"


@pytest.mark.parametrize(
    ("change", "life"),
    [
        ({"expires_in": None}, HOUR),
        ({"expires_in": 0.5}, 0.5),
        ({"expires_in": 10**400}, YEAR),
        ({"expires_in": "3599"}, 3599),
        ({"token_type": "bearer"}, 600),
        ({"token_type": "BEARER", "scope": "READ", "refresh_token": "SECRET"}, 600),
    ],
)
def test_what_servers_write_differently_is_the_same(change: dict[str, Any], life: float) -> None:
    assert read(GOOD | change) == Token("SECRETTOKEN", life)


@pytest.mark.parametrize("key", ["expires_in", "token_type"])
def test_a_token_may_come_without(key: str) -> None:
    without = {name: value for name, value in GOOD.items() if name != key}
    assert read(without).text == "SECRETTOKEN"


@pytest.mark.parametrize("expires_in", [0, -1, "soon", "-5", True, [], {}, float("inf"), float("nan"), "1e3"])
def test_a_life_that_is_none_is_told(expires_in: object) -> None:
    error = failure(GOOD | {"expires_in": expires_in})
    assert error.state is JiraState.ERROR
    assert "expires_in" in str(error)


@pytest.mark.parametrize("token_type", ["mac", "", None, 7, "Bearer SECRET"])
def test_a_token_of_another_type_is_told(token_type: object) -> None:
    error = failure(GOOD | {"token_type": token_type})
    assert error.state is JiraState.ERROR
    assert "no Bearer token" in str(error)


@pytest.mark.parametrize("access_token", [None, "", " ", 7, ["SECRET"], "SECRET\nX: y", "SECRET\N{EURO SIGN}"])
def test_a_token_that_cannot_be_sent_is_told(access_token: object) -> None:
    error = failure(GOOD | {"access_token": access_token})
    assert error.state is JiraState.ERROR
    assert "access_token" in str(error)


@pytest.mark.parametrize("body", [b"", b"<html>SECRET</html>", b"[]", b'"SECRET"', b"\xff", b"[" * 100_000, b"null"])
def test_an_answer_that_is_no_json_object_is_told(body: bytes) -> None:
    error = failure(body)
    assert error.state is JiraState.ERROR
    assert "login page" in str(error)


@pytest.mark.parametrize(
    ("status", "code", "state", "text"),
    [
        (400, "invalid_client", JiraState.AUTH, "are client_id and the client secret right"),
        (401, "invalid_client", JiraState.AUTH, "are client_id and the client secret right"),
        (401, None, JiraState.AUTH, "are client_id and the client secret right"),
        (400, "invalid_scope", JiraState.AUTH, "poller.jira.auth.scope"),
        (400, "unauthorized_client", JiraState.AUTH, "allow it the grant client_credentials"),
        (400, "access_denied", JiraState.AUTH, "denies this client a token"),
        (403, None, JiraState.AUTH, "denies this client a token"),
        (400, "unsupported_grant_type", JiraState.ERROR, "no grant client_credentials"),
        (400, "invalid_request", JiraState.ERROR, "client_auth: body, or a scope?"),
        (400, "SECRET", JiraState.ERROR, "status 400"),
        (400, None, JiraState.ERROR, "status 400"),
        (404, None, JiraState.ERROR, "not at this address (404)"),
        (302, None, JiraState.ERROR, "status 302"),
        (429, None, JiraState.RATE_LIMITED, "fewer requests (429)"),
        (429, "invalid_client", JiraState.RATE_LIMITED, "fewer requests (429)"),
        (500, None, JiraState.ERROR, "in trouble (500)"),
        (503, "invalid_client", JiraState.ERROR, "in trouble (503)"),
    ],
)
def test_each_refusal_has_its_words(status: int, code: str | None, state: JiraState, text: str) -> None:
    error = failure({"error": code, "error_description": "SECRET"} if code else b"<html>SECRET", status)
    assert error.state is state
    assert text in str(error)


@pytest.mark.parametrize("error", [7, ["invalid_client"], {"invalid_client": 1}, None])
def test_a_code_that_is_no_text_is_none(error: object) -> None:
    assert "status 400" in str(failure({"error": error}, 400))


@pytest.mark.parametrize(("used", "other"), [(ClientAuth.BASIC, "body"), (ClientAuth.BODY, "basic")])
def test_a_refused_client_may_have_to_sign_in_the_other_way(used: ClientAuth, other: str) -> None:
    error = failure({"error": "invalid_client"}, 401, AUTH._replace(client_auth=used))
    assert f"does it want client_auth: {other}?" in str(error)


@pytest.mark.parametrize("status", [429, 503])
def test_a_token_server_may_ask_to_be_left_alone(status: int) -> None:
    assert failure(b"", status, Retry_After="90").retry_after == 90
