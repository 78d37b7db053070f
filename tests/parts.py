"""The real parts that tests work with: a mosquitto, an observer beside it, and our own programs as processes."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from ports import free_port

from apimon_node.demo import broker as demo_broker

PATIENCE = 60.0
"""Seconds after which a test gives up what must come. It is no measure: on a shared machine a start can take twenty."""


def wait_until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait for something that other processes do; give what it is."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {patience:g} s for {what}")


class Mosquitto:
    """A real broker on a free port, which can be killed and started again on the same.

    `more` is what its configuration has besides, as its last listener's.
    """

    def __init__(self, folder: Path, more: str = "") -> None:
        self._folder = folder
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def start(self) -> None:
        mosquitto = demo_broker.find_mosquitto()
        assert mosquitto, "mosquitto is missing: make test installs it"
        command = demo_broker.command(self.port, self._folder, mosquitto)
        if self._more:
            with Path(command[-1]).open("a", encoding="utf-8") as conf:
                conf.write(self._more)
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.wait_for(self.port)

    def wait_for(self, port: int) -> None:
        """Wait until it listens: to websockets it begins later."""
        assert self._process
        demo_broker.wait_for(port, self._process)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Observer:
    """An independent client that sees all that is published, and publishes for the test."""

    def __init__(
        self,
        port: int | Path,
        *topics: str,
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        account: tuple[str, str] | None = None,
    ) -> None:
        """`port` is one of the loopback address, or a broker's socket file; `account` is a user and a password."""
        self.messages: list[tuple[str, bytes, bool]] = []
        self.latest: dict[str, bytes] = {}
        name = f"observer-{secrets.token_hex(4)}"  # amqtt takes all clients without a name for one
        transport: Literal["tcp", "unix"] = "unix" if isinstance(port, Path) else "tcp"
        version = CallbackAPIVersion.VERSION2
        self._client = paho.Client(version, client_id=name, protocol=protocol, transport=transport)
        if account is not None:
            self._client.username_pw_set(*account)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics or ("apimon/#",)])
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        where = (str(port), 1) if isinstance(port, Path) else ("127.0.0.1", port)  # paho wants a port of a file too
        self._client.connect(*where)
        self._client.loop_start()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload), message.retain))
        self.latest[message.topic] = bytes(message.payload)

    def publish(self, topic: str, payload: bytes | str | dict[str, Any], *, retain: bool = True) -> None:
        raw = json.dumps(payload) if isinstance(payload, dict) else payload
        self._client.publish(topic, raw, qos=1, retain=retain).wait_for_publish(PATIENCE)

    def flood(self, topic: str, payload: str, times: int) -> None:
        """Publish the same again and again, and wait only for the last."""
        for _ in range(times):
            last = self._client.publish(topic, payload, qos=0)
        last.wait_for_publish(PATIENCE)

    def json(self, topic: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.latest.get(topic) or b"{}")
        return content

    def wait_for(self, topic: str, payload: bytes) -> None:
        wait_until(lambda: self.latest.get(topic) == payload, f"{payload!r} on {topic}")

    def __enter__(self) -> Self:
        """Wait until it hears what is published from now on."""
        assert self._subscribed.wait(PATIENCE), "the broker has not answered the observer"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # paho leaves its thread's pair to the collector, which warns of it at times


class Program:
    """One of our commands as a process. Its outputs go to files, read as text."""

    def __init__(
        self,
        folder: Path,
        *args: str,
        stdout: int | None = None,
        environment: Mapping[str, str] | None = None,
        before: str = "",
        name: str = "",
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        """`before` is Python that runs before the program; `name` names its output files, else the command does.

        `python` is the command that runs Python; it becomes the program, and has its process id.
        """
        code = f"{before}\nimport sys\nfrom apimon_node.commands.cli import main\nsys.exit(main())"
        program = ["-c", code] if before else ["-m", "apimon_node"]
        self._out, self._err = folder / f"{name or args[0]}.out", folder / f"{name or args[0]}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*python, *program, *args],
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err,
                env=os.environ | (environment or {}),
            )

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code, and the seconds that it took, but for those in which others ran."""
        start = time.monotonic() - self._starved()
        self.process.send_signal(number)
        wait_until(self._over, "the end of the program")
        seconds = time.monotonic() - self._starved() - start
        return self.process.wait(), seconds

    def _over(self) -> bool:
        """Return whether it has ended. It is left to be waited for: until then the kernel keeps its account."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _starved(self) -> float:
        """Return for how many seconds it was ready to run while others had the processors: a busy machine's doing."""
        _, waited, _ = Path(f"/proc/{self.process.pid}/schedstat").read_text(encoding="ascii").split()
        return int(waited) / 1e9

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.process.kill()
            self.process.wait()


NODE_CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}{mqtt}}}
node: {{id: hall}}
strips:
  - {{name: ops, driver: {driver}, pixels: 10, boards: [ops]}}
looks:
  - {{match: {{status: A}}, color: red}}
  - {{match: {{status: B}}, color: lime}}
  - {{match: {{status: C}}, color: blue}}
"""


def node_config(folder: Path, port: int, *, driver: str = "terminal", mqtt: str = "") -> str:
    """Write a node's configuration; give its path."""
    path = folder / "node.yaml"
    path.write_text(NODE_CONFIG.format(port=port, driver=driver, mqtt=mqtt), encoding="utf-8")
    return str(path)
