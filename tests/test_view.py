"""The server of the page, over real HTTP: what it answers, to whom, and what browsers of all kinds do to it."""

import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from browser import Listener, Served, browsers
from parts import wait_until

from apimon_node.commands.cli import main
from apimon_node.errors import ApimonError, ConfigError
from apimon_node.view import feed, server
from apimon_node.view.address import Address, Names, parse
from apimon_node.view.app import differences
from apimon_node.view.server import listen, port_of

PARTS = sorted(path.name for path in server.STATIC.iterdir())

LARGE = "x" * 100_000


class Buttons:
    """A tour with one button, that breaks once."""

    def __init__(self) -> None:
        self.pressed: list[str] = []
        self.threads: set[str] = set()

    def buttons(self) -> list[dict[str, object]]:
        broken = bool(self.pressed)
        return [{"name": "broker", "label": "Kill", "mend": "Start", "broken": broken, "text": "the broker"}]

    def press(self, name: str) -> None:
        if self.pressed:
            raise ApimonError("it is broken already")
        self.pressed.append(name)


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as served:
        yield served


@pytest.fixture
def tour() -> Iterator[tuple[Served, Buttons]]:
    buttons = Buttons()
    with Served(buttons) as served:
        yield served, buttons


# Answers


@pytest.mark.parametrize("path", ["/", "/feed", "/nothing", "/tour/broker", *(f"/static/{name}" for name in PARTS)])
def test_every_answer_forbids_framing_foreign_scripts_and_guessing(served: Served, path: str) -> None:
    host = f"Host: 127.0.0.1:{served.port}"
    _, headers, _ = served.ask(f"GET {path} HTTP/1.1\n{host}\nConnection: close\n\n", whole=False)

    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["cache-control"] == ("no-store" if path == "/feed" else "no-cache")
    assert "server" not in headers


def test_the_page_and_all_of_its_parts_are_there_by_their_types(served: Served) -> None:
    status, headers, page = served.get("/")

    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "<script>" not in page
    assert "style=" not in page
    types = {".css": "text/css", ".js": "javascript", ".svg": "image/svg+xml", ".html": "text/html"}
    for name in PARTS:
        status, headers, _ = served.get(f"/static/{name}")
        assert status == 200
        assert types[Path(name).suffix] in headers["content-type"]


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/redoc", "/static/", "/static/../server.py", "/tour/broker"]
)
def test_there_is_nothing_else(served: Served, path: str) -> None:
    assert served.get(path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/feed", "/static/page.css"])
def test_nothing_can_be_done_but_to_read(served: Served, method: str, path: str) -> None:
    assert served.get(path, method=method)[0] == 405


def test_who_asks_for_the_head_of_the_feed_gets_no_more(served: Served) -> None:
    status, headers, body = served.get("/feed", method="HEAD")

    assert (status, body) == (200, "")
    assert headers["content-type"] == "text/event-stream; charset=utf-8"


# Names


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "page.example.com"])
def test_it_answers_to_its_own_names(name: str) -> None:
    with Served(names=("page.example.com",)) as served:
        assert served.ask(f"GET / HTTP/1.1\nHost: {name}:{served.port}\nConnection: close\n\n")[0] == 200


@pytest.mark.parametrize(
    "name", ["evil.example.com", "192.168.1.7", "[fe80::1]", "localhost.evil.com", "a b", "[", ":80"]
)
def test_a_foreign_name_that_leads_to_this_machine_is_not_answered(served: Served, name: str) -> None:
    status, headers, body = served.ask(f"GET /feed HTTP/1.1\nHost: {name}\nConnection: close\n\n")

    assert status == 400
    assert body.startswith("This is not a name of this page.") or "Invalid" in body
    assert "content-security-policy" in headers or "Invalid" in body


