"""The demo's Jira over HTTP: what Cloud and Data Center answer, what they refuse, and how they turn pages."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from asking import ACCOUNT, BASIC, NOON, ask, four_tickets, keys

from apimon_node.demo.jira import JiraServer
from apimon_node.demo.site import Site
from apimon_node.demo.sla import Cycle, Sla


@pytest.fixture
def site() -> Site:
    return four_tickets()


@pytest.fixture
def cloud(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=True, account=ACCOUNT, clock=lambda: NOON) as server:
        yield server


@pytest.fixture
def data_center(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=False, account=ACCOUNT, clock=lambda: NOON) as server:
        yield server


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
    assert ask(cloud, f"{version}/field")[0] == 200
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


# --- the rest of the API ---


def test_a_long_query_can_be_posted_to_cloud(cloud: JiraServer) -> None:
    query: dict[str, Any] = {"jql": "project = OPS", "fields": ["summary"], "maxResults": 3, "expand": "changelog"}
    _, first = ask(cloud, "3/search/jql", body=json.dumps(query))
    _, last = ask(cloud, "3/search/jql", body=json.dumps({**query, "nextPageToken": first["nextPageToken"]}))
    assert [issue["key"] for issue in first["issues"] + last["issues"]] == ["OPS-4", "OPS-3", "OPS-2", "OPS-1"]
    assert last["issues"][0]["changelog"]["total"] == 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("no json", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        ('{"jql": "status = Open", "startAt": 0}', "Unrecognized field 'startAt'"),
        ('{"jql": "status = Open", "expand": null}', "the value of 'expand'"),
        ('{"jql": "status = Open", "expand": ["changelog"]}', "the value of 'expand'"),
        ('{"jql": "status = Open", "maxResults": "5"}', "the value of 'maxResults'"),
        ('{"jql": "status = Open", "maxResults": true}', "the value of 'maxResults'"),
        ('{"jql": "status = Open", "fields": "summary"}', "the value of 'fields'"),
        ('{"jql": "status = Open", "reconcileIssues": [1]}', "Unrecognized field 'reconcileIssues'"),
        ('{"jql": "ORDER BY key"}', "Unbounded JQL"),
    ],
)
def test_cloud_refuses_a_body(cloud: JiraServer, body: str, text: str) -> None:
    status, answer = ask(cloud, "3/search/jql", body=body)
    assert status == 400
    assert text in answer["errorMessages"][0]


@pytest.mark.parametrize("body", ['{"nextPageToken": "1"}', '{"jql": 5}', '{"expand": "changelog"}'])
def test_data_center_refuses_a_body(data_center: JiraServer, body: str) -> None:
    assert ask(data_center, "2/search", body=body)[0] == 400


def test_a_body_must_say_that_it_is_json(data_center: JiraServer) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask(data_center, "2/search", body="jql=", headers=BASIC | form)[0] == 415
    spelled = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert ask(data_center, "2/search", body="{}", headers=BASIC | spelled)[0] == 200


def test_cloud_counts(cloud: JiraServer) -> None:
    assert ask(cloud, "3/search/approximate-count", body='{"jql": "status != Open"}') == (200, {"count": 3})
    assert ask(cloud, "3/search/approximate-count", body='{"jql": ""}')[0] == 400
    assert ask(cloud, "3/search/approximate-count", body='{"jql": "status != Open", "maxResults": 1}')[0] == 400


def test_what_would_change_the_answer_and_is_not_known_here_is_refused(cloud: JiraServer) -> None:
    for name in ("properties", "fieldsByKeys", "reconcileIssues"):
        query: dict[str, Any] = {"jql": "status = Open", name: "1"}
        status, answer = ask(cloud, "3/search/jql", **query)
        assert (status, answer["errorMessages"]) == (400, [f"{name} is not implemented here."])


def test_both_list_their_statuses(cloud: JiraServer, data_center: JiraServer) -> None:
    for server in (cloud, data_center):
        _, statuses = ask(server, "2/status")
        assert [(status["id"], status["name"], status["statusCategory"]["key"]) for status in statuses] == [
            ("1", "Open", "new"),
            ("3", "In Progress", "indeterminate"),
            ("10001", "Review", "indeterminate"),
            ("10002", "Done", "done"),
        ]


def test_the_catalogue_names_all_fields_of_an_issue(cloud: JiraServer) -> None:
    _, fields = ask(cloud, "3/field")
    assert {field["id"] for field in fields} == set(cloud.site.issues[0].fields(NOON))
    assert not any(field["custom"] for field in fields)
    assert fields[-1] == {
        "id": "duedate",
        "key": "duedate",
        "name": "Due date",
        "custom": False,
        "orderable": True,
        "navigable": True,
        "searchable": True,
        "clauseNames": ["due"],
        "schema": {"type": "date", "system": "duedate"},
    }


def test_slas_are_custom_fields_in_catalogue_and_issue(data_center: JiraServer, cloud: JiraServer) -> None:
    site = four_tickets(Site(slas=("Time to resolution", "Time to first response")))
    site.sla("OPS-1", "Time to resolution", Sla(Cycle(NOON - 60, 30)))
    cloud.site = data_center.site = site
    for server, search in ((cloud, "search/jql"), (data_center, "search")):
        _, fields = ask(server, "2/field")
        assert [field["id"] for field in fields if field["custom"]] == ["customfield_10030", "customfield_10031"]
        assert fields[-2]["name"] == "Time to resolution"
        assert fields[-2]["schema"] == {
            "type": "sd-servicelevelagreement",
            "custom": "com.atlassian.servicedesk:sd-sla-field",
            "customId": 10030,
        }
        names = "customfield_10030,customfield_10031"
        _, page = ask(server, f"2/{search}", jql="project = OPS ORDER BY key", fields=names)
        assert page["issues"][0]["fields"]["customfield_10030"]["ongoingCycle"]["breached"]
        assert page["issues"][1]["fields"] == {"customfield_10030": None, "customfield_10031": None}


def test_the_changelog_comes_on_demand_as_each_kind_gives_it(data_center: JiraServer, cloud: JiraServer) -> None:
    site = four_tickets()
    for number in range(25):
        site.move("OPS-1", "Review", NOON + number)
        site.move("OPS-1", "Open", NOON + number)
    cloud.site = data_center.site = site
    _, page = ask(cloud, "3/search/jql", jql="status = Open", fields="status", expand="names,changelog,nosuch")
    log = page["issues"][0]["changelog"]
    assert (log["startAt"], log["maxResults"], log["total"]) == (0, 40, 50)
    assert [history["id"] for history in log["histories"]] == [str(20050 - number) for number in range(40)]
    _, page = ask(data_center, "2/search", jql="status = Open", fields="status", expand="changelog")
    log = page["issues"][0]["changelog"]
    assert (log["startAt"], log["maxResults"], log["total"]) == (0, 50, 50)
    assert [history["id"] for history in log["histories"]] == [str(20001 + number) for number in range(50)]
    posted = json.dumps({"jql": "status = Open", "expand": ["changelog"]})
    assert ask(data_center, "2/search", body=posted)[1]["issues"][0]["changelog"] == log
    _, page = ask(data_center, "2/search", jql="status = Open", expand="names,nosuch")
    assert "changelog" not in page["issues"][0]


def test_the_time_of_the_server_is_that_of_its_clock(cloud: JiraServer) -> None:
    _, info = ask(cloud, "3/serverInfo")
    assert (info["serverTime"], info["baseUrl"]) == ("2026-11-23T12:00:00.000+0000", cloud.url)


# --- the server goes away ---


def test_a_server_that_goes_away_refuses_and_comes_back_at_the_same_address() -> None:
    with JiraServer(four_tickets(), cloud=False) as server:
        url = f"{server.url}/rest/api/2/serverInfo"
        urlopen(url).close()
        server.stop()
        assert not server.running
        with pytest.raises(URLError, match="refused"):
            urlopen(url)
        server.start()
        assert server.running
        urlopen(url).close()


def test_a_connection_that_says_nothing_does_not_hold_up_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apimon_node.demo.server._Handler.timeout", None)  # it would wait for ever
    with JiraServer(four_tickets(), cloud=False) as server:
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as silent:
            urlopen(f"{server.url}/rest/api/2/serverInfo").close()  # by now the silent one is taken, too
            server.stop()
            silent.settimeout(0)  # the end has come already
            assert silent.recv(1) == b""


def test_whoever_follows_a_link_sees_the_ticket_as_text(site: Site, data_center: JiraServer) -> None:
    issue = site.create("<b>Printer</b> & co", NOON, priority="High", assignee="Ada")
    with urlopen(f"{data_center.url}/browse/{issue.key}") as answer:
        page = answer.read().decode()

    assert f"<h1>{issue.key}: &lt;b&gt;Printer&lt;/b&gt; &amp; co</h1>" in page
    assert "<p>Open, priority High, assigned to Ada.</p>" in page


def test_a_link_to_a_ticket_that_is_gone_says_so(data_center: JiraServer) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{data_center.url}/browse/OPS-4711%3Ci%3E")

    assert refused.value.code == 404
    assert "There is no ticket OPS-4711%3Ci%3E" in refused.value.read().decode()
    refused.value.close()
