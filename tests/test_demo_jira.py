"""The demo's Jira over HTTP: what it answers, what it refuses, how it pages."""

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from apimon_node.demo.jira import (
    CATALOGUE,
    HTML,
    Account,
    Answer,
    Drop,
    Hang,
    JiraServer,
    RepeatedToken,
    Request,
)
from apimon_node.demo.site import Site

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
ACCOUNT = Account("me@example.com", "token")
BASIC = {"Authorization": "Basic " + base64.b64encode(b"me@example.com:token").decode()}
BEARER = {"Authorization": "Bearer token"}


@pytest.fixture
def site() -> Site:
    """Four tickets, OPS-1 the oldest."""
    site = Site()
    site.create("Printer on fire", NOON, status="Open", priority="High", labels=("hardware",))
    site.create("Login broken", NOON + 1, status="In Progress", assignee="Ada", labels=("customer", "web"))
    site.create("Backup full", NOON + 2, status="Review", priority=None)
    site.create("All is well", NOON - 9, status="Done", priority="Low")
    return site


@pytest.fixture
def cloud(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=True, account=ACCOUNT, clock=lambda: NOON) as server:
        yield server


@pytest.fixture
def data_center(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=False, account=ACCOUNT) as server:
        yield server


def ask(
    server: JiraServer, path: str, *, body: str | None = None, headers: dict[str, str] = BASIC, **query: Any
) -> tuple[int, Any]:
    """GET, or POST where there is a body. Gives the status and the JSON (the text, where it is none)."""
    target = f"/rest/api/{path}" + ("?" + urlencode(query, doseq=True) if query else "")
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET" if body is None else "POST", target, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        is_json = answer.headers["Content-Type"].startswith("application/json")
        return answer.status, json.loads(text) if is_json else text
    finally:
        connection.close()


def keys(answer: tuple[int, Any]) -> list[str]:
    status, page = answer
    assert status == 200
    return [issue["key"] for issue in page["issues"]]


# --- both kinds over HTTP ---


def test_an_issue_looks_as_jira_writes_it(data_center: JiraServer) -> None:
    _, page = ask(data_center, "2/search", jql="labels = web")
    assert page["issues"] == [
        {
            "id": "10002",
            "key": "OPS-2",
            "fields": {
                "summary": "Login broken",
                "status": {
                    "id": "3",
                    "name": "In Progress",
                    "statusCategory": {"key": "indeterminate", "name": "In Progress"},
                },
                "priority": {"id": "3", "name": "Medium"},
                "created": "2026-11-23T12:00:01.000+0000",
                "updated": "2026-11-23T12:00:01.000+0000",
                "assignee": {"displayName": "Ada"},
                "labels": ["customer", "web"],
                "duedate": None,
            },
        }
    ]


@pytest.mark.parametrize("version", ["2", "3", "latest"])
def test_cloud_has_two_versions_and_says_what_it_is(cloud: JiraServer, version: str) -> None:
    assert ask(cloud, f"{version}/serverInfo")[1]["deploymentType"] == "Cloud"
    assert ask(cloud, f"{version}/field") == (200, CATALOGUE)
    assert ask(cloud, f"{version}/search/jql", jql="status = Open", fields="summary")[0] == 200


def test_data_center_has_one_version_and_says_what_it_is(data_center: JiraServer) -> None:
    assert ask(data_center, "2/serverInfo")[1]["deploymentType"] == "Server"
    assert ask(data_center, "3/serverInfo")[0] == 404
    assert ask(data_center, "2/search/jql", jql="status = Open")[0] == 404
    assert ask(data_center, "2/myself")[0] == 404


def test_cloud_has_removed_the_old_search(cloud: JiraServer) -> None:
    for status, answer in (ask(cloud, "3/search", jql="status = Open"), ask(cloud, "2/search", body="{}")):
        assert status == 410
        assert answer["errorMessages"][0].startswith("The requested API has been removed.")


def test_cloud_takes_an_e_mail_address_and_a_token_only(cloud: JiraServer) -> None:
    assert ask(cloud, "3/serverInfo", headers=BASIC)[0] == 200
    status, answer = ask(cloud, "3/serverInfo", headers=BEARER)
    assert (status, answer["errorMessages"]) == (401, ["Client must be authenticated to access this resource."])
    assert ask(cloud, "3/serverInfo", headers={})[0] == 401


