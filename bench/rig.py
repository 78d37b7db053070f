"""The rig: a broker on a free loopback port, the node and its peers beside it, and a client that plays the poller."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.boards import TOPIC

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
TIMEOUT = 20.0
"""Seconds after which something that should have happened has not."""

BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_type none
max_queued_messages 0
"""

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}}}
node: {{id: bench}}
strips:
  - {{name: ops, driver: memory, pixels: {pixels}, boards: [ops]}}
looks:
  - {{match: {{status: Open}}, color: red}}
  - {{match: {{status: [In Progress, Review]}}, color: magenta}}
  - {{match: {{category: done}}, color: '#002200'}}
  - {{match: {{priority: Blocker}}, color: orange, effect: blink}}
  - {{color: blue}}
"""

Process = subprocess.Popen[bytes]


class Said(NamedTuple):
    """What the node published, and when that arrived (monotonic ns)."""

    at: int
    topic: str
    payload: bytes


class Rig:
    """Starts what takes part; all of it ends with the stack."""

    def __init__(self, stack: ExitStack, pixels: int) -> None:
        self._stack = stack
        self._pixels = pixels
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="apimon-bench-")))
        self.port = _free_port()
        self._said: SimpleQueue[Said] = SimpleQueue()
        self._start_broker()
        self._poller = self._client()
        self._last: mqtt.MQTTMessageInfo | None = None
        self._watch()

    # What takes part

    def node(self) -> Process:
        """Start `apimon-node run` with the driver memory."""
        return self._node("apimon_node")

    def probed_node(self) -> Process:
        """Start the same with a driver that writes the time of each frame."""
        return self._node("bench.probed_node", stdout=subprocess.PIPE)

    def sub(self, topic: str = TOPIC, *options: str, stdout: int = subprocess.DEVNULL) -> Process:
        """Start mosquitto_sub."""
        command = ("mosquitto_sub", "-h", HOST, "-p", str(self.port), "-q", "1", "-t", topic, *options)
        return self.start(command, stdout)

    def paho(self, topic: str = TOPIC, *tell: str) -> Process:
        """Start the bare paho client."""
        script = str(ROOT / "bench" / "bare_paho.py")
        return self.start((sys.executable, script, str(self.port), topic, *tell), subprocess.PIPE)

    def start(self, command: Sequence[str], stdout: int = subprocess.DEVNULL, stderr: Any = None) -> Process:
        """Start a process that ends with the rig."""
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, cwd=ROOT)
        self._stack.callback(end, process)
        return process

    # What happens

    def publish(self, payload: bytes, topic: str = TOPIC, *, qos: int = 1, retain: bool = False) -> int:
        """Hand a message to the kernel; answer when (monotonic ns). Call flush() at leisure."""
        at = time.monotonic_ns()
        self._last = self._poller.publish(topic, payload, qos, retain)
        return at

    def flush(self) -> None:
        """Wait until the broker has all messages."""
        until = time.monotonic() + TIMEOUT
        while self._last and not self._last.is_published() and time.monotonic() < until:
            self._poller.loop(0.05)

    def told(self, test: Callable[[Said], bool]) -> Said:
        """Wait for something that the node publishes."""
        until = time.monotonic() + TIMEOUT
        while (left := until - time.monotonic()) > 0:
            try:
                said = self._said.get(timeout=left)
            except Empty:
                break
            if test(said):
                return said
        raise TimeoutError(f"the node did not say so:\n{(self.folder / 'node.log').read_text()}")

    def told_online(self) -> Said:
        """Wait until the node is connected and subscribed."""
        return self.told(lambda said: said.payload == b"online")

    def told_tickets(self, number: int) -> Said:
        """Wait until the node knows so many tickets."""
        return self.told(
            lambda said: (
                said.topic.endswith("/status") and json.loads(said.payload)["boards"]["ops"]["tickets"] == number
            )
        )

    def _node(self, module: str, stdout: int = subprocess.DEVNULL) -> Process:
        config = self.folder / "config.yaml"
        config.write_text(CONFIG.format(port=self.port, pixels=self._pixels))
        log = self._stack.enter_context((self.folder / "node.log").open("ab"))
        return self.start((sys.executable, "-m", module, "run", "--config", str(config)), stdout, log)

    def _start_broker(self) -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text(BROKER.format(port=self.port))
        self.start(("mosquitto", "-c", str(config)), stderr=subprocess.DEVNULL)
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                socket.create_connection((HOST, self.port)).close()
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    def _client(self) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.connect(HOST, self.port, keepalive=3600)
        while not client.is_connected():
            client.loop(0.1)
        self._stack.callback(client.disconnect)
        return client

    def _watch(self) -> None:
        client = self._client()
        client.on_message = lambda _c, _d, message: self._said.put(
            Said(time.monotonic_ns(), message.topic, bytes(message.payload))
        )
        client.subscribe("apimon/nodes/#")
        client.loop_start()
        self._stack.callback(client.loop_stop)


@contextmanager
def rig(pixels: int = 40) -> Iterator[Rig]:
    """Give a rig with a fresh broker, for nodes with a strip of so many pixels."""
    with ExitStack() as stack:
        yield Rig(stack, pixels)


def end(process: Process) -> None:
    """End a process, gently first."""
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def read_time(process: Process) -> int:
    """Read the next time (ns) that a process tells."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])