def test_beyond_this_machine_addresses_do_but_foreign_names_do_not() -> None:
    names = Names(Address("0.0.0.0", 80), ["pi"])

    assert all(names.has(host) for host in ("192.168.1.7:80", "[fe80::1]:80", "pi:80", "PI", "localhost", "0.0.0.0"))
    assert not any(names.has(host) for host in ("evil.example.com", "evil.example.com:80", "", "pi.evil.com"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8765", Address("127.0.0.1", 8765)),
        ("pi.lan:0", Address("pi.lan", 0)),
        ("[::1]:80", Address("::1", 80)),
    ],
)
def test_an_address_reads_as_it_is_written(text: str, address: Address) -> None:
    assert parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "8765", ":8765", "host", "host:", "host:65536", "::1:80", "[::1]", "[x]:1", "a b:1"]
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--listen: expected HOST:PORT such as 127\.0\.0\.1:8765"):
        parse(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("pi", False)],
)
def test_an_address_knows_whether_others_reach_it(host: str, loopback: bool) -> None:  # noqa: FBT001 - a column
    assert Address(host).loopback is loopback


# The feed


def test_a_browser_is_told_all_and_then_what_has_changed(served: Served) -> None:
    served.publish({"a": 1, "b": {"text": "line\nbreak\u2028"}})
    with Listener(served.port) as listener:
        assert listener.block() == "retry: 1000"
        assert listener.event() == {"all": True, "sections": {"a": 1, "b": {"text": "line\nbreak\u2028"}}}

        served.publish({"a": 2})
        assert listener.event() == {"all": False, "sections": {"a": 2}}
        served.publish({"b": None, "c": []})
        assert listener.event() == {"all": False, "sections": {"b": None, "c": []}}
    with Listener(served.port) as later:
        assert later.event() == {"all": True, "sections": {"a": 2, "c": []}}


def test_before_anything_is_known_it_is_told_that(served: Served) -> None:
    with Listener(served.port) as listener:
        assert listener.event() == {"all": True, "sections": {}}


def test_a_flood_of_changes_becomes_few_events_of_which_the_last_has_the_last(served: Served) -> None:
    with Listener(served.port) as listener:
        listener.event()
        for number in range(500):
            served.publish({"a": number})
        events = [listener.event()]
        while events[-1]["sections"]["a"] != 499:
            events.append(listener.event())

    assert len(events) < 100


def test_silence_is_broken_by_a_heartbeat(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT", 0.05)
    with Listener(served.port) as listener:
        listener.event()
        assert listener.block() == ": still here\nevent: beat\ndata: {}"
        assert listener.block() == ": still here\nevent: beat\ndata: {}"


def test_a_browser_that_reads_nothing_holds_up_nobody_and_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "STUCK", 5.0)  # the quick one has as much, and may wait for a busy processor
    with Served() as served:
        served.publish({f"section/{number}": LARGE for number in range(200)})
        with Listener(served.port), Listener(served.port) as quick:
            assert len(quick.event()["sections"]) == 200
            for number in range(20):
                served.publish({"section/0": number})
            while quick.event()["sections"]["section/0"] != 19:
                pass
            browsers(served, 1)


