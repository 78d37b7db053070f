"""The way to a server: each answer is bounded as a whole, in time and size, and each cause has its words."""

import datetime as dt
import gc
import itertools
import socket
import ssl
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
import trustme
from parts import wait_until
from raw import RawServer

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira import transport
from apimon_node.poller.jira.oauth2 import TOKEN_SERVER
from apimon_node.poller.jira.refusals import JIRA, Server
from apimon_node.poller.jira.transport import Answer, Request, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIP = 0.05  # seconds between two bytes: no read waits for long
SECONDS = 0.4  # that an answer may take
MIB = 2**20
LEFT_TO_PYTHON = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # urllib3 drops it, and Python closes it


def sign(request: Request) -> Request:
    request.headers["Authorization"] = "Basic SECRET"
    return request


def ask(url: str, seconds: float = 10, server: Server = JIRA) -> Answer:
    return post(url, {"secret": "SECRET"}, sign, seconds, server)


def failure(url: str, seconds: float = 10, server: Server = JIRA) -> JiraError:
    with pytest.raises(JiraError) as caught:
        ask(url, seconds, server)
    assert "SECRET" not in str(caught.value)
    return caught.value


def sockets() -> int:
    return sum(str(path.readlink()).startswith("socket:") for path in Path("/proc/self/fd").iterdir() if path.exists())


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """See that thread and socket go at once, and not when rubbish happens to be collected."""
    gc.collect()
    gc.disable()
    before = sockets(), threading.active_count()
    yield
    wait_until(lambda: (sockets(), threading.active_count()) == before, f"{before} sockets and threads again")
    gc.enable()


# --- what is asked and answered ---


def test_a_form_is_sent_and_the_answer_read() -> None:
    with RawServer(lambda _: [b"HTTP/1.1 404 Nothing\r\nX-A: b\r\nContent-Length: 4\r\n\r\nhere"]) as server:
        answer = ask(server.url() + "/token?a=b")
    assert (answer.status, answer.headers["x-a"], answer.body) == (404, "b", b"here")
    (asked,) = server.asked
    head, _, body = asked.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /token?a=b HTTP/1.1\r\n")
    assert {b"Connection: close", b"Accept: application/json", b"Authorization: Basic SECRET"} < set(
        head.split(b"\r\n")
    )
    assert body == b"secret=SECRET"


@pytest.mark.parametrize(
    "wire",
    [
        CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n" + zlib.compress(b"{}"),
    ],
)
def test_all_forms_of_a_body_are_read(wire: bytes) -> None:
    with RawServer(lambda _: [wire]) as server:
        assert ask(server.url()).body == b"{}"


@pytest.mark.usefixtures("nothing_is_left")
def test_a_slow_answer_within_the_time_is_an_answer() -> None:
    with RawServer(lambda _: (bytes([byte]) for byte in OK), pause=0.001) as server:
        assert ask(server.url()).body == b"{}"


def test_a_secret_follows_no_redirect() -> None:
    with RawServer(lambda _: [OK]) as other:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: {other.url()}\r\nContent-Length: 0\r\n\r\n".encode()
        with RawServer(lambda _: [moved]) as server:
            assert ask(server.url()).status == 307
        assert other.asked == []


@pytest.mark.usefixtures("nothing_is_left")
def test_a_connection_that_the_server_would_keep_is_ended() -> None:
    keep = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}"
    with RawServer(lambda _: [keep], patient=True) as server, requests.Session() as session:
        transport.bound(session, 10, JIRA)
        assert session.get(server.url()).content == b"{}"
        wait_until(lambda: server.abandoned == 1, "the client ends it")
        assert session.get(server.url()).content == b"{}"
        wait_until(lambda: server.abandoned == 2, "the client ends it")


def test_cookies_of_an_answer_come_back_within_a_session() -> None:
    baked = b"HTTP/1.1 200 OK\r\nSet-Cookie: node=b7; Path=/\r\nContent-Length: 2\r\n\r\n{}"
    with RawServer(lambda _: [baked]) as server, requests.Session() as session:
        transport.bound(session, 10, JIRA)
        session.get(server.url())
        session.get(server.url())
    assert [b"Cookie: node=b7" in asked for asked in server.asked] == [False, True]


# --- the time ---


def endless(start: bytes, byte: bytes) -> Iterable[bytes]:
    return itertools.chain([start], itertools.repeat(byte))


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",  # to the end of the line: an end that we make must not pass for the server's
        CHUNKED + b"fffff\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Long: ",
    ],
)
@pytest.mark.usefixtures("nothing_is_left")
def test_an_answer_that_drips_ends_when_its_time_is_over(start: bytes) -> None:
    with RawServer(lambda _: endless(start, b"1"), pause=DRIP) as server:
        error = failure(server.url(), SECONDS)
        wait_until(lambda: server.abandoned, "the server notices")
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, False)
    assert str(error).startswith("Jira did not answer in time: ")


