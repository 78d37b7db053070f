"""Holds what the demo's Jira Cloud is asked, and what it answers, against Atlassian's OpenAPI document of Jira Cloud.

The document is looked for beside the checkout, in ../shared/facts/jira-openapi-subset.json; the environment variable
APIMON_JIRA_OPENAPI names it elsewhere. Where there is none, nothing is checked, and test_openapi.py says so.

An answer must be one that the document has for its path; a request must be, where it was answered well. What the
document does not tell is not checked: Data Center, the removed search, tokens of OAuth, who may sign in.
"""

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from http import HTTPMethod, HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from apimon_node.demo.exchange import Answer, Request
from apimon_node.demo.jira import JiraServer

if TYPE_CHECKING:
    from openapi_core import OpenAPI

BESIDE = Path(__file__).parent.parent.parent / "shared/facts/jira-openapi-subset.json"
DOCUMENT = Path(os.environ.get("APIMON_JIRA_OPENAPI") or BESIDE)
HOST = "https://your-domain.atlassian.net"  # the document's server
VERSION = re.compile(r"/rest/api/(2|3|latest)/")
JIRA_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}")
JSON_TYPE = "application/json"


class Exchange(NamedTuple):
    """A request to Jira Cloud and its answer; `path` is as the document writes it."""

    path: str
    request: Request
    answer: Answer


class Witness:
    """Notes exchanges in the threads of the servers; checks them afterwards, so that no answer has to wait for that."""

    def __init__(self) -> None:
        self._seen: list[Exchange] = []

    def see(self, server: JiraServer, request: Request, answer: Answer) -> None:
        """Note an exchange that the document knows: one of Cloud, in whichever version of the API."""
        if not server.cloud or not request.path.startswith(server.prefix):
            return
        path = VERSION.sub("/rest/api/3/", request.path.removeprefix(server.prefix), count=1)
        if request.method.lower() in document().get("paths", {}).get(path, {}):
            self._seen.append(Exchange(path, request, answer))

    def violations(self) -> list[str]:
        """Tell what was wrong since the last call."""
        seen, self._seen = self._seen, []
        return [f"{one.request.method} {one.path}: {text}" for one in seen for text in _violations(one)]


@functools.cache
def document() -> Mapping[str, Any]:
    """Read the document, with what it says beyond Jira taken out; empty where there is none."""
    if not DOCUMENT.is_file():
        return {}
    content: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    for operations in content["paths"].values():
        for operation in operations.values():
            del operation["security"]  # openapi-core cannot check OAuth, and nobody has to sign in
            # Atlassian's own document does not know 429. The answer comes from what stands before Jira, as a page.
            operation["responses"]["429"].pop("content", None)
    return content


@functools.cache
def _api() -> "OpenAPI":
    """Load the document into the library, which takes its time to import."""
    from openapi_core import Config, OpenAPI  # noqa: PLC0415

    # Where the document says date-time, Jira writes +0000 without the colon that RFC 3339 wants.
    formats = {"date-time": lambda text: bool(JIRA_TIME.fullmatch(text))}
    return OpenAPI.from_dict(dict(document()), config=Config(extra_format_validators=formats))


def _violations(exchange: Exchange) -> tuple[str, ...]:
    """Check an exchange. Polls repeat themselves: what was checked in this process is not checked again."""
    request, answer = exchange.request, exchange.answer
    query = tuple((name, *values) for name, values in request.query.items())
    content_type = answer.headers.get("Content-Type", "").partition(";")[0]
    return _checked(
        request.method, exchange.path, query, request.content_type, request.body, answer.code, content_type, answer.body
    )


@functools.lru_cache(maxsize=1000)
def _checked(
    method: str,
    path: str,
    query: tuple[tuple[str, ...], ...],
    request_type: str,
    body: bytes,
    code: int,
    answer_type: str,
    content: bytes,
) -> tuple[str, ...]:
    from openapi_core.testing import MockRequest, MockResponse  # noqa: PLC0415

    parameters = {name: list(values) for name, *values in query} if method == HTTPMethod.GET else {}
    request = MockRequest(HOST, method, path, args=parameters, data=body, content_type=request_type or JSON_TYPE)
    answer = MockResponse(content, code, content_type=answer_type)
    errors = list(_api().iter_response_errors(request, answer))
    unknown: list[str] = []
    if code == HTTPStatus.OK:
        errors += _api().iter_request_errors(request)
        unknown = sorted(set(parameters) - set(_parameters(method, path)))
    return (*map(_told, errors), *(f"the document has no parameter {name}" for name in unknown))


def _parameters(method: str, path: str) -> Iterator[str]:
    """Give the parameters that the document names."""
    for parameter in document()["paths"][path][method.lower()].get("parameters", ()):
        yield parameter["name"]


def _told(error: Exception) -> str:
    """Say what is wrong, and where in the content."""
    schema_errors = getattr(error.__cause__, "schema_errors", ())
    places = [f"{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in schema_errors]
    return "; ".join(places) or f"{error} ({error.__cause__})"
