"""The demo: a broker, a Jira that lives, the real poller, strip service and node on this machine, to see and to break.

The strip is drawn in a terminal. What the strip service loads is no C library but a stand-in, which hands the frames to
us; all else is what runs on a wall.
"""

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from apimon_node.config import schema
from apimon_node.demo import broker
from apimon_node.demo.buttons import ACCOUNT, Parts, buttons
from apimon_node.demo.jira import JiraServer
from apimon_node.demo.life import Life
from apimon_node.demo.picture import Picture
from apimon_node.demo.processes import DemoError, Processes
from apimon_node.demo.site import Site
from apimon_node.demo.strip import Strip
from apimon_node.demo.tour import Tour
from apimon_node.process import extras
from apimon_node.process.service import Service

if TYPE_CHECKING:
    from apimon_node.view.app import View

STEP = 2.0
"""Seconds between two things that happen on the board."""

START_TIMEOUT = 10.0
"""Seconds that the strip service may take."""

TICKETS, PIXELS = 9, 30
STRIP, SOCKET = "ops", "strip.sock"

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}, protocol: {protocol}}}
node: {{id: demo}}
strips:
  - {{name: {strip}, driver: ws281x, gpio: 10, pixels: {pixels}, boards: [ops], order: RGB, max_milliamps: 0}}
ws281x: {{socket: '{socket}'}}
looks:
  - {{match: {{status: Open}}, color: red}}
  - {{match: {{status: In Progress}}, color: magenta}}
  - {{match: {{status: Review}}, color: blue}}
  - {{color: green}}
poller:
  interval: 1s
  valid_for: 30s
  fields: [category, priority, created, due, summary, assignee]
  jira: {{url: '{jira}', auth: {{type: pat}}}}
boards:
  - {{name: ops, jql: project = OPS AND statusCategory != Done, overdue_after: {{Open: 45s, In Progress: 90s, Review: 2m}}}}
"""  # noqa: E501 - no Python

HEAD = """\
A broker ({broker}), a Jira that lives, a poller and a node run on this machine. Ctrl-C ends them all.
Red is Open, magenta In Progress, blue Review; what pulses is overdue. See it in a browser, and break it there:
    {url}
See what the others see:
    mosquitto_sub -h 127.0.0.1 -p {port} -t 'apimon/#' -v
"""


def run(seconds: float | None = None) -> None:
    """Run the demo until Ctrl-C, or for so many seconds. Raises DemoError where one of its processes ends."""
    mosquitto = broker.find_mosquitto()
    extras.need("demo", "jira", "starlette", "uvicorn", *([] if mosquitto else ["amqtt"]))
    from apimon_node.view.address import Address  # noqa: PLC0415 - they need what the line above looks for
    from apimon_node.view.app import View  # noqa: PLC0415 - as above

    until = time.monotonic() + (float("inf") if seconds is None else seconds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="apimon-demo-")))
        service = stack.enter_context(Service(patient=True))  # an impatient Ctrl-C must not leave processes
        port = broker.free_port()
        parts = _parts(folder, broker.command(port, folder, mosquitto), stack)
        protocol = "auto" if mosquitto else "3.1.1"  # amqtt has no MQTT 5, and leaves its CONNECT without an answer
        file = _configure(folder, port=port, protocol=protocol, jira=parts.jira.url)
        settings, _ = schema.load(file)
        broker.wait_for(port, parts.start_broker())
        tour = stack.enter_context(Tour(buttons(parts)))
        view = stack.enter_context(View(settings, Address(port=0), tour=tour))
        picture = stack.enter_context(Picture())
        picture.head(HEAD.format(broker="mosquitto" if mosquitto else "amqtt", port=port, url=view.url))
        _start(parts, file, folder / SOCKET)
        _play(parts, tour, picture, service, view, until)


def _parts(folder: Path, broker_command: Sequence[str], stack: ExitStack) -> Parts:
    """Make what can be broken; no process yet."""
    site = Site()
    life = Life(site, random.Random())  # noqa: S311 - it is a play
    life.populate(time.time(), TICKETS)
    jira = stack.enter_context(JiraServer(site, cloud=False, account=ACCOUNT))
    strip = stack.enter_context(Strip(folder, PIXELS))
    processes = stack.enter_context(Processes(folder, {"APIMON_JIRA_TOKEN": ACCOUNT.secret}))
    return Parts(processes, partial(processes.start, "broker", broker_command), jira, strip, life)


def _configure(folder: Path, *, port: int, protocol: str, jira: str) -> Path:
    """Write the configuration of node and poller."""
    file = folder / "config.yaml"
    text = CONFIG.format(port=port, protocol=protocol, jira=jira, strip=STRIP, pixels=PIXELS, socket=folder / SOCKET)
    file.write_text(text, encoding="utf-8")
    return file


def _start(parts: Parts, file: Path, socket: Path) -> None:
    """Start poller, strip service and node; that last, for without the service it would begin with a fault."""
    processes = parts.processes
    processes.start("poller", _apimon("poll", "--config", file))
    processes.start("strip service", _apimon("strip", "--socket", socket), parts.strip.environment)
    until = time.monotonic() + START_TIMEOUT
    while not socket.exists():
        processes.check()
        if time.monotonic() > until:
            raise DemoError(f"the strip service did not listen within {START_TIMEOUT:g} s")
        time.sleep(0.02)
    processes.start("node", _apimon("run", "--config", file))


def _play(parts: Parts, tour: Tour, picture: Picture, service: Service, view: "View", until: float) -> None:
    """Run the demo until it ends: move tickets, draw the strip, handle buttons."""
    step_at = time.monotonic() + STEP
    while not service.stopping and time.monotonic() < until:
        waiting = [one for one in (service, tour, parts.strip) if one.fileno() >= 0]
        view.turn(min(step_at, until), *waiting)
        for sentence in tour.turn():
            picture.tell(sentence)
        for frame in parts.strip.frames():
            picture.strip(STRIP, frame)
        if time.monotonic() >= step_at:
            step_at = time.monotonic() + STEP
            picture.tell(parts.life.step(time.time()))
        parts.processes.check()


def _apimon(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "apimon_node", *map(str, arguments)]
