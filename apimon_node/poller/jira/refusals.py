"""What an answer says that is none: from status, headers and body to a JiraError, in words that help. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.masking import masked
from apimon_node.text import one_line

MAX_RETRY_AFTER = 3600.0  # seconds: no Jira keeps us away for longer than an hour, whatever it says
MAX_REASON = 200  # characters of Jira's own words that go into a text
FIRST_SENSIBLE = 1767225600.0  # 2026-01-01, when this was written: a clock that lost its battery shows less
LAST_SENSIBLE = 4102444800.0  # 2100-01-01: no clock that is right shows more
TOO_MANY_REQUESTS = 429
UNAUTHORIZED = 401
FIRST_TROUBLE = 500  # the HTTP status from which on it is the server's fault (RFC 9110, section 15)

LOGIN_REASON = "X-Seraph-LoginReason"
FAILED = frozenset({"AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED", "AUTHORISATION_FAILED", "OUT"})
"""All values of Seraph's LoginReason but OK (seen: docs.atlassian.com/atlassian-seraph/2.6.1-m1/apidocs)."""


class Server(NamedTuple):
    """Who is asked, in the words of a text: its name, and the key of config.yaml that has its address."""

    name: str
    key: str


JIRA = Server("Jira", "poller.jira.url")


class Refusal(NamedTuple):
    """How a refusal is told; `{status}` is the HTTP status, `{reason}` what Jira said."""

    state: JiraState
    text: str
    everywhere: bool


WEB_PAGE = (
    "Jira answered with a web page instead of JSON: is the URL right (a context path such as /jira?), "
    "and does a login page stand before Jira?"
)
STRANGE = "Jira's answer is not what a search answers: is the URL right, does something between change it?"

# By HTTP status. What is not here is TROUBLE or OTHER.
REFUSALS = {
    400: Refusal(JiraState.QUERY, "Jira does not take the query: {reason}", everywhere=False),
    401: Refusal(
        JiraState.AUTH,
        "Jira refused the sign-in (401): is the token or password right, and not expired?",
        everywhere=True,
    ),
    403: Refusal(
        JiraState.AUTH,
        "Jira denies access (403): may this user see the project, does it owe Jira a CAPTCHA (sign in with a browser)?",
        everywhere=False,
    ),
    404: Refusal(
        JiraState.ERROR,
        "no Jira at this URL (404): is it right, does it need a context path such as /jira?",
        everywhere=True,
    ),
    410: Refusal(
        JiraState.ERROR,
        "this Jira has dropped the search that was asked (410): the next poll finds out which it has",
        everywhere=True,
    ),
    TOO_MANY_REQUESTS: Refusal(
        JiraState.RATE_LIMITED,
        "Jira wants fewer requests (429): poll less often, or query fewer boards",
        everywhere=True,
    ),
    500: Refusal(  # one query can be too much for it
        JiraState.ERROR, "Jira is in trouble (500): nothing to do here, polling goes on", everywhere=False
    ),
}
CAPTCHA = Refusal(
    JiraState.AUTH, "Jira asks this user for a CAPTCHA: sign in once with a browser, and solve it", everywhere=True
)
DENIED = Refusal(
    JiraState.AUTH,
    "Jira does not let this user try to sign in: does it ask for a CAPTCHA (sign in once with a browser)?",
    everywhere=True,
)
SIGNED_OUT = Refusal(
    JiraState.AUTH,
    "Jira did not take the sign-in, and answered as to a stranger: is the token or password right, and not expired?",
    everywhere=True,
)
TROUBLE = Refusal(
    JiraState.ERROR, "Jira is in trouble ({status}): nothing to do here, polling goes on", everywhere=True
)
OTHER = Refusal(JiraState.ERROR, "Jira answered with status {status}: is the URL right?", everywhere=False)


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float, secrets: Iterable[str] = ()) -> JiraError:
    """Put an HTTP status from 400 up into words, which do not have the secrets that were sent.

    `headers` go by any case, `now` is our clock (seconds since 1970).
    """
    told = REFUSALS.get(status, TROUBLE if status >= FIRST_TROUBLE else OTHER)
    reason = _reason(body, secrets) if told.state is JiraState.QUERY else ""
    text = told.text.format(status=status, reason=reason)
    return JiraError(told.state, text, retry_after(status, headers, now), everywhere=told.everywhere)


