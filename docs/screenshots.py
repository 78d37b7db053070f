"""Makes docs/view-*.png: the page of a broker, a Jira, a poller and two nodes that really run, in Debian's chromium.

One of the nodes draws its strip in a (pseudo) terminal: view-strip.png has the page, and below it what was drawn there.

Run it in the root of the repository, with the development tools installed: PYTHONPATH=tests python docs/screenshots.py
"""

import base64
import os
import pty
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from html import escape
from pathlib import Path
from typing import Self

from browser import Watched, chromium
from parts import Mosquitto, Observer, Program, wait_until
from playwright.sync_api import Browser
from rich.color import Color
from rich.style import Style
from rich.text import Text

from apimon_node.demo.jira import Account, JiraServer
from apimon_node.demo.life import Life
from apimon_node.demo.site import Site

SECONDS, STEP = 125, 5.0
"""How long the board lives before it is looked at, and how long a step of its life takes."""

TICKETS = 24

PHONE = 390
"""CSS pixels that a common phone is wide."""

README = 920
"""CSS pixels that a README is wide on a large screen."""

MARGIN = 16
"""CSS pixels below the first strip."""

PERIOD = 2.0
"""Seconds in which a pixel pulses once."""

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}}}
node: {{id: {node}}}
strips:
  - {{name: {strip}, driver: {driver}, pixels: {pixels}, boards: [ops], status_pixel: last{more}}}
looks:
  - {{match: {{status: Open}}, color: red}}
  - {{match: {{status: In Progress}}, color: magenta}}
  - {{match: {{status: Review}}, color: '#0060ff'}}
  - {{color: green}}
poller:
  interval: 1s
  jira: {{url: '{jira}', auth: {{type: pat}}}}
  fields: [summary, priority, assignee, created, due]
boards:
  - name: ops
    jql: project = OPS AND statusCategory != Done
    overdue_after: {{Open: 165s, In Progress: 175s, Review: 185s}}
