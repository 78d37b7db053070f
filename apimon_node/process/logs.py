"""Where log lines go, and from which level on: to systemd's journal with their fields, or to standard error.

The journal is spoken to in its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram for each entry. The marks
of sd-daemon(3) before lines on standard error would give priorities, but no fields, and an entry for each line of a
traceback. logging-journald, a library for it, sends all that a record has, arguments and values of exceptions too, and
waits for a journal that hangs.
"""

import logging
import os
import socket
import struct
import sys
from typing import TextIO

from apimon_node.process.remarks import LogLevel, Remark

log = logging.getLogger("apimon_node")

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "apimon-node"
"""What `journalctl -t` finds."""

PATIENCE = 0.1
"""Seconds that a busy journal may keep us waiting. A light does not stand still for its log."""

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Priorities of syslog(3) from a level on; 7, debug, is below."""


def start(level: LogLevel) -> None:
    """Send log lines where they belong. Where somebody has seen to that before, only the level is set.

    It is ours alone: what libraries say below a warning may hold addresses, headers and worse, and is never logged.
    """
    handler = Journal() if under_journal() else Stderr()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", handlers=[handler])
    log.setLevel(level.name)


def set_level(level: LogLevel) -> None:
    """Take the level that was asked for at run time, and say so while that still gets through."""
    was = logging.getLevelName(log.level)
    if was == level.name:
        return
    number = logging.getLevelNamesMapping()[level.name]
    log.setLevel(min(number, log.level))
    log.info("the log level is %s now; it was %s", level, was.lower())
    log.setLevel(number)


def say(remark: Remark) -> None:
    """Log a remark. The journal has the name and the subject of its fault as fields."""
    about = {"APIMON_FAULT": remark.fault, "APIMON_SUBJECT": remark.subject}
    fields = {name: text for name, text in about.items() if text}
    log.log(logging.WARNING if remark.bad else logging.INFO, remark.text, extra={"journal": fields}, stacklevel=2)


def complain(text: str, level: int = logging.ERROR) -> None:
    """Write an error of a command or its configuration: plain to people, with priority to the journal."""
    if under_journal():
        log.log(level, text, stacklevel=2)
    else:
        sys.stderr.write(f"{text}\n")


def under_journal() -> bool:
    """Return whether standard error goes to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        status = os.fstat(2)
    except OSError:
        return False  # it is closed
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def priority(level: int) -> int:
    """Return the priority of syslog(3) for a level of Python's."""
    return next((number for least, number in PRIORITIES if level >= least), 7)


class Stderr(logging.StreamHandler[TextIO]):
    """Logs to what is sys.stderr at the moment: while a strip is drawn in the terminal, lines go above it."""

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        logging.Handler.__init__(self)
        self.formatter = formatter

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard error, looked up anew for each line."""
        return sys.stderr


class Marked(logging.Formatter):
    """Begins each line with its priority, as the journal understands it on standard error (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        mark = f"<{priority(record.levelno)}>"
        return "\n".join(f"{mark}{line}" for line in super().format(record).split("\n"))


class Journal(logging.Handler):
    """Logs to the journal. What it does not take as an entry goes to standard error, which ends in it too.

    A journal that hangs gets no more than that one wait: lines are lost then, and counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.formatter = logging.Formatter()  # the priority says what the level would
        self._plain = Stderr(Marked())
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        text = self.format(record)
        if self._lost:
            text = f"{text} ({self._lost} lines before this one were lost: the journal took none)"
        try:
            send(entry(record, text), 0 if self._lost else PATIENCE)
        except (BlockingIOError, TimeoutError):
            self._lost += 1
        except OSError:  # too large for a datagram (EMSGSIZE), or there is no such socket here
            self._plain.handle(record)
        else:
            self._lost = 0


def entry(record: logging.LogRecord, text: str) -> bytes:
    """Make the entry of a record, with the fields of systemd.journal-fields(7) and its own."""
    fields = {
        "MESSAGE": text,
        "PRIORITY": str(priority(record.levelno)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "LOGGER": record.name,
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "CODE_FUNC": record.funcName or "",
        **getattr(record, "journal", {}),
    }
    return b"".join(_field(name.encode(), text.encode(errors="backslashreplace")) for name, text in fields.items())


def _field(name: bytes, value: bytes) -> bytes:
    """Write a field. A value with line breaks comes with its length, so that it can not begin another field."""
    if b"\n" in value:
        return name + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name + b"=" + value + b"\n"


def send(datagram: bytes, patience: float) -> None:
    """Send a datagram to the journal. Raises OSError.

    Lines are few: a socket for each outlives a journal that starts anew, and leaves nothing to our children.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience)
        sock.connect(SOCKET)
        sock.send(datagram)
