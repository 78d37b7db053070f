"""Websockets as MQTT uses them (RFC 6455): how they begin, and a stream of bytes in binary frames.

paho has its own, which drops the rest of a message where the socket does not take it at once (2.2.0), and whose
handshake does not say what the server answered.
"""

import base64
import contextlib
import hashlib
import os
import re
from typing import NamedTuple, Protocol

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What the server adds to our key (section 1.3)."""

CONTINUATION, BINARY, CLOSE, PING, PONG = 0x0, 0x2, 0x8, 0x9, 0xA
"""Opcodes (section 11.8); text frames are not for MQTT."""

FINAL, MASKED = 0x80, 0x80
"""The high bits of a frame's first two bytes (section 5.2)."""

CONTROL = 125
"""Bytes that a control frame may hold (section 5.5)."""

CHUNK = 65_535
"""Bytes that are read, or put into a frame, at once."""

SWITCHING_PROTOCOLS = 101


def new_key() -> bytes:
    """Make the key of a handshake."""
    return base64.b64encode(os.urandom(16))


def request(host: str, path: str, key: bytes) -> bytes:
    """Write what opens a websocket (section 4.1); `host` is the host and port."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii", "replace")


def status(head: bytes, key: bytes) -> int:
    """Give the status that a server answers with: 101 only if it means our key, 0 where this is no HTTP."""
    found = re.match(rb"HTTP/1\.\d (\d{3})", head)
    number = int(found[1]) if found else 0
    if number != SWITCHING_PROTOCOLS:
        return number
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - as the RFC wants it
    given = re.search(rb"^sec-websocket-accept:[ \t]*(\S+)", head, re.IGNORECASE | re.MULTILINE)
    return number if given and given[1] == accept else 0


def frame(opcode: int, data: bytes) -> bytes:
    """Write a frame of at most CHUNK bytes, masked as a client must (section 5.3)."""
    size = len(data)
    length = bytes([MASKED | size]) if size <= CONTROL else bytes([MASKED | 126]) + size.to_bytes(2)
    mask = os.urandom(4)
    whole = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(data) ^ int.from_bytes(whole)).to_bytes(size)
    return bytes([FINAL | opcode]) + length + mask + masked


class Head(NamedTuple):
    """The beginning of a frame: what it is, the bytes of its payload, and the bytes of this head."""

    opcode: int
    size: int
    length: int


def head(raw: bytes | bytearray) -> Head | None:
    """Read the beginning of a server's frame; None while it is not all there."""
    if len(raw) < 2:  # noqa: PLR2004 - section 5.2
        return None
    short = raw[1] & ~MASKED
    extra = {126: 2, 127: 8}.get(short, 0)
    if len(raw) < 2 + extra:
        return None
    return Head(raw[0] & 0xF, int.from_bytes(raw[2 : 2 + extra]) if extra else short, 2 + extra)


class Frames:
    """Takes what a server sends, gives the bytes of its binary frames, and what is to be answered."""

    def __init__(self) -> None:
        self._raw = bytearray()
        self._left = 0  # bytes of the frame that is being read
        self.data = bytearray()
        """Payload that can be read."""
        self.answers = bytearray()
        """Frames to send."""
        self.over = False
        """Whether the server has closed, or does not keep to the protocol."""

    def feed(self, raw: bytes) -> None:
        """Take in what came."""
        self._raw += raw
        while not self.over and (self._payload() or self._head()):
            pass

    def _payload(self) -> bool:
        """Move payload of the frame that is being read; tell whether there was any."""
        part = self._raw[: self._left]
        del self._raw[: self._left]
        self._left -= len(part)
        self.data += part
        return bool(part)

    def _head(self) -> bool:
        """Begin the next frame, or take it whole where it is a control frame; tell whether there was one."""
        found = None if self._left else head(self._raw)
        if found is None:
            return False
        opcode, size, length = found
        if self._raw[1] & MASKED or opcode not in (CONTINUATION, BINARY, CLOSE, PING, PONG):
            self.over = True
        elif opcode in (CONTINUATION, BINARY):
            del self._raw[:length]
            self._left = size
        elif size > CONTROL:
            self.over = True
        elif len(self._raw) < length + size:
            return False
        else:
            self._control(opcode, bytes(self._raw[length : length + size]))
            del self._raw[: length + size]
        return True

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.answers += frame(PONG, payload)
        elif opcode == CLOSE:
            self.answers += frame(CLOSE, payload)
            self.over = True


class Socket(Protocol):
    """What a stream needs of the one below it: a socket that does not block, or TLS over one."""

    def recv(self, size: int, /) -> bytes:
        """Give what has come."""
        ...

    def send(self, data: bytes, /) -> int:
        """Take some of the data; answer how much."""
        ...


class WebSocket:
    """A websocket that is open, as a socket: what would block raises what the socket below raises."""

    def __init__(self, sock: Socket, early: bytes) -> None:
        """`early` came together with the server's answer."""
        self._sock = sock
        self._frames = Frames()
        self._frames.feed(early)
        self._out = bytearray()
        self._sending = 0  # bytes of the message whose frame is on its way

    def recv(self, size: int) -> bytes:
        """Give what has come, or nothing once the server has closed."""
        while not self._frames.data and not self._frames.over:
            raw = self._sock.recv(CHUNK)
            if not raw:
                return b""
            self._frames.feed(raw)
            self._answer()
        data = bytes(self._frames.data[:size])
        del self._frames.data[:size]
        return data

    def send(self, data: bytes) -> int:
        """Take some of the data, once all of its frame is sent. Who was refused must come again with the same data."""
        if not self._sending:
            self._sending = min(len(data), CHUNK)
            self._out += frame(BINARY, bytes(data[: self._sending]))
        self._flush()
        sent, self._sending = self._sending, 0
        return sent

    @property
    def pending(self) -> int:
        """Bytes that have been taken from the socket, and not been read; the end counts as one."""
        return len(self._frames.data) + self._frames.over

    def _answer(self) -> None:
        self._out += self._frames.answers
        self._frames.answers.clear()
        with contextlib.suppress(OSError):  # it does not take them now, and will with the next message; or it is over
            self._flush()

    def _flush(self) -> None:
        while self._out:
            del self._out[: self._sock.send(bytes(self._out))]
