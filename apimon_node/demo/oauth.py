"""An OAuth application with client credentials: gives tokens, and knows them again (RFC 6749, sections 2.3 and 4.4)."""

import base64
import binascii
import secrets
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qs, unquote_plus

from apimon_node.demo.exchange import Answer, Request, as_json
from apimon_node.errors import ApimonError

TOKEN_PATH = "/rest/oauth2/latest/token"  # noqa: S105 - where Data Center has it, not one
FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
CHALLENGE = {"WWW-Authenticate": 'Basic realm="oauth"'}


class TokenRefused(ApimonError):  # noqa: N818 - it is an answer of the protocol
    """The token is refused, with one of the codes of RFC 6749, section 5.2."""

    def __init__(self, code: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class OAuthApp:
    """A client that may ask for tokens. `client_auth` is where its id and secret must stand, `lifetime` in seconds."""

    def __init__(
        self,
        client_id: str,
        secret: str,
        scope: str = "",
        client_auth: Literal["basic", "body"] = "basic",
        lifetime: float = 3600,
    ) -> None:
        self.client_id = client_id
        self.secret = secret
        self.scope = scope
        self.client_auth = client_auth
        self.lifetime = lifetime
        self.tokens = 0
        """How many were given."""
        self._living: dict[str, float] = {}  # by token, when it expires
        self._lock = threading.Lock()

    def admits(self, token: str, now: float) -> bool:
        """Return whether a token was given here and lives."""
        with self._lock:
            return now < self._living.get(token, now)

    def revoke(self) -> None:
        """Make all tokens invalid that were given so far."""
        with self._lock:
            self._living.clear()

    def answer(self, request: Request, authorization: str, now: float) -> Answer:
        """Answer a request for a token."""
        if request.method != "POST":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "POST"})
        try:
            form = _form(request)
            self._check_client(form, authorization)
            scope = self._granted(form)
        except TokenRefused as refusal:
            challenge = CHALLENGE if refusal.status is HTTPStatus.UNAUTHORIZED else {}
            return as_json({"error": refusal.code}, refusal.status, NO_STORE | challenge)
        content = {"access_token": self._give(now), "token_type": "Bearer", "expires_in": int(self.lifetime)}
        return as_json(content | ({"scope": scope} if scope else {}), headers=NO_STORE)

    def _check_client(self, form: Mapping[str, str], authorization: str) -> None:
        """Refuse all but our client, and that too where it gives its secret in the wrong place, or in two."""
        in_body = "client_secret" in form
        if authorization and in_body:
            raise TokenRefused("invalid_request")
        if self.client_auth == "basic":
            given = _basic(authorization)
            right = not in_body and form.get("client_id", self.client_id) == self.client_id
        else:
            given = form.get("client_id", ""), form.get("client_secret", "")
            right = not authorization
        if not right or given != (self.client_id, self.secret):
            unauthorized = self.client_auth == "basic" or authorization
            raise TokenRefused("invalid_client", HTTPStatus.UNAUTHORIZED if unauthorized else HTTPStatus.BAD_REQUEST)

    def _granted(self, form: Mapping[str, str]) -> str:
        """Return the scope of the token: what was asked, which must be some of ours, and may not be left out."""
        if "grant_type" not in form:
            raise TokenRefused("invalid_request")
        if form["grant_type"] != "client_credentials":
            raise TokenRefused("unsupported_grant_type")
        asked = form.get("scope", "").split()
        if not set(asked) <= set(self.scope.split()) or (self.scope and not asked):
            raise TokenRefused("invalid_scope")
        return " ".join(asked)

    def _give(self, now: float) -> str:
        token = secrets.token_urlsafe()
        with self._lock:
            self.tokens += 1
            self._living = {old: until for old, until in self._living.items() if now < until}
            self._living[token] = now + self.lifetime
        return token


def _form(request: Request) -> dict[str, str]:
    """Read the parameters, none of which may come twice; an empty one is as good as absent (section 3.2)."""
    if request.content_type != FORM:
        raise TokenRefused("invalid_request")
    try:
        parameters = parse_qs(request.body.decode("ascii"), strict_parsing=True)
    except ValueError:
        raise TokenRefused("invalid_request") from None
    if any(len(values) > 1 for values in parameters.values()):
        raise TokenRefused("invalid_request")
    return {name: values[0] for name, values in parameters.items()}


def _basic(authorization: str) -> tuple[str, str]:
    """Return id and secret from a header; they are encoded as in a form before they are joined (section 2.3.1)."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        text = base64.b64decode(credentials, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    name, _, secret = text.partition(":") if scheme.lower() == "basic" else ("", "", "")
    return unquote_plus(name), unquote_plus(secret)