def sign_in_refusal(status: int, headers: Mapping[str, str]) -> JiraError | None:
    """Return how an answer refuses a sign-in beyond its status; None where it does not, or refuses all just now."""
    if status == TOO_MANY_REQUESTS or status >= FIRST_TROUBLE:
        return None
    if "CAPTCHA_CHALLENGE" in _words(headers, "X-Authentication-Denied-Reason"):
        told = CAPTCHA
    elif "AUTHENTICATION_DENIED" in _words(headers, LOGIN_REASON):
        told = DENIED
    elif status != UNAUTHORIZED and _signed_out(headers):
        told = SIGNED_OUT
    else:
        return None
    return JiraError(told.state, told.text, everywhere=told.everywhere)


def _signed_out(headers: Mapping[str, str]) -> bool:
    """Return whether an answer says that it is one to a stranger. A gateway may say nothing, which proves nothing.

    Cloud answers an expired token with 200 and no issues, and so (seen: MrRefactoring/jira.js #418). Data Center names
    whom it answers in X-AUSERNAME. Seraph adds OK to the header once it has found a user, after whatever else is there
    (seen: DefaultAuthenticator.getUser of Seraph 4).
    """
    reasons = _words(headers, LOGIN_REASON)
    failed = "OK" not in reasons and not reasons.isdisjoint(FAILED)
    return failed or "ANONYMOUS" in _words(headers, "X-AUSERNAME")


def _words(headers: Mapping[str, str], name: str) -> set[str]:
    return set(re.split(r"[,;\s]+", headers.get(name, "").upper()))


def strange(text: str = STRANGE) -> JiraError:
    """Return the error for an answer that makes no sense."""
    return JiraError(JiraState.ERROR, text)


def server_time(headers: Mapping[str, str]) -> float | None:
    """Read the clock of the server (`Date`) as seconds since 1970; None where it tells none, or nonsense."""
    return _epoch(headers.get("Date", ""))


def retry_after(status: int, headers: Mapping[str, str], now: float) -> float:
    """Return for how many seconds the server wants to be left alone, from 0 to MAX_RETRY_AFTER.

    `Retry-After` is seconds or a date (RFC 9110, section 10.2.3); a 429 of Jira Cloud may have X-RateLimit-Reset alone.
    Dates count from the server's clock, where it tells.
    """
    value = headers.get("Retry-After", "")
    if value.isdecimal():
        return min(float(value), MAX_RETRY_AFTER)
    until = _epoch(value)
    if until is None and status == TOO_MANY_REQUESTS:
        until = _reset(headers.get("X-RateLimit-Reset", ""))
    if until is None:
        return 0.0
    at = server_time(headers)
    return min(max(until - (now if at is None else at), 0.0), MAX_RETRY_AFTER)


def _epoch(date: str) -> float | None:
    """Read a date of HTTP."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # no date, the 99th of November, a zone a million hours away
        return None
    return _sensible(moment)


def _reset(time: str) -> float | None:
    """Read a time of ISO 8601, with or without its seconds."""
    try:
        return _sensible(datetime.fromisoformat(time))
    except ValueError:
        return None


def _sensible(moment: datetime) -> float | None:
    epoch = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return epoch if FIRST_SENSIBLE <= epoch <= LAST_SENSIBLE else None


def _reason(body: bytes, secrets: Iterable[str]) -> str:
    """Return Jira's own messages on one line, without these secrets.

    They are the values of `errorMessages` (a list) and of `errors` (by field).
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    lists = (said.get("errorMessages"), said.get("errors")) if isinstance(said, dict) else ()
    text = one_line(" ".join(str(message) for messages in lists for message in _values(messages)))
    return masked(text, secrets)[:MAX_REASON] or "it gave no reason"


def _values(messages: object) -> Iterable[object]:
    """Return the values of a JSON list or object, none of anything else."""
    if isinstance(messages, dict):
        return messages.values()
    return messages if isinstance(messages, list) else ()
