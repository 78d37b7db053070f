"""Who is admitted where, and what an answer says of whom it is for."""

import base64
import binascii
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from apimon_node.demo.exchange import Answer, as_error, as_page
from apimon_node.demo.oauth import OAuthApp

FAILED: Mapping[str, str] = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
MAX_FAILED = 3
"""Failed sign-ins that Jira lets pass without a CAPTCHA: its default (seen: "Maximum Authentication Attempts Allowed",
gioboa/jira-plugin #26)."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who may ask. On Cloud the secret is an API token, on Data Center a password and a PAT at once."""

    user: str
    secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """Return what stands behind the word Basic in an Authorization header."""
        return base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def admits(
    authorization: str, account: Account | None, oauth: OAuthApp | None, now: float, *, cloud: bool, gateway: bool
) -> bool:
    """Return whether an Authorization header signs in. Without account and application anyone may come in.

    | site                             | user and secret | secret as a bearer | token of OAuth |
    |----------------------------------|-----------------|--------------------|----------------|
    | Data Center                      | yes             | yes, a PAT         | yes            |
    | Cloud                            | yes             | no                 | no             |
    | Cloud, gateway, service accounts | yes             | yes                | yes            |
    """
    if account is None and oauth is None:
        return True
    scheme, _, credentials = authorization.partition(" ")
    match scheme.lower():
        case "basic":
            return account is not None and credentials == account.basic
        case "bearer" if gateway or not cloud:
            is_secret = account is not None and credentials == account.secret
            return is_secret or (oauth is not None and oauth.admits(credentials, now))
    return False


def refusal(*, cloud: bool) -> Answer:
    """Answer whoever is not admitted."""
    if cloud:
        return as_error(HTTPStatus.UNAUTHORIZED, "Client must be authenticated to access this resource.", FAILED)
    return as_page(HTTPStatus.UNAUTHORIZED, "Basic Authentication Failure", FAILED)


def stranger(*, cloud: bool, tried: bool) -> Mapping[str, str]:
    """Return the headers of an answer to nobody, who has tried to sign in or not.

    Cloud says that a token has expired only so, with status 200 (seen: MrRefactoring/jira.js #418); Data Center names
    nobody (seen: field notes of a client for X-AUSERNAME).
    """
    if not cloud:
        return {"X-AUSERNAME": "anonymous"}
    return FAILED if tried else {}


def signed(authorization: str, *, cloud: bool) -> Mapping[str, str]:
    """Return the headers of an answer to somebody who has signed in."""
    ok = {"X-Seraph-LoginReason": "OK"}
    return ok if cloud else ok | {"X-AUSERNAME": user(authorization) or "owner-of-the-token"}


def user(authorization: str) -> str:
    """Return the user that HTTP Basic names; nothing where it is another way to sign in."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials, validate=True).decode("latin-1").partition(":")[0]
    except binascii.Error:
        return ""


class Lockout:
    """The CAPTCHA of Data Center: after three failed sign-ins by HTTP Basic a user is refused whatever the password.

    Until somebody solves it in a browser. A good sign-in before begins the count anew.
    """

    def __init__(self) -> None:
        self._failed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __contains__(self, name: str) -> bool:
        return self._failed[name] >= MAX_FAILED

    def note(self, name: str, *, good: bool) -> None:
        """Note how a sign-in by HTTP Basic went; nobody has no name."""
        with self._lock:
            if good:
                del self._failed[name]
            elif name:
                self._failed[name] += 1

    def solve(self) -> None:
        """Solve the CAPTCHA of all users."""
        self._failed.clear()

    @staticmethod
    def refusal(url: str) -> Answer:
        """Answer a user who owes a CAPTCHA (seen: cristibaluta/Jit #12)."""
        headers = {
            "X-Seraph-LoginReason": "AUTHENTICATION_DENIED",
            "X-Authentication-Denied-Reason": f"CAPTCHA_CHALLENGE; login-url={url}/login.jsp",
        }
        return as_page(HTTPStatus.FORBIDDEN, "Forbidden", headers)
