"""A broker for the demo on a free port of this machine: mosquitto where there is one, else amqtt, as a process."""

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from apimon_node.errors import BrokerError

START_TIMEOUT = 10.0
"""Seconds."""

MOSQUITTO_CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
"""


def find_mosquitto() -> str | None:
    """Return the path of mosquitto; Debian puts it where users do not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Find a port of the loopback interface that nobody uses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def command(port: int, folder: Path, mosquitto: str | None) -> list[str]:
    """Return the command that runs a broker on `port`, with its files in `folder`."""
    if mosquitto is None:
        return [sys.executable, "-m", "apimon_node.demo.broker", str(port)]
    conf = folder / "mosquitto.conf"
    conf.write_text(MOSQUITTO_CONF.format(port=port), encoding="utf-8")
    return [mosquitto, "-c", str(conf)]


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a broker takes connections. Raises BrokerError."""
    until = time.monotonic() + START_TIMEOUT
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise BrokerError(f"the broker did not start: {' '.join(map(str, process.args))}")  # type: ignore[arg-type]  # a list here


async def _amqtt(port: int) -> None:
    """Run amqtt until a signal: MQTT 3.1.1 only, without its plugins that log every packet."""
    from amqtt.broker import Broker  # noqa: PLC0415 - an extra, and only in this process

    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Broker(config).start()
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(_amqtt(int(sys.argv[1])))