def test_data_center_takes_a_bearer_or_a_password(data_center: JiraServer) -> None:
    assert ask(data_center, "2/serverInfo", headers=BASIC)[0] == 200
    assert ask(data_center, "2/serverInfo", headers=BEARER)[0] == 200
    status, answer = ask(data_center, "2/serverInfo", headers={"Authorization": "Bearer wrong"})
    assert (status, answer[:6]) == (401, "<html>")


def test_cloud_turns_pages_by_token(cloud: JiraServer) -> None:
    query: dict[str, Any] = {"jql": "project = OPS ORDER BY key", "fields": "summary", "maxResults": 3}
    _, first = ask(cloud, "3/search/jql", **query)
    assert not first["isLast"]
    _, last = ask(cloud, "3/search/jql", **query, nextPageToken=first["nextPageToken"])
    assert last["isLast"]
    assert "nextPageToken" not in last
    assert [issue["key"] for issue in first["issues"] + last["issues"]] == ["OPS-1", "OPS-2", "OPS-3", "OPS-4"]
    assert first.keys() == {"issues", "isLast", "nextPageToken"}


def test_cloud_gives_ids_only_unless_fields_are_asked_for(cloud: JiraServer) -> None:
    _, page = ask(cloud, "3/search/jql", jql="status = Open")
    assert page["issues"] == [{"id": "10001"}]
    for fields in (["summary", "labels"], ["summary,labels"], ["summary", "labels,nosuch"]):
        _, page = ask(cloud, "3/search/jql", jql="status = Open", fields=fields)
        assert page["issues"][0]["fields"] == {"summary": "Printer on fire", "labels": ["hardware"]}
    _, page = ask(cloud, "3/search/jql", jql="status = Open", fields="*all")
    assert len(page["issues"][0]["fields"]) == 8


def test_cloud_gives_no_more_than_100_a_page(cloud: JiraServer, site: Site) -> None:
    for _ in range(150):
        site.create("Many", NOON)
    assert len(ask(cloud, "3/search/jql", jql="project = OPS", maxResults=5000)[1]["issues"]) == 100
    assert len(ask(cloud, "3/search/jql", jql="project = OPS")[1]["issues"]) == 50


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, "Unbounded JQL"),
        ({"jql": "ORDER BY key"}, "Unbounded JQL"),
        ({"jql": "garbage"}, "Field 'garbage' does not exist"),
        ({"jql": "status = Open", "maxResults": "many"}, "maxResults must be a number"),
        ({"jql": "status = Open", "maxResults": "0"}, "at least 1"),
        ({"jql": "status = Open", "nextPageToken": "made-up"}, "token is invalid"),
        ({"jql": "status = Open", "nextPageToken": "12345678-1"}, "token is invalid"),
    ],
)
def test_cloud_refuses(cloud: JiraServer, query: dict[str, Any], text: str) -> None:
    status, answer = ask(cloud, "3/search/jql", **query)
    assert status == 400
    assert text in answer["errorMessages"][0]


def test_a_token_holds_for_its_query_only(cloud: JiraServer) -> None:
    _, first = ask(cloud, "3/search/jql", jql="project = OPS", maxResults=1)
    token = first["nextPageToken"]
    assert ask(cloud, "3/search/jql", jql="status != Open", nextPageToken=token)[0] == 400


def test_data_center_turns_pages_by_number_with_get_and_post(data_center: JiraServer) -> None:
    query: dict[str, Any] = {"jql": "project = OPS ORDER BY key", "startAt": 1, "maxResults": 2, "fields": ["summary"]}
    for answer in (ask(data_center, "2/search", **query), ask(data_center, "2/search", body=json.dumps(query))):
        assert keys(answer) == ["OPS-2", "OPS-3"]
        assert {name: answer[1][name] for name in ("startAt", "maxResults", "total")} == {
            "startAt": 1,
            "maxResults": 2,
            "total": 4,
        }
        assert answer[1]["issues"][0]["fields"] == {"summary": "Login broken"}


