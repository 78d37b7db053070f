"""Owns the way to a server: the only module that knows requests and urllib3. It bounds each answer, in time and size.

requests bounds each read alone: a server that sends a byte now and then would hold a poll for ever. What these
libraries raise becomes a JiraError here, without their texts: these hold addresses and headers.

Each request has its own connection: a poll a minute gains nothing from an idle one, which a router on the way may
have forgotten, and then each poll would begin with a time-out.
"""

import io
import logging
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple, Self, TypeAlias

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, LocationParseError

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.refusals import JIRA, STRANGE, WEB_PAGE, Server

CONNECT_TIMEOUT = 5.0  # seconds; a name and a handshake take less, or the network is down
MAX_ANSWER = 32 * 2**20  # bytes, unpacked: a page of 100 tickets has 50 kB, with all its history some MB
CHUNK = 2**16  # bytes
MAX_REDIRECTS = 5  # each has the time of an answer; from http to https and to another path are two
FIRST_REFUSAL = 400  # the HTTP status from which on the body matters little (RFC 9110, section 15)

Request: TypeAlias = requests.PreparedRequest
Response: TypeAlias = requests.Response
Sign: TypeAlias = Callable[[Request], Request]
"""What requests takes as `auth`."""

BAD_URL = "{key} is not a valid URL: it should look like https://jira.example.com"
BROKEN_LINE = "the connection to {name} failed or broke off: is there a network, is {key} right?"
LATE = "{name} did not answer in time: is {key} right? If it is only slow, raise poller.jira.timeout"
TOO_LARGE = f"an answer of {{name}} has more than {MAX_ANSWER >> 20} MiB: is {{key}} right? If so, narrow the JQL"
PROXY = "the proxy does not let us through to {name}: are HTTPS_PROXY and NO_PROXY right in the environment?"
NO_BUNDLE = "REQUESTS_CA_BUNDLE, or CURL_CA_BUNDLE, names a file that is not there"

# What the operating system said, somewhere in the chain of causes below an exception of requests; first match wins.
CAUSES: tuple[tuple[type[OSError], str], ...] = (
    (socket.gaierror, "the host name in {key} is not known: is it right, does name resolution work here?"),
    (ssl.SSLError, "no TLS with {name}: is {key} right about https and the port?"),
    (ConnectionRefusedError, "{name}'s machine refuses the connection: is the port in {key} right, does it run?"),
)

# By the code of OpenSSL (x509_vfy.h).
CERTIFICATES = {
    9: "{name}'s certificate is not valid yet: is the clock of this machine right?",
    10: "{name}'s certificate has expired: is the clock of this machine right? If so, whoever runs it must renew it",
    62: "{name}'s certificate is for another host name: is {key} right?",
    64: "{name}'s certificate is for a name and not for this IP address: put its host name into {key}",
}
UNTRUSTED = "{name}'s certificate is not trusted: does REQUESTS_CA_BUNDLE name your organisation's CA?"


