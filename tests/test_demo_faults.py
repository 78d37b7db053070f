"""What is wrong with the demo's Jira on demand; its limit; and the HTTP that carries it."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asking import ACCOUNT, BASIC, NOON, ask, four_tickets, send
from parts import wait_until

from apimon_node.demo.jira import (
    HTML,
    Answer,
    Drip,
    Drop,
    Fault,
    Hang,
    JiraServer,
    RateLimit,
    RepeatedToken,
    Request,
    StaleToken,
)
from apimon_node.demo.site import Site


@pytest.fixture
def site() -> Site:
    return four_tickets()


@pytest.fixture
def cloud(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=True, account=ACCOUNT, clock=lambda: NOON) as server:
        yield server


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


# --- pages ---


def test_a_stale_token_is_refused_until_it_is_healed(cloud: JiraServer) -> None:
    query: dict[str, Any] = {"jql": "project = OPS", "fields": "summary", "maxResults": 3}
    token = ask(cloud, "3/search/jql", **query)[1]["nextPageToken"]
    cloud.fail(StaleToken())
    assert ask(cloud, "3/search/jql", **query)[0] == 200
    status, answer = ask(cloud, "3/search/jql", **query, nextPageToken=token)
    assert (status, answer["errorMessages"]) == (400, ["The provided next page token is invalid."])
    cloud.heal()
    assert ask(cloud, "3/search/jql", **query, nextPageToken=token)[0] == 200


# --- some requests only ---


def is_of_board_a(request: Request) -> bool:
    return request.first("jql") == "status = Open"


def test_a_fault_may_be_one_of_some_requests(cloud: JiraServer) -> None:
    cloud.fail(Answer(503), when=is_of_board_a)
    assert ask(cloud, "3/search/jql", jql="status = Open")[0] == 503
    assert ask(cloud, "3/search/jql", jql="status = Done")[0] == 200
    assert ask(cloud, "3/serverInfo")[0] == 200


def test_while_one_request_hangs_others_are_answered(cloud: JiraServer) -> None:
    cloud.fail(Hang(100), when=is_of_board_a)
    with opened(cloud, "/rest/api/3/search/jql?jql=status+%3D+Open") as waiting:
        wait_until(lambda: len(cloud.requests) == 1, "the request that hangs")
        assert ask(cloud, "3/search/jql", jql="status = Done")[0] == 200
        cloud.heal()
        assert waiting.recv(1) == b""


def test_a_fault_ends_the_one_before_it(cloud: JiraServer) -> None:
    cloud.fail(Hang(100))
    with opened(cloud) as waiting:
        wait_until(lambda: cloud.requests, "the request that hangs")
        cloud.fail(Answer(503))
        assert waiting.recv(1) == b""
    assert ask(cloud, "3/serverInfo")[0] == 503


# --- answers that drip ---


def opened(server: JiraServer, path: str = "/rest/api/3/serverInfo") -> socket.socket:
    """Send a request, and give the socket on which the answer comes."""
    sock = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 10)
    sock.sendall(f"GET {path} HTTP/1.0\r\nAuthorization: {BASIC['Authorization']}\r\n\r\n".encode())
    return sock


def test_a_dripping_answer_comes_whole_if_one_waits(cloud: JiraServer) -> None:
    expected = ask(cloud, "3/serverInfo")
    cloud.fail(Drip(0))
    assert ask(cloud, "3/serverInfo") == expected


def test_a_dripping_answer_comes_byte_by_byte_and_breaks_off_when_it_is_healed(cloud: JiraServer) -> None:
    cloud.fail(Drip(0.01))
    with opened(cloud) as slow:
        assert slow.recv(1) == b"H"
        assert len(slow.recv(1000)) < 12
        cloud.heal()
        rest = b"".join(iter(lambda: slow.recv(1000), b""))
    assert b"}" not in rest


def test_the_server_stops_though_an_answer_drips(site: Site) -> None:
    with JiraServer(site, cloud=True) as server:
        server.fail(Drip(100))
        with opened(server) as slow:
            assert slow.recv(1) == b"H"
            server.heal()
            assert slow.recv(1) == b""


def test_a_client_that_goes_ends_the_dripping(cloud: JiraServer, capfd: pytest.CaptureFixture[str]) -> None:
    cloud.fail(Drip(0.001))
    with opened(cloud) as slow:
        assert slow.recv(1) == b"H"
        wait_until(answering, "the thread that answers")
    wait_until(lambda: not answering(), "the end of the answer")
    assert capfd.readouterr() == ("", "")


def answering() -> list[threading.Thread]:
    """Give the threads that answer requests."""
    return [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]


# --- the limit ---


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


def limited(server: JiraServer) -> tuple[int, Any]:
    status, headers, _ = send(f"{server.url}/rest/api/2/serverInfo", headers=BASIC)
    return status, headers


@pytest.mark.parametrize("is_cloud", [True, False])
def test_a_limit_admits_so_many_requests_in_so_many_seconds(site: Site, *, is_cloud: bool) -> None:
    clock = Clock()
    with JiraServer(site, cloud=is_cloud, account=ACCOUNT, clock=clock, limit=RateLimit(3, 60)) as server:
        assert [limited(server)[0] for _ in range(5)] == [200, 200, 200, 429, 429]
        assert send(f"{server.url}/rest/api/2/serverInfo")[0] == 401  # a stranger costs nothing
        clock.now += 59.5
        status, headers = limited(server)
        assert (status, headers["Retry-After"]) == (429, "1")
        clock.now += 0.5
        assert [limited(server)[0] for _ in range(4)] == [200, 200, 200, 429]
        clock.now -= 9999  # a clock that is set back starts the time anew
        assert limited(server)[0] == 200
        server.limit = None
        assert [limited(server)[0] for _ in range(5)] == [200] * 5


def test_cloud_says_when_it_takes_requests_again(cloud: JiraServer) -> None:
    cloud.limit = RateLimit(0, 90.5)
    status, headers = limited(cloud)
    assert status == 429
    assert {name: headers[name] for name in headers if name.lower() not in {"date", "content-length"}} == {
        "Content-Type": "text/html",
        "X-RateLimit-Limit": "0",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "2026-11-23T12:01:31Z",
        "Retry-After": "91",
        "RateLimit-Reason": "jira-burst-based",
    }


def test_data_center_says_how_its_bucket_fills(site: Site) -> None:
    with JiraServer(site, cloud=False, clock=lambda: NOON, limit=RateLimit(0, 60)) as server:
        status, headers, body = send(f"{server.url}/rest/api/2/search")
    assert (status, body[:6]) == (429, "<html>")
    assert {name: headers[name] for name in headers if name.lower() not in {"date", "content-length"}} == {
        "Content-Type": "text/html",
        "X-RateLimit-Limit": "0",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-FillRate": "0",
        "X-RateLimit-Interval-Seconds": "60",
        "retry-after": "60",
    }


# --- the witness ---


def test_a_witness_sees_what_jira_itself_answers(cloud: JiraServer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr(JiraServer, "witness", lambda _, request, answer: seen.append((request.path, answer.code)))
    ask(cloud, "3/serverInfo")
    ask(cloud, "3/search/jql", jql="garbage")
    ask(cloud, "3/field", headers={})
    faults: list[Fault] = [Answer(503), HTML, Drop(), Hang(0)]
    for fault in faults:
        cloud.fail(fault)
        with contextlib.suppress(http.client.HTTPException):
            ask(cloud, "3/field")
    faults = [Drip(0), RepeatedToken(), StaleToken()]
    for fault in faults:
        cloud.fail(fault)
        ask(cloud, "3/field")
    api = "/rest/api/3"
    refused = [(f"{api}/search/jql", 400), (f"{api}/field", 401)]
    assert seen == [(f"{api}/serverInfo", 200), *refused, *[(f"{api}/field", 200)] * 3]