def test_data_center_counts_with_a_page_of_size_none(data_center: JiraServer) -> None:
    _, page = ask(data_center, "2/search", jql="status != Open", maxResults=0)
    assert (page["total"], page["issues"]) == (3, [])


def test_in_a_body_null_is_as_good_as_absent(data_center: JiraServer) -> None:
    assert len(keys(ask(data_center, "2/search", body='{"jql": null, "expand": null}'))) == 4


@pytest.mark.parametrize("body", ["", "no json", "[]", "5"])
def test_a_body_that_is_no_object_is_refused(data_center: JiraServer, body: str) -> None:
    assert ask(data_center, "2/search", body=body)[0] == 400


@pytest.mark.parametrize("query", [{"startAt": "-1"}, {"maxResults": "x"}, {"jql": "garbage"}])
def test_data_center_refuses(data_center: JiraServer, query: dict[str, Any]) -> None:
    assert ask(data_center, "2/search", **query)[0] == 400


# --- the server itself ---


def test_what_was_asked_is_recorded(cloud: JiraServer) -> None:
    ask(cloud, "3/search/jql", jql="status = Open", fields=["summary", "status"])
    ask(cloud, "2/search", body='{"jql": "status = Open", "startAt": 3, "fields": ["id"]}')
    first, second = cloud.requests
    assert (first.method, first.path) == ("GET", "/rest/api/3/search/jql")
    assert first.query == {"jql": ["status = Open"], "fields": ["summary", "status"]}
    assert (second.method, second.path) == ("POST", "/rest/api/2/search")
    assert second.query == {"jql": ["status = Open"], "startAt": ["3"], "fields": ["id"]}


def test_the_date_is_that_of_the_clock(cloud: JiraServer) -> None:
    answer = cloud.answer(Request("GET", "/rest/api/3/serverInfo", {}), BASIC["Authorization"])
    assert answer is not None
    assert answer.headers["Date"] == "Mon, 23 Nov 2026 12:00:00 GMT"


def test_a_fault_answers_every_request_until_it_is_healed(cloud: JiraServer) -> None:
    cloud.fail(HTML)
    assert ask(cloud, "3/serverInfo") == (200, HTML.body.decode())
    cloud.fail(Answer(503, {"Content-Type": "text/plain", "Retry-After": "5"}, b"later"))
    assert ask(cloud, "3/field", headers={}) == (503, "later")
    cloud.heal()
    assert ask(cloud, "3/serverInfo")[0] == 200
    assert len(cloud.requests) == 3


def test_a_dropped_connection_ends_without_an_answer(cloud: JiraServer) -> None:
    cloud.fail(Drop())
    with pytest.raises(http.client.RemoteDisconnected):
        ask(cloud, "3/serverInfo")


def test_a_hanging_request_ends_when_its_time_is_over(cloud: JiraServer) -> None:
    cloud.fail(Hang(0.05))
    with pytest.raises(http.client.RemoteDisconnected):
        ask(cloud, "3/serverInfo")


def test_the_server_stops_though_a_request_hangs(site: Site) -> None:
    with JiraServer(site, cloud=True) as server:
        server.fail(Hang(100))
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as waiting:
            waiting.sendall(b"GET /rest/api/3/serverInfo HTTP/1.0\r\n\r\n")
    with pytest.raises(ConnectionRefusedError):
        ask(server, "3/serverInfo")


def test_a_repeated_token_gives_the_first_page_for_ever(cloud: JiraServer) -> None:
    cloud.fail(RepeatedToken())
    query: dict[str, Any] = {"jql": "project = OPS", "fields": "summary", "maxResults": 2}
    first = ask(cloud, "3/search/jql", **query)
    again = ask(cloud, "3/search/jql", **query, nextPageToken=first[1]["nextPageToken"])
    assert first == again
    assert not first[1]["isLast"]


def test_the_server_says_nothing_on_stderr(cloud: JiraServer, capfd: pytest.CaptureFixture[str]) -> None:
    ask(cloud, "3/serverInfo")
    ask(cloud, "3/nosuch")
    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2]))) as rude:
        rude.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
        rude.recv(4096)
    assert capfd.readouterr() == ("", "")
