"""Owns how each request to Jira is signed: with a secret, with a token of OAuth2 that all threads share, or not."""

import base64
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from apimon_node.config.settings import AuthSettings, AuthType, ClientAuth, JiraSettings
from apimon_node.errors import ApimonError, JiraError, JiraState
from apimon_node.poller.jira import oauth2
from apimon_node.poller.jira.oauth2 import TOKEN_SERVER
from apimon_node.poller.jira.password import PasswordGuard, Trying
from apimon_node.poller.jira.refusals import UNAUTHORIZED, sign_in_refusal
from apimon_node.poller.jira.shared import Shared

if TYPE_CHECKING:
    from apimon_node.poller.jira.transport import Request, Response, Sign

HALF = 0.5
"""After this part of its life a token is replaced: long before it ends, and also where a clock goes wrong."""

BEARER = "Bearer "

NOT_SENDABLE = "the token, password or user is empty or has characters that HTTP cannot send"
EMPTY = "the client secret is empty"
NEEDS_BODY = "the client secret has characters that HTTP Basic cannot send: set client_auth: body"
FRESH_REFUSED = (
    "Jira refused a token that the token server had just given (401): does this Jira take tokens of that server, "
    "are poller.jira.auth.scope and the rights of the client right?"
)


class Signing(NamedTuple):
    """How one session signs in: what signs its requests, what goes around each, and whether they sign in at all."""

    sign: "Sign"
    trying: Trying = nullcontext
    signed: bool = True


class SignIn:
    """Signs requests in the way that the configuration names. `secret` is called whenever the secret is needed."""

    def __init__(self, settings: JiraSettings, secret: Callable[[], str], now: Callable[[], float]) -> None:
        self._settings = settings
        self._auth = settings.auth
        self._read = secret
        self._token = Shared(self._fetch, now)
        self._guard = PasswordGuard(now)

    def sign(self) -> Signing:
        """Return what signs the requests of one session. Raises JiraError."""
        if self._auth.type is AuthType.NONE:
            return Signing(_unsigned, signed=False)
        if self._auth.type is AuthType.OAUTH2:
            return Signing(_WithToken(self._token))
        secret, user = self._secret(), self._auth.user or ""
        if not secret or not _sendable(user + secret):
            raise _wrong(NOT_SENDABLE)
        if self._auth.type is AuthType.PAT:
            return Signing(_with_header(BEARER + secret))
        sign = _with_header(_basic(user, secret))
        return Signing(sign, self._guard.trying(secret)) if self._auth.type is AuthType.BASIC else Signing(sign)

    def forget(self) -> None:
        """Invalidate the token."""
        self._token.forget()

    def _secret(self) -> str:
        try:
            return self._read()
        except ApimonError as error:
            raise _wrong(str(error)) from error

    def _fetch(self) -> tuple[str, float]:
        """Ask the token server for a token; tell for how many seconds to use it."""
        from apimon_node.poller.jira import transport  # noqa: PLC0415 - it imports requests

        secret = self._secret()
        if not secret:
            raise _wrong(EMPTY)
        if self._auth.client_auth is ClientAuth.BASIC and not _sendable(secret):
            raise _wrong(NEEDS_BODY)
        form, sign = _request(self._auth, secret)
        answer = transport.post(self._auth.token_url or "", form, sign, self._settings.timeout, TOKEN_SERVER)
        token = oauth2.token(*answer, self._auth, time.time())
        return token.text, token.life * HALF


def _request(auth: AuthSettings, secret: str) -> tuple[dict[str, str], "Sign"]:
    """Return the form that asks for a token, and what signs the request.

    In the header both stand as they are, as the predecessor sent them and most clients do; RFC 6749 (section 2.3.1)
    would encode them first. That is the same for letters, digits and - . _ ~; for others client_auth: body helps.
    """
    form = {"grant_type": "client_credentials"}
    if auth.scope:
        form["scope"] = auth.scope
    name = auth.client_id or ""
    if auth.client_auth is ClientAuth.BODY:
        return form | {"client_id": name, "client_secret": secret}, _unsigned
    return form, _with_header(_basic(name, secret))


class _WithToken:
    """Signs requests with the token of all, and sees to it that one is tried again where Jira refuses the token."""

    def __init__(self, shared: Shared[str]) -> None:
        self._shared = shared

    def __call__(self, request: "Request") -> "Request":
        """Sign a request."""
        request.headers["Authorization"] = BEARER + self._shared.get()
        request.register_hook("response", self._try_again)
        return request

    def _try_again(self, answer: "Response", **how: Any) -> "Response":
        """Send a request whose token was not taken once more, with a new one: the old one may have been withdrawn.

        Not where the request was led to another host: requests takes the signature away then, and so it must stay.
        """
        signature = str(answer.request.headers.get("Authorization", ""))
        refused = answer.status_code == UNAUTHORIZED or sign_in_refusal(answer.status_code, answer.headers)
        if not refused or not signature:
            return answer
        request = answer.request.copy()
        request.headers["Authorization"] = BEARER + self._shared.get(instead_of=signature.removeprefix(BEARER))
        again: Response = answer.connection.send(request, **how)
        if again.status_code == UNAUTHORIZED:
            raise _wrong(FRESH_REFUSED)
        return again


def _with_header(authorization: str) -> "Sign":
    """Return what signs requests with a header. It is a closure: nothing shows what it holds."""

    def sign(request: "Request") -> "Request":
        request.headers["Authorization"] = authorization
        return request

    return sign


def _unsigned(request: "Request") -> "Request":
    """Sign a request with nothing. Without this, requests would look into ~/.netrc."""
    return request


def _wrong(text: str) -> JiraError:
    return JiraError(JiraState.AUTH, text, everywhere=True)


def _basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode("latin-1")).decode()


def _sendable(text: str) -> bool:
    """Return whether HTTP can carry a text in a header: one line of Latin-1 (RFC 9110, section 5.5)."""
    return text.isprintable() and max(text) <= "\xff"