class Answer(NamedTuple):
    """An answer of any status. `headers` go by any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def bound(session: requests.Session, seconds: float, server: Server) -> None:
    """Bound each answer of a session to so many seconds, from the connection to its last byte, and MAX_ANSWER bytes."""
    # urllib3 logs addresses with the JQL, and headers it cannot read.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    adapter = _Adapter(seconds, server)
    session.max_redirects = MAX_REDIRECTS
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.hooks["response"].append(lambda answer, **_: session.cookies.update(answer.cookies))


def post(url: str, form: Mapping[str, str], sign: Sign, seconds: float, server: Server) -> Answer:
    """Send a form. A redirect is an answer like others: what is sent here is for this address alone."""
    with translated(server), requests.Session() as session:
        bound(session, seconds, server)
        headers = {"Accept": "application/json"}
        answer = session.post(url, data=dict(form), headers=headers, auth=sign, allow_redirects=False)
        return Answer(answer.status_code, answer.headers, answer.content)


@contextmanager
def translated(server: Server) -> Iterator[None]:
    """Turn what requests raises around a request into JiraError; what it raises on the way, the adapter does."""
    try:
        yield
    except RecursionError:
        raise JiraError(JiraState.ERROR, STRANGE) from None
    except (exceptions.JSONDecodeError, exceptions.TooManyRedirects):  # the first is an OSError and a ValueError too
        raise _everywhere(JiraState.ERROR, WEB_PAGE, server) from None
    except ValueError:  # InvalidURL, MissingSchema, and what urllib finds wrong with a URL
        raise _everywhere(JiraState.OFFLINE, BAD_URL, server) from None


class _Limit:
    """The time of one request. When it is over, its socket is shut down, so that whoever waits for bytes wakes."""

    def __init__(self, seconds: float) -> None:
        self.connected = False  # TCP, proxy and TLS
        self.over = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._socket is not None:
            self._socket.close()

    def watch(self, sock: socket.socket) -> None:
        """Take a fresh socket into care: a second handle on it, since its first one goes from owner to owner."""
        with self._lock:
            self._socket = sock.dup()
            if self.over:
                self._shut()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the server was first
                self._socket.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Carries the requests of one session, one after the other.

    The limit begins before the host is looked up, but nothing can end a look-up, or an attempt to connect, of which
    each address of a host has CONNECT_TIMEOUT.
    """

    limit: _Limit

    def __init__(self, seconds: float, server: Server) -> None:
        super().__init__()
        self._seconds = seconds
        self._timeout = (min(CONNECT_TIMEOUT, seconds), seconds)
        self._server = server

    def send(self, request: Request, *_: object, **how: Any) -> Response:
        """Send a request, and read its answer whole. Raises JiraError."""
        with _Limit(self._seconds) as self.limit, closing(self):
            try:
                answer = super().send(request, **{**how, "stream": True, "timeout": self._timeout})
                answer.raw = io.BytesIO(self._body(answer))
            except (OSError, HTTPError) as error:
                raise self._failure(error) from None
        return answer

    def get_connection_with_tls_context(self, *args: Any, **how: Any) -> HTTPConnectionPool:
        """Return the pool for a request, whose connections come under our care."""
        pool = super().get_connection_with_tls_context(*args, **how)
        pool.ConnectionCls = _watched(type(pool).ConnectionCls, self)
        return pool

    def add_headers(self, request: Request, **_: Any) -> None:
        """Add `Connection: close`: each request has its own connection."""
        request.headers["Connection"] = "close"

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Look for the certificates that we trust."""
        try:
            super().cert_verify(conn, url, verify, cert)
        except OSError:
            raise JiraError(JiraState.OFFLINE, NO_BUNDLE, everywhere=True) from None

    def _body(self, answer: Response) -> bytes:
        """Read and unpack a body. Of a refusal it may be a part, or nothing: the status says enough."""
        refused = answer.status_code >= FIRST_REFUSAL
        body = bytearray()
        with closing(answer):
            try:
                for chunk in answer.raw.stream(CHUNK, decode_content=True):
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        break
            except (OSError, HTTPError):
                if not refused:
                    raise
        if refused:
            return bytes(body)
        if self.limit.over:
            raise TimeoutError  # without a length, the end of the line looks like the end of the answer
        if len(body) > MAX_ANSWER:
            raise JiraError(JiraState.ERROR, _say(TOO_LARGE, self._server), everywhere=self._server is not JIRA)
        return bytes(body)

    def _failure(self, error: Exception) -> JiraError:
        """Return why there is no answer. One that is late may be so for its query; all else is no matter of queries."""
        causes = list(_chain(error))
        for cause in causes:  # lets go of the sockets and secrets in their frames, and not when rubbish is collected
            traceback.clear_frames(cause.__traceback__)
        if self.limit.over or any(isinstance(cause, TimeoutError) for cause in causes):
            everywhere = self._server is not JIRA or not self.limit.connected
            return JiraError(JiraState.OFFLINE, _say(LATE, self._server), everywhere=everywhere)
        return _everywhere(JiraState.OFFLINE, _cause(error, causes), self._server)


def _watched(kind: Any, adapter: _Adapter) -> Any:
    """Make a kind of connection of urllib3 that tells the adapter's limit of its socket."""

    class Watched(kind):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            sock: socket.socket = super()._new_conn()
            adapter.limit.watch(sock)
            return sock

        def connect(self) -> None:
            super().connect()
            adapter.limit.connected = True

    return Watched


def _cause(error: Exception, causes: list[BaseException]) -> str:
    """Find the words for a network error in what lies below it."""
    if isinstance(error, (exceptions.ProxyError, exceptions.InvalidProxyURL)):
        return PROXY
    if isinstance(error, (exceptions.InvalidURL, LocationParseError)):
        return BAD_URL
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CERTIFICATES.get(cause.verify_code, UNTRUSTED)
        for kind, text in CAUSES:
            if isinstance(cause, kind):
                return text
    return BROKEN_LINE


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an exception to the one that it arose from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _everywhere(state: JiraState, text: str, server: Server) -> JiraError:
    return JiraError(state, _say(text, server), everywhere=True)


def _say(text: str, server: Server) -> str:
    return text.format(name=server.name, key=server.key)