home_assistant: {{enabled: false}}
"""

NODES = (
    ("hallway", "terminal", "ops", 30, ""),
    ("meeting-room", "memory", "window", 60, ", reverse: true, brightness: 60%"),
)

BESIDE = """\
<!doctype html>
<style>
  body {{ margin: 0; padding: 2px; width: {width}px; font: 22px/1.3 "DejaVu Sans Mono", monospace; }}
  img, pre {{ display: block; box-sizing: border-box; width: 100%; border: 1px solid #8886; border-radius: 14px; }}
  pre {{ margin: 14px 0 0; padding: 12px 18px 16px; background: #0c0c0e; color: #d0d0d4; font: inherit; }}
</style>
<img src="data:image/png;base64,{page}" alt="">
<pre>$ apimon-node run
{strip}</pre>
"""
"""Both in one picture. It lies on no ground of its own: READMEs are light and dark."""


class Tty:
    """A terminal for a program to draw in."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        self._drawn = b""
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.theirs)
        self._thread.join()
        os.close(self._ours)

    def _read(self) -> None:
        with suppress(OSError):  # Linux's way to tell that nobody has the other end open any more
            while True:
                self._drawn += os.read(self._ours, 65536)

    def brightest(self, seconds: float) -> Text:
        """Give the line that shines most of those that are drawn from now on."""
        before = len(self._drawn)
        time.sleep(seconds)
        return max(map(Text.from_ansi, self._drawn[before:].decode().split("\r")), key=brightness)


def brightness(line: Text) -> int:
    """Sum up what shines in a line."""
    return sum(sum(color_of(span.style).get_truecolor()) * (span.end - span.start) for span in line.spans)


def color_of(style: Style | str) -> Color:
    """Give the colour of a piece of what was drawn."""
    assert isinstance(style, Style)
    return style.color or Color.from_rgb(0, 0, 0)


def markup(line: Text) -> str:
    """Write a line that was drawn as HTML."""
    parts, end = [], 0
    for span in line.spans:
        color = color_of(span.style).get_truecolor().hex
        parts += [escape(line.plain[end : span.start])]
        parts += [f'<span style="color: {color}">{escape(line.plain[span.start : span.end])}</span>']
        end = span.end
    return "".join(parts)


@contextmanager
def running(folder: Path, tty: Tty) -> Iterator[str]:
    """Let all of it run; give the address of the page, once there is something to see."""
    site = Site()
    life = Life(site, random.Random(5))  # noqa: S311 - it is a play
    life.populate(time.time(), TICKETS)
    token = {"APIMON_JIRA_TOKEN": "demo"}
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder))
        jira = stack.enter_context(JiraServer(site, cloud=False, account=Account("demo", "demo")))
        observer = stack.enter_context(Observer(broker.port))
        for node, driver, strip, pixels, more in NODES:
            config = folder / f"{node}.yaml"
            values = {"node": node, "driver": driver, "strip": strip, "pixels": pixels, "more": more}
            config.write_text(CONFIG.format(port=broker.port, jira=jira.url, **values), encoding="utf-8")
            out = tty.theirs if driver == "terminal" else None
            look = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80"}
            arguments = ("run", "--config", str(config))
            stack.enter_context(Program(folder, *arguments, stdout=out, environment=look, name=node))
        stack.enter_context(Program(folder, "poll", "--config", str(config), environment=token))
        view = stack.enter_context(Program(folder, "view", "--config", str(config), "--listen", "127.0.0.1:0"))
        wait_until(lambda: view.out.endswith("\n"), "the page")
        wait_until(lambda: b"OPS-" in observer.latest.get("apimon/tickets/ops", b""), "the tickets")
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            life.step(time.time())
            time.sleep(STEP)
        yield view.out.strip()


def shoot(browser: Browser, address: str, width: int, height: int, scheme: str) -> None:
    """Make one picture, with a panel open on the wide ones."""
    viewport = {"width": width, "height": height}
    with Watched(browser, viewport=viewport, color_scheme=scheme) as watched:
        page = watched.page
        page.goto(address)
        page.wait_for_selector(".plot .area")
        overdue = page.locator(".strip").first.locator(".led[data-overdue]")
        if width > PHONE:
            overdue.nth(1).hover()
        page.evaluate("document.getAnimations().forEach(one => { one.pause(); one.currentTime = 0; })")  # they shine
        page.screenshot(path=f"docs/view-{width}-{scheme}.png", full_page=True)
        assert watched.complaints == []


def shoot_beside(browser: Browser, address: str, tty: Tty) -> None:
    """Make the picture of the page, and of the strip of its first node at the same moment."""
    viewport = {"width": README, "height": 900}
    with Watched(browser, viewport=viewport, device_scale_factor=2) as watched:
        page = watched.page
        page.goto(address)
        page.locator(".strip").first.locator(".led[data-overdue]").first.hover()
        strip = tty.brightest(PERIOD)
        page.evaluate("document.getAnimations().forEach(one => { one.pause(); one.currentTime = 0; })")  # they shine
        bottoms = page.locator(".panel, .strip:first-child").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().bottom)"
        )
        height = max(bottoms) + MARGIN
        picture = base64.b64encode(page.screenshot(clip={"x": 0, "y": 0, "width": README, "height": height})).decode()
        page.goto("about:blank")  # our own page lets nobody write into it
        page.set_content(BESIDE.format(width=README, page=picture, strip=markup(strip)))
        page.locator("body").screenshot(path="docs/view-strip.png", omit_background=True)
        assert watched.complaints == []


def main() -> None:
    """Write the pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Tty() as tty,
        running(Path(folder), tty) as address,
        chromium() as browser,
    ):
        shoot_beside(browser, address, tty)
        for width, height in ((1280, 900), (PHONE, 844)):
            for scheme in ("light", "dark"):
                shoot(browser, address, width, height, scheme)


if __name__ == "__main__":
    main()