@pytest.mark.usefixtures("nothing_is_left")
def test_a_drip_through_tls_ends_when_its_time_is_over(
    tls: ssl.SSLContext, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with RawServer(lambda _: endless(b"HTTP/1.0 200 OK\r\n\r\n", b"1"), pause=DRIP, context=tls) as server:
        error = failure(server.url("https", "localhost"), SECONDS)
    assert "did not answer in time" in str(error)
    assert not error.everywhere


@pytest.mark.usefixtures("nothing_is_left")
def test_a_handshake_that_drips_is_no_connection() -> None:
    record = b"\x16\x03\x03\x40\x00"  # the head of a record of 16 KiB, of which one byte comes at a time
    with RawServer(lambda _: endless(record, b"\x02"), pause=DRIP, deaf=True) as server:
        error = failure(server.url("https"), SECONDS)
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert "did not answer in time" in str(error)


@LEFT_TO_PYTHON
@pytest.mark.usefixtures("nothing_is_left")
def test_a_proxy_that_drips_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(lambda _: endless(b"HTTP/1.1 200 OK\r\nX-Long: ", b"1"), pause=DRIP) as proxy:
        through(proxy.url(), monkeypatch)
        error = failure("https://jira.example.com", SECONDS)
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert "did not answer in time" in str(error)


@pytest.mark.usefixtures("nothing_is_left")
def test_a_silent_server_ends_when_the_time_is_over() -> None:
    with RawServer(lambda _: [], patient=True) as server:
        error = failure(server.url(), SECONDS)
    assert "did not answer in time" in str(error)
    assert not error.everywhere


@pytest.mark.usefixtures("nothing_is_left")
def test_a_connection_that_comes_about_too_late_is_ended_at_once() -> None:
    limit = transport._Limit(0)
    ours, theirs = socket.socketpair()
    with ours, theirs, limit:
        wait_until(lambda: limit.over, "the time is over")
        limit.watch(ours)
        assert theirs.recv(1) == b""


def test_a_server_that_is_gone_when_the_time_is_over_does_no_harm() -> None:
    with RawServer(lambda _: [OK]) as server, socket.create_connection(("127.0.0.1", server.port)) as ours:
        limit = transport._Limit(60)
        with limit:
            limit.watch(ours)
            ours.shutdown(socket.SHUT_RDWR)
            limit._end()
            limit._end()
        assert limit.over


def test_a_late_token_server_concerns_all_queries() -> None:
    with RawServer(lambda _: [], patient=True) as server:
        error = failure(server.url(), SECONDS, TOKEN_SERVER)
    assert error.everywhere
    assert str(error).startswith("the token server did not answer in time: is poller.jira.auth.token_url right?")


# --- the size ---


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("start", [b"HTTP/1.0 200 OK\r\n\r\n", CHUNKED + b"fffffff\r\n"])
def test_an_answer_without_end_ends_at_the_largest_size(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER", MIB)
    with RawServer(lambda _: endless(start, b"x" * 65536)) as server:
        error = failure(server.url())
        wait_until(lambda: server.abandoned, "the server notices")
    assert (error.state, error.everywhere) == (JiraState.ERROR, False)
    assert "more than 32 MiB" in str(error)


def test_an_answer_that_unpacks_to_more_than_the_largest_size_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER", MIB)
    packed = zlib.compress(bytes(20 * MIB))
    assert len(packed) < MIB
    with RawServer(lambda _: [b"HTTP/1.0 200 OK\r\nContent-Encoding: deflate\r\n\r\n", packed]) as server:
        assert "more than" in str(failure(server.url(), server=TOKEN_SERVER))
        assert failure(server.url(), server=TOKEN_SERVER).everywhere


def test_an_answer_of_the_largest_size_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER", MIB)
    with RawServer(lambda _: [b"HTTP/1.0 200 OK\r\n\r\n", bytes(MIB)]) as server:
        assert len(ask(server.url()).body) == MIB


# --- refusals, whose status says enough ---


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 429 Wait\r\nRetry-After: 7\r\nContent-Length: 999\r\n\r\n<html>"],
        endless(b"HTTP/1.1 429 Wait\r\nRetry-After: 7\r\nContent-Length: 999999\r\n\r\n<html>", b"."),
        [b"HTTP/1.1 429 Wait\r\nRetry-After: 7\r\nContent-Encoding: gzip\r\n\r\n<html>"],
    ],
)
def test_a_refusal_whose_body_breaks_off_is_one_still(answer: Iterable[bytes]) -> None:
    with RawServer(lambda _: answer, pause=DRIP) as server:
        got = ask(server.url(), SECONDS)
    assert (got.status, got.headers["Retry-After"]) == (429, "7")


@pytest.mark.usefixtures("nothing_is_left")
def test_of_a_refusal_no_more_is_read_than_the_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER", MIB)
    with RawServer(lambda _: endless(b"HTTP/1.0 500 No\r\n\r\n", b"x" * 65536)) as server:
        got = ask(server.url())
        wait_until(lambda: server.abandoned, "the server notices")
    assert got.status == 500
    assert len(got.body) < 2 * MIB


# --- no answer ---


def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets this port
        yield bound.getsockname()[1]


nobody = pytest.fixture(closed_port)


