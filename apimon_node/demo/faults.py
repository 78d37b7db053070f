"""What can be wrong with the demo's Jira, on demand, and how it then answers."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from apimon_node.demo.exchange import JSON, Answer, Request, as_error


@dataclass(frozen=True, slots=True)
class Hang:
    """A fault: the request is taken, and no answer comes for so many seconds; then the connection ends."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop:
    """A fault: the connection ends without an answer."""


@dataclass(frozen=True, slots=True)
class Drip:
    """A fault: the answer comes one byte at a time, with so many seconds between two of them."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RepeatedToken:
    """A fault of Cloud: every page is the first page, and names itself as the next one."""


@dataclass(frozen=True, slots=True)
class StaleToken:
    """A fault of Cloud: no page token is good any more."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A fault: a 400 that repeats the Authorization header, in place of `{}` in its words."""

    words: str = "Bad request header: Authorization: {}"

    def answer(self, authorization: str) -> Answer:
        """Answer a request."""
        return as_error(HTTPStatus.BAD_REQUEST, self.words.replace("{}", authorization))


Fault = Answer | Hang | Drop | Drip | RepeatedToken | StaleToken | Echo
HTML = Answer(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Please sign in</body></html>")
NOT_JSON = Answer(200, JSON, b'{"issues": [')


def every_request(_: Request) -> bool:
    """Return True: the fault concerns all requests."""
    return True


class Trouble:
    """A fault at work, from its beginning until end() is called."""

    def __init__(self, fault: Fault, when: Callable[[Request], bool]) -> None:
        self.fault = fault
        self.meets = when
        self._over = threading.Event()

    def end(self) -> None:
        """Release all requests that wait for an answer: their connections end."""
        self._over.set()

    def deliver(self, answer: Callable[[], Answer]) -> Iterator[bytes]:
        """Yield what is sent, piece by piece; `answer` gives what Jira would send."""
        match self.fault:
            case Answer() as instead:
                yield instead.wire()
            case Hang(seconds):
                self._over.wait(seconds)
            case Drip(seconds):
                yield from self._drip(answer().wire(), seconds)
            case RepeatedToken() | StaleToken() | Echo():
                yield answer().wire()

    def _drip(self, wire: bytes, seconds: float) -> Iterator[bytes]:
        for byte in wire:
            yield bytes([byte])
            if self._over.wait(seconds):
                return
