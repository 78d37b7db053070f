"""A journal of the tests: a real socket, and a strict reader of what comes to it."""

import contextlib
import socket
import struct
import threading
from pathlib import Path
from typing import Self

from parts import PATIENCE


def parse(datagram: bytes) -> dict[str, str]:
    """Read an entry as systemd.io/JOURNAL_NATIVE_PROTOCOL has it."""
    fields: dict[str, str] = {}
    while datagram:
        line, end, rest = datagram.partition(b"\n")
        assert end, f"a field without an end: {line!r}"
        name, text, value = line.partition(b"=")
        if not text:
            (size,) = struct.unpack_from("<Q", rest)
            value, end, rest = rest[8 : 8 + size], rest[8 + size : 9 + size], rest[9 + size :]
            assert (len(value), end) == (size, b"\n")
        key = name.decode("ascii")
        assert key.isupper(), key
        assert not key.startswith("_"), "these are the journal's own"
        assert key not in fields
        fields[key] = value.decode()
        datagram = rest
    return fields


class Journal:
    """A journal: its socket, and what has come there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"
        self.entries: list[dict[str, str]] = []
        lines = (
            "from apimon_node.process import logs",
            f"logs.SOCKET = {str(self.path)!r}",
            "logs.under_journal = lambda: True",
        )
        self.before = "\n".join(lines)
        """Python with which a program takes it for the journal."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(PATIENCE)
        self._reader = threading.Thread(target=self._read)

    def _read(self) -> None:
        while datagram := self._socket.recv(1 << 20):
            self.entries.append(parse(datagram))

    def read(self) -> dict[str, str]:
        """Take an entry."""
        return parse(self._socket.recv(1 << 20))

    def messages(self, **fields: str) -> list[str]:
        """Give the messages of the entries that have these fields."""
        return [entry["MESSAGE"] for entry in self.entries if fields.items() <= entry.items()]

    def listen(self) -> Self:
        """Read all that comes, beside the test."""
        self._socket.settimeout(None)
        self._reader.start()
        return self

    def close(self) -> None:
        if self._reader.ident is not None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", str(self.path))
            self._reader.join(PATIENCE)
        self._socket.close()
