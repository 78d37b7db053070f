"""The predecessor's end: two strips that change at every write, on the real library, until the kernel has had enough.

It re-initialised the library at each write, lost five memory mappings each time on a 64-bit system, and crashed after
13,095 writes, eleven minutes. APIMON_FRAMES=200000 lets our node run for longer, and --log-cli-level=INFO tells what it
holds meanwhile.
"""

import gc
import logging
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from rigs import LIBRARY, answer, environment
from shim import FakePi
from world import World

from apimon_node.errors import StripError
from apimon_node.strip import child, ws281x
from apimon_node.strip.child import Line, Opening

log = logging.getLogger(__name__)

FRAMES = int(os.environ.get("APIMON_FRAMES", "14000"))
SETTLED = 1000
"""Frames after which nothing grows any more."""

CONFIG = """
node: {id: hall}
strips:
  - {name: ops, driver: ws281x, gpio: 18, pixels: 40, boards: [ops], max_milliamps: 0}
  - {name: web, driver: ws281x, gpio: 13, pixels: 40, boards: [web], max_milliamps: 0}
looks: [{match: {status: A}, color: red}]
"""

CARELESS = f"""
import sys
sys.path.insert(0, {str(Path(child.__file__).parent)!r})
import child
def show(self, frame, careful=child.Library.show):
    self.close()
    return self.open() or careful(self, frame)
child.Library.show = show
child.main()
"""
"""The child, as the predecessor would have written it."""


SLACK = 512
"""Kilobytes that do not count: the heap's, some pages more or less."""


class Held(NamedTuple):
    """What a process holds."""

    mappings: int
    files: int
    rss_kb: int


def held(pid: int) -> Held:
    """Look at a process, without what Python keeps of objects that are gone, to use it again (gc.collect)."""
    gc.collect()
    process = Path(f"/proc/{pid}")
    mappings = len((process / "maps").read_bytes().splitlines())
    pages = int((process / "statm").read_text().split()[1])
    return Held(mappings, len(list((process / "fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE") // 1024)


class Wall(World):
    """A node whose two strips are driven by the real library. Its clock is a number still."""

    def __init__(self) -> None:
        super().__init__(CONFIG)
        lines = tuple(Line(strip.gpio or 0, 3, strip.pixels) for strip in self.settings.strips)
        self.driver = ws281x.Ws281x(Opening(10, lines), self._connect, root=True)

    def _connect(self) -> ws281x.ChildProcess:
        self.child = ws281x.ChildProcess(LIBRARY)
        return self.child

    def turn(self) -> None:
        for name, frame in self.node.frames(self.instant).items():
            self.driver.show(frame)
            self.node.frame_shown(name, answer(self.driver), self.instant)
        self.retained |= {message.topic: message.payload for message in self.node.outbox(self.instant)}

    def changes(self, first: int, end: int) -> None:
        """Change both boards, and let the strips be written, again and again."""
        for number in range(first, end):
            self.counts("ops", A=10 + 20 * (number % 2))
            self.counts("web", A=30 - 20 * (number % 2))
            self.now += 0.5
            self.turn()

    @property
    def pid(self) -> int:
        return self.child._process.pid


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[FakePi]:
    pi = FakePi(tmp_path)
    with ExitStack() as stack:
        for name, value in pi.environment.items():
            stack.enter_context(environment(name, value))
        yield pi


@pytest.fixture
def wall(pi: FakePi) -> Iterator[Wall]:
    del pi  # it is in the environment now
    wall = Wall()
    yield wall
    wall.driver.close()


@pytest.mark.timeout(3600)
def test_two_strips_that_change_at_every_write_cost_nothing_that_adds_up(pi: FakePi, wall: Wall) -> None:
    wall.up()
    wall.changes(0, SETTLED)
    node, strips, gpu = held(os.getpid()), held(wall.pid), pi.gpu_bytes

    wall.changes(SETTLED, FRAMES)

    node_at_the_end, strips_at_the_end = held(os.getpid()), held(wall.pid)
    log.info(
        "%d frames: %s %s; %s %s", FRAMES, strips, strips_at_the_end, node, node_at_the_end
    )  # --log-cli-level=INFO
    assert pi.frames(0) == pi.frames(1) == FRAMES
    assert pi.opens == 1
    assert strips_at_the_end[:2] == strips[:2]
    assert node_at_the_end.files == node.files
    assert pi.gpu_bytes == gpu
    assert strips_at_the_end.rss_kb <= strips.rss_kb + SLACK
    assert node_at_the_end.rss_kb <= node.rss_kb + SLACK


@pytest.mark.skipif(struct.calcsize("P") != 8, reason="a 32-bit library gives its mappings back")
def test_the_same_with_a_library_that_is_initialised_at_every_write_ends_as_the_predecessor_did(
    pi: FakePi, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws281x, "command", lambda library: [*ws281x.PYTHON, "-c", CARELESS, library])
    limit = int(Path("/proc/sys/vm/max_map_count").read_text(encoding="ascii"))
    wall.up()
    wall.changes(0, 1)
    before = held(wall.pid).mappings
    wall.changes(1, 11)
    lost = (held(wall.pid).mappings - before) / 10

    with pytest.raises(StripError) as caught:
        wall.changes(11, 14_000)

    assert lost == 5
    assert caught.value.code in {-5, -6}
    assert pi.renders == pytest.approx(limit / lost, rel=0.01)