def test_a_slow_browser_is_told_all_where_too_much_has_changed_meanwhile(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MAX_CHANGED", 3)
    with Listener(served.port) as listener:
        listener.event()
        served.publish({str(number): number for number in range(4)})
        assert listener.event() == {"all": True, "sections": {str(number): number for number in range(4)}}


def test_browsers_that_leave_are_forgotten(served: Served) -> None:
    with Listener(served.port), Listener(served.port):
        browsers(served, 2)
    browsers(served, 0)


def test_one_browser_too_many_is_told_so(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MAX_BROWSERS", 1)
    with Listener(served.port):
        browsers(served, 1)
        status, headers, body = served.get("/feed")

    assert (status, body) == (503, "Too many browsers watch this page.\n")
    assert headers["retry-after"] == "10"


def test_the_end_of_the_server_ends_the_feeds() -> None:
    with Served() as served:
        listener = Listener(served.port)
        listener.event()
    assert listener.block() == ""
    listener.close()


def test_it_serves_and_ends_without_the_haste_of_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TICK", 1000.0)
    monkeypatch.delattr(uvicorn.Server, "main_loop")
    with Served() as served:
        assert served.get("/")[0] == 200


def test_what_has_not_changed_is_not_told_again() -> None:
    same = {"x": [1]}

    assert differences({"a": same, "b": [1], "c": 1}, {"a": same, "b": [1], "d": 2}) == {"c": None, "d": b"2"}
    assert differences({"a": [1]}, {"a": [2]}) == {"a": b"[2]"}


# The tour


def press(served: Served, more: str, name: str = "broker") -> tuple[int, str]:
    status, _, body = served.get(f"/tour/{name}", f"{more}Content-Length: 0\n", "POST")
    return status, body


def test_the_page_itself_may_press_a_button_of_the_tour(tour: tuple[Served, Buttons]) -> None:
    served, buttons = tour

    assert press(served, f"Origin: http://127.0.0.1:{served.port}\nSec-Fetch-Site: same-origin\n") == (204, "")
    assert buttons.pressed == ["broker"]
    assert press(served, "Sec-Fetch-Site: same-origin\n") == (409, "it is broken already\n")
    assert press(served, f"Origin: http://127.0.0.1:{served.port}\n", "jira") == (404, "There is no such button.\n")


@pytest.mark.parametrize(
    "more",
    [
        "",
        "Origin: null\n",
        "Origin: http://evil.example.com\n",
        "Origin: http://127.0.0.1:1\n",
        "Sec-Fetch-Site: cross-site\n",
        "Sec-Fetch-Site: same-site\n",
        "Sec-Fetch-Site: none\n",
        "Sec-Fetch-Site: same-origin\nOrigin: http://evil.example.com\n",
    ],
)
def test_nobody_else_may_press_one(tour: tuple[Served, Buttons], more: str) -> None:
    served, buttons = tour

    assert press(served, more) == (403, "Only the page itself may do this.\n")
    assert buttons.pressed == []


def test_a_button_is_not_pressed_by_reading(tour: tuple[Served, Buttons]) -> None:
    served, buttons = tour

    assert served.get("/tour/broker", "Sec-Fetch-Site: same-origin\n")[0] == 405
    assert buttons.pressed == []


# The command


def test_a_port_in_use_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("mqtt: {host: 127.0.0.1}\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["view", "--config", str(config), "--listen", f"127.0.0.1:{port}"]) == 1

    hint = "name another with --listen HOST:PORT; port 0 takes one that is free"
    assert capsys.readouterr().err == (
        f"apimon-node: cannot listen on 127.0.0.1:{port}: Address already in use; {hint}\n"
    )


def test_a_name_that_leads_nowhere_is_one_line() -> None:
    with pytest.raises(ApimonError, match=r"^cannot listen on nowhere.invalid:0: .*; name another with --listen"):
        listen(Address("nowhere.invalid", 0))


def test_a_wrong_address_is_a_wrong_argument(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("mqtt: {host: 127.0.0.1}\n")

    assert main(["view", "--config", str(config), "--listen", "8765"]) == 2
    assert capsys.readouterr().err.startswith("--listen: expected HOST:PORT such as 127.0.0.1:8765")


def test_it_listens_to_ipv6_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with listen(Address("::1", 0)) as sock:
        assert sock.family is socket.AF_INET6
        assert port_of(sock) > 0


def test_a_server_that_ends_by_itself_is_a_bug_and_told_as_one() -> None:
    with Served() as served:
        served.server._server.should_exit = True
        assert select.select([served.server], [], [], 20)[0]
        with pytest.raises(RuntimeError, match="has ended by itself"):
            served.server.check()


def test_the_thread_of_the_server_leaves_nothing_behind() -> None:
    with Served():
        assert "view" in [thread.name for thread in threading.enumerate()]
    wait_until(lambda: "view" not in [thread.name for thread in threading.enumerate()], "its end")
