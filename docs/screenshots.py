"""Makes docs/view-*.png: the page of a broker, a Jira, a poller and two nodes that really run, in Debian's chromium.

Run it in the root of the repository, with the development tools installed: PYTHONPATH=tests python docs/screenshots.py
"""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from browser import Watched, chromium
from parts import Mosquitto, Observer, Program, wait_until
from playwright.sync_api import Browser

from apimon_node.demo.jira import Account, JiraServer
from apimon_node.demo.life import Life
from apimon_node.demo.site import Site

SECONDS, STEP = 125, 5.0
"""How long the board lives before it is looked at, and how long a step of its life takes."""

TICKETS = 24

PHONE = 390
"""CSS pixels that a common phone is wide."""

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}}}
node: {{id: {node}}}
strips:
  - {{name: {strip}, driver: memory, pixels: {pixels}, boards: [ops], status_pixel: last{more}}}
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
    overdue_after: {{Open: 122s, In Progress: 124s, Review: 3m}}
home_assistant: {{enabled: false}}
"""

NODES = (("hallway", "ops", 36, ""), ("meeting-room", "window", 60, ", reverse: true, brightness: 60%"))


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Let all of it run; give the address of the page, once there is something to see."""
    site = Site()
    life = Life(site, random.Random(5))  # noqa: S311 - it is a play
    life.populate(time.time(), TICKETS)
    token = {"APIMON_JIRA_TOKEN": "demo"}
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder))
        jira = stack.enter_context(JiraServer(site, cloud=False, account=Account("demo", "demo")))
        observer = stack.enter_context(Observer(broker.port))
        for node, strip, pixels, more in NODES:
            config = folder / f"{node}.yaml"
            text = CONFIG.format(port=broker.port, node=node, strip=strip, pixels=pixels, more=more, jira=jira.url)
            config.write_text(text, encoding="utf-8")
            stack.enter_context(Program(folder, "run", "--config", str(config), name=node))
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


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as address, chromium() as browser:
        for width, height in ((1280, 900), (PHONE, 844)):
            for scheme in ("light", "dark"):
                shoot(browser, address, width, height, scheme)


if __name__ == "__main__":
    main()
