"""A websocket as a socket, by wsproto (RFC 6455): MQTT's bytes travel in its binary frames (MQTT 5, section 6).

paho has its own, which drops the rest of a message where the socket does not take it at once (2.2.0), and whose
handshake does not say what the server answered.
"""

import contextlib
from typing import Protocol

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError

CHUNK = 65_535
"""Bytes that are read, or put into a frame, at once."""

SWITCHING_PROTOCOLS = 101


class Socket(Protocol):
    """What a websocket needs of the socket below it, which does not block: TCP, or TLS over it."""

    def recv(self, size: int, /) -> bytes:
        """Return what has come."""
        ...

    def send(self, data: bytes, /) -> int:
        """Send some of the data; return how much."""
        ...


class WebSocket:
    """A websocket, as a socket: what would block raises what the socket below raises."""

    def __init__(self, sock: Socket, host: str, path: str) -> None:
        """`host` is the host and port. Who opens it sends `request`, and passes what comes to answer()."""
        self._sock = sock
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self.request = self._protocol.send(Request(host=host, target=path, subprotocols=["mqtt"]))
        """What asks the server for a websocket."""
        self._data = bytearray()  # payload that can be read
        self._over = False  # whether the server has closed, or broken the rules
        self._out = bytearray()  # frames that the socket has not taken yet
        # Is owed, and only to the last ping (section 5.5.3): who pings and does not read fills no memory.
        self._pong: Pong | None = None
        self._sending = 0  # bytes of the message whose frame is on its way

    def answer(self, raw: bytes) -> int | None:
        """Return the status that a server answers with: 101 once it is open, 0 where this is no HTTP, None until then.

        h11 below wsproto takes no more than 16 KiB for an answer.
        """
        try:
            self._protocol.receive_data(raw)
        except (RemoteProtocolError, UnicodeDecodeError):  # wsproto reads some headers as ASCII, come what may (1.3.2)
            return 0
        match next(self._protocol.events(), None):
            case RejectConnection(status_code=status):
                return status
            case AcceptConnection():
                self._take()  # what came together with the answer
                return SWITCHING_PROTOCOLS
        return None

    def recv(self, size: int) -> bytes:
        """Return payload that has come, or nothing once the server has closed."""
        while not self._data and not self._over:
            raw = self._sock.recv(CHUNK)
            if not raw:
                return b""
            self._protocol.receive_data(raw)
            self._take()
        data = bytes(self._data[:size])
        del self._data[:size]
        return data

    def send(self, data: bytes) -> int:
        """Return how much was sent, once the whole frame is. Who was refused must come again with the same data."""
        if self._over:  # nothing may follow a close frame (section 5.5.1); what came before it is still to be read
            return len(data)
        if not self._sending:
            self._sending = min(len(data), CHUNK)
            self._out += self._protocol.send(BytesMessage(data[: self._sending]))
        self._flush()
        sent, self._sending = self._sending, 0
        return sent

    @property
    def pending(self) -> int:
        """Bytes that have been taken from the socket, and not been read; the end counts as one."""
        return len(self._data) + self._over

    def _take(self) -> None:
        """Keep the payload of what came, and answer the rest of it."""
        for event in self._protocol.events():
            match event:
                case BytesMessage():
                    self._data += event.data
                case Ping():
                    self._pong = event.response()
                case CloseConnection():  # also what wsproto makes of broken rules; the last event in either case
                    self._close(event.response())
                case TextMessage():  # MQTT 5, section 6.0
                    self._close(CloseConnection(CloseReason.UNSUPPORTED_DATA))
                    break
        with contextlib.suppress(OSError):  # it does not take them now, and will with the next message; or it is over
            self._flush()

    def _close(self, last: CloseConnection) -> None:
        self._over, self._pong = True, None
        self._out += self._protocol.send(last)

    def _flush(self) -> None:
        while self._out or self._pong is not None:
            if self._pong is not None and not self._out:
                self._out += self._protocol.send(self._pong)
                self._pong = None
            del self._out[: self._sock.send(bytes(self._out))]
