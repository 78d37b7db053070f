"""What a token server answers (RFC 6749, section 4.4: client credentials), as a token or as what to do. Pure.

Of what the server says nothing goes into a text but the codes of the RFC: it may repeat the secret.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from apimon_node.config.settings import AuthSettings, ClientAuth
from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.refusals import FIRST_TROUBLE, TOO_MANY_REQUESTS, Server, retry_after

TOKEN_SERVER = Server("the token server", "poller.jira.auth.token_url")

HOUR = 3600.0
"""Seconds that a token lives whose server does not tell (RFC 6749, section 5.1, only recommends it): the usual."""

YEAR = 366 * 24 * HOUR
"""Seconds after which a token is replaced, however long its server says that it lives: a float has an end."""

OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 200, 401, 403, 404

SERVER = f"{TOKEN_SERVER.name} ({TOKEN_SERVER.key})"

# By the code in the body (RFC 6749, section 5.2); `{other}` is the way for the client to sign in that is not used.
ERRORS = {
    "invalid_client": (
        JiraState.AUTH,
        "{server} refuses the client: are client_id and the client secret right, does it want client_auth: {other}?",
    ),
    "invalid_scope": (JiraState.AUTH, "{server} refuses the scope: is poller.jira.auth.scope right?"),
    "unauthorized_client": (
        JiraState.AUTH,
        "{server} gives this client no token for its secret alone: allow it the grant client_credentials there",
    ),
    "access_denied": (JiraState.AUTH, "{server} denies this client a token: allow it there"),
    "unsupported_grant_type": (JiraState.ERROR, "{server} knows no grant client_credentials: is the address right?"),
    "invalid_request": (
        JiraState.ERROR,
        "{server} does not take the request: does it want client_auth: {other}, or a scope?",
    ),
}

# By HTTP status, where the body has no such code.
STATUSES = {
    UNAUTHORIZED: ERRORS["invalid_client"],
    FORBIDDEN: ERRORS["access_denied"],
    NOT_FOUND: (JiraState.ERROR, "{server} is not at this address (404): is it right?"),
    TOO_MANY_REQUESTS: (
        JiraState.RATE_LIMITED,
        "{server} wants fewer requests (429): does something else ask with this client too?",
    ),
}
TROUBLE = (JiraState.ERROR, "{server} is in trouble ({status}): nothing to do here, polling goes on")
OTHER = (JiraState.ERROR, "{server} answered with status {status}: is the address right?")

NO_JSON = "{server} answered with no JSON: is the address right, does a login page stand before it?"
NO_TOKEN = "{server} gave no access_token that can be sent: is the address right?"  # noqa: S105 - none
NO_BEARER = "{server} gave a token that is no Bearer token: Jira takes no others"
NO_LIFE = "{server} gave a token whose expires_in is no number of seconds above 0: have it mended there"


class Token(NamedTuple):
    """What Jira is shown, and for how many seconds it is good."""

    text: str
    life: float

    def __repr__(self) -> str:
        """Keep the secret out of logs."""
        return f"Token(life={self.life:g})"


def token(status: int, headers: Mapping[str, str], body: bytes, auth: AuthSettings, now: float) -> Token:
    """Read the answer of a token server. `now` is our clock (seconds since 1970). Raises JiraError."""
    said = _object(body)
    if status != OK:
        raise _refusal(status, said or {}, auth, retry_after(status, headers, now))
    if said is None:
        raise _strange(NO_JSON)
    text = said.get("access_token")
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not text.strip():
        raise _strange(NO_TOKEN)
    if str(said.get("token_type", "bearer")).lower() != "bearer":
        raise _strange(NO_BEARER)
    return Token(text, _life(said.get("expires_in")))


def _life(seconds: object) -> float:
    """Read expires_in: a number, though some servers put it in quotes; absent it may be (RFC 6749, section 5.1)."""
    if seconds is None:
        return HOUR
    if isinstance(seconds, str) and seconds.isdecimal():
        seconds = float(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise _strange(NO_LIFE)
    return float(min(seconds, YEAR))


def _refusal(status: int, said: Mapping[str, Any], auth: AuthSettings, retry_after: float) -> JiraError:
    other = ClientAuth.BODY if auth.client_auth is ClientAuth.BASIC else ClientAuth.BASIC
    code = said.get("error")
    if status == TOO_MANY_REQUESTS or status >= FIRST_TROUBLE or not isinstance(code, str):
        code = None
    state, text = ERRORS.get(code or "") or STATUSES.get(status) or (TROUBLE if status >= FIRST_TROUBLE else OTHER)
    return JiraError(state, text.format(server=SERVER, status=status, other=other), retry_after, everywhere=True)


def _strange(text: str) -> JiraError:
    return JiraError(JiraState.ERROR, text.format(server=SERVER), everywhere=True)


def _object(body: bytes) -> dict[str, Any] | None:
    """Read a JSON object; None where there is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
