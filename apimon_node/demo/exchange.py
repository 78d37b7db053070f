"""What the demo's Jira is asked and what it answers, as values. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import responses
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON_TYPE = "application/json"
JSON = {"Content-Type": f"{JSON_TYPE};charset=UTF-8"}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Each parameter has a list of values, whether it came in the query or as JSON."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)  # a form may hold a secret

    @classmethod
    def read(cls, method: str, target: str, content_type: str = "", body: bytes = b"") -> "Request":
        """Take a request as HTTP brings it."""
        url = urlsplit(target)
        request = cls(method, url.path, parse_qs(url.query), content_type.partition(";")[0].strip().lower(), body)
        if method != "POST":
            return request
        parameters = {name: _texts(value) for name, value in (request.content or {}).items()}
        return cls(method, url.path, parameters, request.content_type, body)

    @property
    def content(self) -> dict[str, Any] | None:
        """Return the JSON object in the body, None where there is none."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    def first(self, name: str) -> str | None:
        """Return the first value of a parameter."""
        return next(iter(self.query.get(name, ())), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. As a fault it is sent as it stands: with no Date that it does not name itself."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def wire(self) -> bytes:
        """Return it as HTTP/1.0 sends it: the connection ends after it."""
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.0 {self.code:d} {responses.get(self.code, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def as_json(content: object, code: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON."""
    return Answer(code, {**JSON, **(headers or {})}, json.dumps(content).encode())


def as_error(status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Refuse in Jira's form."""
    return as_json({"errorMessages": [text], "errors": {}}, status, headers)


def as_page(status: HTTPStatus, title: str, headers: Mapping[str, str]) -> Answer:
    """Refuse with a web page, as what stands before Jira does."""
    return Answer(status, {"Content-Type": "text/html", **headers}, f"<html><h1>{title}</h1></html>".encode())


def _texts(value: object) -> list[str]:
    """Return a parameter's values as a query would have them; null is as good as absent."""
    return [str(each) for each in (value if isinstance(value, list) else [value]) if each is not None]
