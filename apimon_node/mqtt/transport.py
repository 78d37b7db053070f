"""How to reach the broker: TCP or a unix socket, TLS over it, websockets over that. Every step has an end."""

import contextlib
import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

from apimon_node.config.settings import MqttSettings, TlsSettings, Transport
from apimon_node.errors import BrokerError
from apimon_node.mqtt import refusals

if TYPE_CHECKING:
    from apimon_node.mqtt.websocket import WebSocket

DIAL_TIMEOUT = 5.0
"""Seconds for a connection to come about, and as many for TLS and a websocket over it."""


class Stream:
    """A connection as paho uses it: a socket that does not block. Notes what may tell why it ends."""

    def __init__(self, sock: socket.socket, web: "WebSocket | None" = None) -> None:
        self._sock = sock
        self._stream = web or sock
        self._web = web
        self.first = b""
        """The first bytes that came."""
        self.alert = ""
        """OpenSSL's name of what the broker said when it ended TLS."""

    def recv(self, size: int) -> bytes:
        """Return what has come."""
        try:
            data = self._stream.recv(size)
        except ssl.SSLError as err:
            self.alert = _alert(err)
            raise
        self.first = self.first or data
        return data

    def send(self, data: bytes) -> int:
        """Take some of the data; return how much."""
        try:
            return self._stream.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise  # it does not take it now
        except ssl.SSLError as err:
            self.alert = _last_words(self._sock, err)
            raise

    def pending(self) -> int:
        """Count the bytes that can be read, and of which select() knows nothing."""
        below = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        return below + (self._web.pending if self._web else 0)

    def fileno(self) -> int:
        """Return its file descriptor."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as paho calls it
        """Set blocking mode."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()


def dial(mqtt: MqttSettings) -> Stream:
    """Connect. Blocks; raises BrokerError."""
    try:
        plain = _connect(mqtt)
    except (OSError, ValueError) as err:
        raise BrokerError(refusals.unreachable(mqtt, err)) from None
    until = time.monotonic() + DIAL_TIMEOUT
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(plain)
        if mqtt.tls is not None:
            sock = stack.enter_context(_tls(mqtt, mqtt.tls, sock))
        web = _websocket(mqtt, sock, until) if mqtt.transport is Transport.WEBSOCKETS else None
        stack.pop_all()
    return Stream(sock, web)


def _connect(mqtt: MqttSettings) -> socket.socket:
    if mqtt.socket is None:
        return socket.create_connection((mqtt.host, mqtt.port), timeout=DIAL_TIMEOUT)
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_UNIX))
        sock.settimeout(DIAL_TIMEOUT)
        sock.connect(str(mqtt.socket))
        stack.pop_all()
    return sock


# TLS


def _tls(mqtt: MqttSettings, tls: TlsSettings, sock: socket.socket) -> ssl.SSLSocket:
    context = _context(tls)
    sock.settimeout(DIAL_TIMEOUT)  # for the whole handshake
    try:
        return context.wrap_socket(sock, server_hostname=tls.server_name or mqtt.host)
    except ssl.SSLCertVerificationError as err:
        raise BrokerError(refusals.certificate(mqtt, err.verify_code, err.verify_message, time.time())) from None
    except ssl.SSLError as err:
        raise BrokerError(refusals.tls(mqtt, err.reason or "")) from None
    except TimeoutError:
        raise BrokerError(refusals.mute(mqtt, DIAL_TIMEOUT)) from None
    except OSError:  # hung up
        raise BrokerError(refusals.tls(mqtt, "")) from None


def _alert(err: OSError) -> str:
    """Return OpenSSL's name of an alert, or nothing where it was none."""
    reason = getattr(err, "reason", None) or ""
    return reason if "ALERT" in reason else ""


def _last_words(sock: socket.socket, err: OSError) -> str:
    """Return the alert that ended TLS, also where writing fails: with TLS 1.3 it comes after the handshake."""
    try:
        sock.recv(1)
    except OSError as last:
        return _alert(err) or _alert(last)
    return _alert(err)


def _context(tls: TlsSettings) -> ssl.SSLContext:
    """Make the rules of TLS, anew for each connection: files can be mended, and certificates renewed, while we run.

    Not ssl.create_default_context(): from Python 3.13 on it refuses what many home-made authorities sign.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the certificate and its name
    if tls.ca_file is None:
        context.load_default_certs()
    else:
        _must_be_readable("ca_file", tls.ca_file)
        try:
            context.load_verify_locations(tls.ca_file)
        except ssl.SSLError:
            raise BrokerError(refusals.file("ca_file", tls.ca_file, refusals.no_pem("ca_file"))) from None
    if tls.cert_file is not None and tls.key_file is not None:
        _show(context, tls.cert_file, tls.key_file)
    return context


def _show(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    """Load our certificate for the broker. Raises BrokerError."""

    def refuse() -> str:
        """Raise BrokerError, where OpenSSL would ask for a password on the terminal."""
        raise BrokerError(refusals.file("key_file", key_file, refusals.ENCRYPTED))

    _must_be_readable("cert_file", cert_file)
    _must_be_readable("key_file", key_file)
    try:
        context.load_cert_chain(cert_file, key_file, refuse)
    except ssl.SSLError as err:
        if err.reason == "KEY_VALUES_MISMATCH":
            raise BrokerError(refusals.file("key_file", key_file, refusals.MISMATCH)) from None
        whole = b"-----BEGIN CERTIFICATE" in cert_file.read_bytes()
        key, path = ("key_file", key_file) if whole else ("cert_file", cert_file)
        raise BrokerError(refusals.file(key, path, refusals.no_pem(key))) from None


def _must_be_readable(key: str, path: Path) -> None:
    """Name a file that can not be read: OpenSSL's errors do not."""
    try:
        path.open("rb").close()
    except OSError as err:
        raise BrokerError(refusals.file(key, path, f"cannot be read: {err.strerror}")) from None


# Websockets


def _websocket(mqtt: MqttSettings, sock: socket.socket, until: float) -> "WebSocket":
    from apimon_node.mqtt import websocket  # noqa: PLC0415 - wsproto and h11 cost 1 MB, and few go by it

    # wsproto encodes the name with its port behind it, which IDNA takes for letters of the last label.
    ascii_host = mqtt.host.encode("idna").decode()
    try:
        web = websocket.WebSocket(sock, mqtt._replace(host=ascii_host).address, mqtt.path)
    except UnicodeError as err:  # and that has more than 63 then
        raise BrokerError(refusals.unreachable(mqtt, err)) from None
    first, status = b"", None
    try:
        sock.sendall(web.request)
        while status is None:
            sock.settimeout(max(until - time.monotonic(), 0.001))
            answer = sock.recv(4096)
            first = first or answer[:1]
            status = web.answer(answer)
    except TimeoutError:
        raise BrokerError(refusals.mute(mqtt, DIAL_TIMEOUT)) from None
    except OSError as err:
        alert = _last_words(sock, err)
        raise BrokerError(refusals.tls(mqtt, alert) if alert else refusals.websocket(mqtt, 0)) from None
    if status != websocket.SWITCHING_PROTOCOLS:
        raise BrokerError(refusals.websocket(mqtt, status, first))
    return web
