"""The check of the demo's Jira Cloud against Atlassian's document: that it can fail, and where it looks away."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import ask, four_tickets
from openapi import DOCUMENT, Witness, document

from apimon_node.demo.api import Call
from apimon_node.demo.exchange import JSON, Answer, Request, as_json
from apimon_node.demo.jira import HTML, JiraServer

if not DOCUMENT.is_file():
    pytest.skip(
        f"no document at {DOCUMENT}: the demo's Jira is checked against Atlassian's only where there is one",
        allow_module_level=True,
    )

SEARCH = "/rest/api/3/search/jql"
HISTORY = {"id": "1", "created": "2026-11-23T12:00:00.000+0000", "items": [{"field": "status", "to": "3"}]}


@pytest.fixture
def cloud() -> Iterator[JiraServer]:
    with JiraServer(four_tickets(), cloud=True) as server:
        yield server


@pytest.fixture
def of(cloud: JiraServer, witness: Witness) -> Any:
    """Give what a witness says of one exchange."""

    def violations(request: Request, answer: Answer) -> list[str]:
        witness.see(cloud, request, answer)
        return witness.violations()

    return violations


def got(path: str = SEARCH, **query: str | list[str]) -> Request:
    return Request("GET", path, {name: [text] if isinstance(text, str) else text for name, text in query.items()})


def posted(content: object, path: str = SEARCH) -> Request:
    return Request.read("POST", path, JSON["Content-Type"], json.dumps(content).encode())


def page(**issue: Any) -> Answer:
    return as_json({"isLast": True, "issues": [{"id": "1", **issue}]})


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (got(jql="a", fields=["id", "status"], maxResults="5"), page(key="A-1", fields={"status": 1})),
        (got("/rest/api/2/search/jql", jql="a"), page()),
        (got("/rest/api/latest/search/jql", expand="changelog"), page(changelog={"histories": [HISTORY]})),
        (posted({"jql": "a", "fields": ["id"], "expand": "names"}), page()),
        (posted({"jql": None}), Answer(400, JSON, b"{}")),
        (got(), Answer(401, {"Content-Type": "text/html"}, b"<html>")),
        (got(), Answer(429, {"Content-Type": "text/html"}, b"<html>")),
        (got("/rest/api/3/nosuch"), Answer(404)),
        (got("/rest/api/3/search"), Answer(410)),
        (Request("PUT", SEARCH, {}), Answer(405)),
    ],
)
def test_what_the_document_has_or_does_not_tell_is_no_violation(of: Any, request_: Request, answer: Answer) -> None:
    assert of(request_, answer) == []


@pytest.mark.parametrize(
    ("request_", "answer", "text"),
    [
        (got(), page(number=7), f"GET {SEARCH}: issues/0: Additional properties are not allowed ('number' was"),
        (got(), page(key=None), "issues/0/key: None"),
        (got("/rest/api/2/search/jql"), as_json({"issues": [], "total": 0}), "'total' was unexpected"),
        (got(), as_json([]), "is not of type 'object'"),
        (got(), page(changelog={"histories": [{**HISTORY, "created": "2026-11-23T12:00:00Z"}]}), "'date-time'"),
        (got(), page(changelog={"histories": [{"items": [{"from": None}]}]}), "items/0/from: None"),
        (got(), HTML, "Content for the following mimetype not found: text/html"),
        (got(), Answer(200, JSON, b'{"issues": ['), ""),
        (got(), Answer(404, JSON, b"{}"), "Unknown response http status: 404"),
        (got("/rest/api/3/myself"), Answer(404, JSON, b"{}"), "Unknown response http status: 404"),
        (got("/rest/api/3/field"), as_json([{"id": "a", "clauseNames": ["b", "b"]}]), "0/clauseNames: "),
        (got("/rest/api/3/field"), as_json([{"id": "a", "schema": {}}]), "'type' is a required property"),
        (got(maxResults="many"), page(), "maxResults"),
        (got(startAt="0"), page(), "the document has no parameter startAt"),
        (posted({"jql": "a", "startAt": 0}), page(), "'startAt' was unexpected"),
        (posted({"jql": "a", "expand": None}), page(), "expand: None"),
        (posted({"jql": 1}, "/rest/api/3/search/approximate-count"), as_json({"count": 1}), "jql: 1 is not of type"),
    ],
)
def test_what_the_document_forbids_is_a_violation(of: Any, request_: Request, answer: Answer, text: str) -> None:
    violations = of(request_, answer)
    assert violations
    assert any(text in violation for violation in violations), violations


def test_data_center_is_not_checked(witness: Witness) -> None:
    with JiraServer(four_tickets(), cloud=False) as server:
        witness.see(server, got(), Answer(404))
    assert witness.violations() == []


def test_behind_a_gateway_the_paths_are_the_same(witness: Witness) -> None:
    with JiraServer(four_tickets(), cloud=True, prefix="/ex/jira/1") as server:
        witness.see(server, got(f"/ex/jira/1{SEARCH}"), page(number=7))
    assert witness.violations()


def test_a_wrong_answer_of_the_demos_jira_is_caught(
    cloud: JiraServer, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(call: Call) -> Answer:
        return as_json({"total": len(call.site.issues)})

    ask(cloud, "3/search/jql", jql="status = Open")
    assert witness.violations() == []
    monkeypatch.setattr("apimon_node.demo.jira.ANSWERS", {True: wrong})
    ask(cloud, "2/search/jql", jql="status = Open")
    assert ["'total' was unexpected" in violation for violation in witness.violations()] == [True]


def test_a_violation_fails_the_test_in_which_it_happened(tmp_path: Path) -> None:
    (tmp_path / "test_wrong.py").write_text(
        "from apimon_node.demo.jira import JiraServer\n"
        "from apimon_node.demo.exchange import Answer, Request\n"
        "from apimon_node.demo.site import Site\n"
        "def test_right():\n    pass\n"
        "def test_wrong():\n"
        f"    JiraServer(Site(), cloud=True).witness(Request('GET', {SEARCH!r}, {{}}), Answer(404))\n"
        "def test_right_again():\n    pass\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert "ERROR test_wrong.py::test_wrong - Failed: against Atlassian's OpenAPI document" in done.stdout
    assert "Unknown response http status: 404" in done.stdout
    assert "3 passed, 1 error" in done.stdout


def test_whoever_does_not_ask_jira_does_not_pay_for_the_check() -> None:
    code = "import sys, conftest; print('openapi_core' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "False\n"


def test_without_the_document_nothing_is_checked(monkeypatch: pytest.MonkeyPatch, cloud: JiraServer) -> None:
    monkeypatch.setattr("openapi.DOCUMENT", Path("/nowhere"))
    document.cache_clear()
    try:
        witness = Witness()
        witness.see(cloud, got(), Answer(404))
        assert witness.violations() == []
    finally:
        document.cache_clear()
