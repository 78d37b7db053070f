"""The demo: a broker, a Jira that lives, the real poller and the real node on this machine, drawn in a terminal."""

import os
import random
import select
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from apimon_node import extras
from apimon_node.demo import broker
from apimon_node.demo.jira import Account, JiraServer
from apimon_node.demo.life import Life
from apimon_node.demo.site import Site
from apimon_node.errors import ApimonError
from apimon_node.service import Service

STEP = 2.0
"""Seconds between two things that happen on the board."""

STOP_TIMEOUT = 3.0
"""Seconds that a process has to end by itself: the contract gives a node 2."""

PIPE = 65536
"""Bytes that a pipe holds."""

TICKETS = 9
TOKEN = "demo"  # noqa: S105 - it opens nothing but the demo's own Jira

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}, protocol: {protocol}}}
node: {{id: demo}}
strips:
  - {{name: ops, driver: terminal, pixels: 30, boards: [ops]}}
looks:
  - {{match: {{status: Open}}, color: red}}
  - {{match: {{status: In Progress}}, color: magenta}}
  - {{match: {{status: Review}}, color: blue}}
  - {{color: green}}
poller:
  interval: 1s
  valid_for: 30s
  jira: {{url: '{jira}', auth: {{type: pat}}}}
boards:
  - {{name: ops, jql: project = OPS AND statusCategory != Done, overdue_after: {{Open: 45s, In Progress: 90s, Review: 2m}}}}
"""  # noqa: E501 - no Python

HEAD = """\
A broker ({broker}), a Jira that lives, a poller and a node run on this machine. Ctrl-C ends them all.
Red is Open, magenta In Progress, blue Review; what pulses is overdue. See what the others see:
    mosquitto_sub -h 127.0.0.1 -p {port} -t 'apimon/#' -v
"""


class DemoError(ApimonError):
    """A part of the demo has ended by itself."""


def run(seconds: float | None = None) -> None:
    """Run the demo until Ctrl-C, or for so many seconds. Raises DemoError where one of its processes ends."""
    mosquitto = broker.find_mosquitto()
    extras.need("demo", "jira", *([] if mosquitto else ["amqtt"]))
    until = time.monotonic() + (float("inf") if seconds is None else seconds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="apimon-demo-")))
        service = stack.enter_context(Service(patient=True))  # an impatient Ctrl-C must not leave processes
        site = Site()
        life = Life(site, random.Random())  # noqa: S311 - it is a play
        life.populate(time.time(), TICKETS)
        jira = stack.enter_context(JiraServer(site, cloud=False, account=Account("demo", TOKEN)))
        processes = Processes(folder, stack)
        port = broker.free_port()
        broker.wait_for(port, processes.start("broker", broker.command(port, folder, mosquitto)))
        config = folder / "config.yaml"
        protocol = "auto" if mosquitto else "3.1.1"  # amqtt has no MQTT 5, and leaves its CONNECT without an answer
        config.write_text(CONFIG.format(port=port, protocol=protocol, jira=jira.url), encoding="utf-8")
        picture = stack.enter_context(Picture())
        picture.head(HEAD.format(broker="mosquitto" if mosquitto else "amqtt", port=port))
        processes.start("poller", _apimon("poll", config))
        node = processes.start("node", _apimon("run", config), stdout=subprocess.PIPE, env=picture.environment())
        assert node.stdout is not None
        _play(life, node.stdout.fileno(), picture, processes, service, until)


def _play(life: Life, frames: int, picture: "Picture", processes: "Processes", service: Service, until: float) -> None:
    """Let things happen on the board, and draw what the node draws."""
    partial = b""
    step_at = time.monotonic() + STEP
    while not service.stopping and time.monotonic() < until:
        wait = max(0, min(step_at, until) - time.monotonic())
        readable, _, _ = select.select([service.fileno(), frames], [], [], wait)
        if frames in readable:
            *lines, partial = (partial + os.read(frames, PIPE)).split(b"\n")
            for line in lines:
                picture.strip(line.decode())
        if time.monotonic() >= step_at:
            step_at = time.monotonic() + STEP
            picture.tell(life.step(time.time()))
        processes.check()


def _apimon(command: str, config: Path) -> list[str]:
    return [sys.executable, "-m", "apimon_node", command, "--config", str(config)]


class Processes:
    """The demo's processes. They stand in groups of their own, so that Ctrl-C reaches the demo, which ends them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, command: list[str], stdout: int | None = None, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process whose log goes into the demo's folder; it is ended in reverse order of the start."""
        log = self._stack.enter_context((self._folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            stdin=subprocess.DEVNULL,
            stdout=log if stdout is None else stdout,
            stderr=log,
            env=(env or dict(os.environ)) | {"APIMON_JIRA_TOKEN": TOKEN},
            process_group=0,
        )
        self._stack.callback(_end, process)
        self._running[name] = process
        return process

    def check(self) -> None:
        """Raise DemoError, with what it logged last, if a process has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
                raise DemoError(f"the {name} has ended with code {process.returncode}:\n{log[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, politely first."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


class Picture:
    """What the demo draws: in a terminal the strip and a line below it that changes, else a line for each change."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        alive = sys.stdout.isatty() and not self._console.is_dumb_terminal
        self._live = Live(console=self._console, auto_refresh=False) if alive else None
        self._strip = Text()
        self._news = Text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def environment(self) -> dict[str, str]:
        """Give the environment in which the node draws into our pipe as it would into this terminal."""
        environment = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "NO_COLOR")}
        if self._console.color_system is None:
            return environment | {"NO_COLOR": "1"}
        return environment | {"FORCE_COLOR": "1", "COLORTERM": "truecolor"}

    def head(self, text: str) -> None:
        """Say what this is."""
        self._console.print(text)
        if self._live is not None:
            self._live.start()

    def strip(self, line: str) -> None:
        """Draw the strip as the node drew it."""
        self._strip = Text.from_ansi(line)
        if self._live is None:
            self._print(self._strip)
        self._draw()

    def tell(self, news: str) -> None:
        """Tell what has happened."""
        self._news = Text(news)
        if self._live is None:
            self._print(self._news)
        self._draw()

    def _print(self, line: Text) -> None:
        self._console.print(f"{time.strftime('%H:%M:%S')} ", line, end="\n", sep="")
        self._console.file.flush()

    def _draw(self) -> None:
        if self._live is not None:
            self._live.update(Group(self._strip, self._news), refresh=True)
