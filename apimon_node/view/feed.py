"""The feed: what is known, to any number of browsers, as server-sent events.

Each browser is told all at first, and then what has changed since it was told the last time. Of a slow one nothing
piles up: its changes are names of sections, whose latest content counts when it takes the next event.

All of this belongs to the loop of the server, and is called from there alone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

from apimon_node import wire

PACE = 0.1
"""Seconds between two events for one browser, at the least."""

HEARTBEAT = 10.0
"""Seconds of silence after which a browser is told that we are there: it takes 30 for a loss (static/feed.js)."""

MAX_BROWSERS = 32
"""Browsers at a time. A browser itself opens six connections to one server at the most (HTTP/1.1)."""

MAX_CHANGED = 2000
"""Sections that a slow browser is told one by one; of more it is told all. A fleet has about 1,000 at the most."""

BEGIN = b"retry: 1000\n\n"
"""Milliseconds after which a browser that lost us tries again."""

BEAT = b": still here\nevent: beat\ndata: {}\n\n"
"""A page does not hear comments, so the heartbeat is an event of its own beside one."""


class Browser:
    """One reader of the feed."""

    def __init__(self, sections: Mapping[str, bytes]) -> None:
        self._sections = sections
        self._changed: set[str] = set()
        self._all = True
        self._gone = False
        self._woken = asyncio.Event()
        self._woken.set()

    def tell(self, names: Mapping[str, object]) -> None:
        """Note what has changed."""
        self._changed.update(names)
        self._all = self._all or len(self._changed) > MAX_CHANGED
        if self._all:
            self._changed.clear()
        self._woken.set()

    def leave(self) -> None:
        """End its events."""
        self._gone = True
        self._woken.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the parts of one event after the other, until it leaves.

        An event comes in parts so that the network never holds more than one section for a browser that does not read.
        """
        yield BEGIN
        while await self._wait():
            for chunk in self._take():
                yield chunk
            await asyncio.sleep(PACE)

    async def _wait(self) -> bool:
        """Wait for news, or for the next heartbeat; return whether it is still there."""
        try:
            async with asyncio.timeout(HEARTBEAT):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()
        return not self._gone

    def _take(self) -> Iterator[bytes]:
        """Make an event of what has changed; what changes while it is read belongs to the next one."""
        whole, names = self._all, self._sections.keys() if self._all else self._changed
        parts = [(name, self._sections.get(name)) for name in names]
        self._all, self._changed = False, set()
        return _event(parts, whole=whole) if whole or parts else iter([BEAT])


def _event(parts: list[tuple[str, bytes | None]], *, whole: bool) -> Iterator[bytes]:
    yield b'data: {"all":%s,"sections":{' % (b"true" if whole else b"false")
    for at, (name, content) in enumerate(parts):
        yield b"%s%s:%s" % (b"," if at else b"", wire.dump(name), b"null" if content is None else content)
    yield b"}}\n\n"


class Feed:
    """The latest of each section, as JSON, and the browsers that hear of it."""

    def __init__(self) -> None:
        self._sections: dict[str, bytes] = {}
        self._browsers: set[Browser] = set()
        self._closed = False

    def publish(self, changed: Mapping[str, bytes | None]) -> None:
        """Take in sections that have changed (None: gone), and let all browsers know."""
        for name, content in changed.items():
            if content is None:
                self._sections.pop(name, None)
            else:
                self._sections[name] = content
        for browser in self._browsers:
            browser.tell(changed)

    @property
    def full(self) -> bool:
        """Return whether there is no room for another browser."""
        return self._closed or len(self._browsers) >= MAX_BROWSERS

    @contextmanager
    def browser(self) -> Iterator[Browser]:
        """Add a browser."""
        browser = Browser(self._sections)
        self._browsers.add(browser)
        try:
            yield browser
        finally:
            self._browsers.discard(browser)

    def close(self) -> None:
        """End the events of all browsers, and take no more."""
        self._closed = True
        for browser in self._browsers:
            browser.leave()