def through(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)


WORDS = [(JIRA, "Jira", "poller.jira.url"), (TOKEN_SERVER, "the token server", "poller.jira.auth.token_url")]


@pytest.mark.parametrize(("server", "name", "key"), WORDS)
def test_a_port_that_nobody_listens_on_refuses(nobody: int, server: Server, name: str, key: str) -> None:
    error = failure(f"http://127.0.0.1:{nobody}", server=server)
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert str(error) == f"{name}'s machine refuses the connection: is the port in {key} right, does it run?"


@pytest.mark.parametrize(("server", "key"), [(server, key) for server, _, key in WORDS])
def test_a_host_that_there_is_not_is_not_known(server: Server, key: str) -> None:
    error = failure("http://nohost.invalid", server=server)
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert str(error).startswith(f"the host name in {key} is not known")


@pytest.mark.parametrize(("server", "key"), [(server, key) for server, _, key in WORDS])
@pytest.mark.parametrize(
    "url", ["", "jira.example.com", "ftp://jira.example.com", "http://[::1", f"http://{'a' * 70}.com", "http://a:b"]
)
def test_a_url_that_is_none_is_told(url: str, server: Server, key: str) -> None:
    error = failure(url, server=server)
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert str(error).startswith(f"{key} is not a valid URL")


@pytest.mark.parametrize(("server", "name", "key"), WORDS)
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        CHUNKED + b"5\r\n{",
        CHUNKED + b"no number\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n{",
        b"+OK POP3 server ready\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
    ],
)
@LEFT_TO_PYTHON
def test_what_breaks_off_or_is_no_http_is_no_connection(answer: bytes, server: Server, name: str, key: str) -> None:
    with RawServer(lambda _: [answer]) as raw:
        error = failure(raw.url(), server=server)
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert str(error) == f"the connection to {name} failed or broke off: is there a network, is {key} right?"


def test_a_proxy_that_is_away_is_told(nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    through(f"http://127.0.0.1:{nobody}", monkeypatch)
    for scheme in ("http", "https"):
        error = failure(f"{scheme}://jira.example.com")
        assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
        assert str(error).startswith("the proxy does not let us through to Jira")


def test_a_proxy_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(lambda _: [b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n"]) as proxy:
        through(proxy.url(), monkeypatch)
        assert str(failure("https://jira.example.com")).startswith("the proxy does not let us through to Jira")


def test_a_proxy_that_is_no_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    through("http://", monkeypatch)
    assert str(failure("http://jira.example.com")).startswith("the proxy does not let us through to Jira")


# --- certificates ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def context(authority: trustme.CA, *names: str, begins: int = -1, ends: int = 1) -> ssl.SSLContext:
    """Give what a server needs for TLS; its certificate begins and ends so many days from now."""
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    certificate = authority.issue_cert(*names, not_before=now + begins * day, not_after=now + ends * day)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return context(authority, "localhost")


def test_a_ca_of_ones_own_is_not_trusted_until_it_is_named(
    tls: ssl.SSLContext, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with RawServer(lambda _: [OK], context=tls) as server:
        error = failure(server.url("https", "localhost"))
        assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
        assert str(error).startswith("Jira's certificate is not trusted: does REQUESTS_CA_BUNDLE name")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        assert ask(server.url("https", "localhost")).body == b"{}"


class Wrong(NamedTuple):
    """A certificate: what it is for, and from which to which day, as seen from today."""

    host: str
    names: tuple[str, ...]
    begins: int
    ends: int
    text: str


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("localhost", ("localhost",), -9, -1, "has expired: is the clock of this machine right?"),
        Wrong("localhost", ("localhost",), 1, 9, "is not valid yet: is the clock of this machine right?"),
        Wrong("localhost", ("jira.example.com",), -1, 1, "is for another host name: is {key} right?"),
        Wrong("127.0.0.1", ("localhost",), -1, 1, "is for a name and not for this IP address"),
    ],
)
@pytest.mark.parametrize(("server", "name", "key"), WORDS)
def test_what_is_wrong_with_a_certificate_is_told(
    authority: trustme.CA,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Wrong,
    server: Server,
    name: str,
    key: str,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    theirs = context(authority, *wrong.names, begins=wrong.begins, ends=wrong.ends)
    with RawServer(lambda _: [OK], context=theirs) as raw:
        error = failure(raw.url("https", wrong.host), server=server)
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert str(error).startswith(f"{name}'s certificate {wrong.text.format(key=key)}")


def test_a_bundle_that_is_not_there_is_told(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with RawServer(lambda _: [OK], context=tls) as server:
        error = failure(server.url("https", "localhost"))
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert "REQUESTS_CA_BUNDLE" in str(error)


def test_https_to_a_port_of_http_is_no_tls() -> None:
    with RawServer(lambda _: [OK], deaf=True) as server:
        error = failure(server.url("https", "localhost"))
    assert (error.state, error.everywhere) == (JiraState.OFFLINE, True)
    assert str(error) == "no TLS with Jira: is poller.jira.url right about https and the port?"
