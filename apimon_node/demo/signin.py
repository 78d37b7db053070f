"""Who is admitted where."""

import base64
from dataclasses import dataclass, field
from http import HTTPStatus

from apimon_node.demo.exchange import Answer, as_error, as_page
from apimon_node.demo.oauth import OAuthApp


@dataclass(frozen=True, slots=True)
class Account:
    """Who may ask. On Cloud the secret is an API token, on Data Center a password and a PAT at once."""

    user: str
    secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """Give what stands behind the word Basic in an Authorization header."""
        return base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def admits(
    authorization: str, account: Account | None, oauth: OAuthApp | None, now: float, *, cloud: bool, gateway: bool
) -> bool:
    """Tell whether an Authorization header signs in. Without account and application anyone may come in.

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
        return as_error(HTTPStatus.UNAUTHORIZED, "Client must be authenticated to access this resource.")
    headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
    return as_page(HTTPStatus.UNAUTHORIZED, "Basic Authentication Failure", headers)
