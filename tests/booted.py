"""A machine with a real systemd, our units and the program in them, and a LAN beside it with a real mosquitto.

It is booted by a harness (sysd.py) in the folder that APIMON_SYSTEMD names, in namespaces of this machine. Its Python
and its libraries are those that the tests run with, bound into where an installation has them.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Self

from parts import Observer, wait_until
from shim import FakePi, library

from apimon_node.demo.broker import find_mosquitto

HARNESS = os.environ.get("APIMON_SYSTEMD", "")
SUITES = ("bookworm", "trixie")
PROJECT = Path(__file__).parents[1]
UNITS = PROJECT / "systemd"
CLOCK = Path(__file__).with_name("clock.c")

BROKER = "10.9.0.1"
"""Where the LAN is, once there is one (sysd.py)."""

HOME = "/opt/apimon-node/current"
COMMAND, PYTHON = f"{HOME}/bin/apimon-node", f"{HOME}/bin/python"
SCRIPT = f"""\
#!{PYTHON}
import sys
sys.path.insert(0, "/opt/project")
from apimon_node.commands.cli import main
sys.exit(main())
"""

STATE = "/run/pretended"
"""Where the machine's pretended Pi and clocks have their state. /run is open to nobody else."""

PATIENCE = 60.0
"""Seconds that systemd and what it starts may take; the machines are shared and slow."""


def harness() -> ModuleType:
    """Load sysd.py."""
    spec = importlib.util.spec_from_file_location("sysd", Path(HARNESS) / "sysd.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def preload(unit: str, *variables: str, more: str = "") -> dict[str, str]:
    """Make the drop-in by which a unit meets our pretended hardware."""
    lines = "\n".join(f"Environment={variable}" for variable in variables)
    text = f"[Service]\n{lines}\nReadWritePaths={STATE}\n{more}"
    return {f"/etc/systemd/system/{unit}.d/pretended.conf": text}


STRIP_PRELOADS = preload(
    "apimon-strip.service", "LD_PRELOAD=/opt/pretended/shim.so", f"FAKEPI_STATE={STATE}/fakepi.state"
)


def late_clock(unit: str) -> dict[str, str]:
    """Make the drop-in by which a unit has a clock of its own."""
    return preload(unit, "LD_PRELOAD=/opt/pretended/clock.so", f"CLOCK_STATE={STATE}/clock")


def _python() -> dict[str, str]:
    """Give what has to be bound where, for our Python to run there in a virtual environment with our libraries."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    binds = {
        sys.base_prefix: "/opt/python",
        f"{sys.base_prefix}/bin/{version}": PYTHON,
        sysconfig.get_path("purelib"): f"{HOME}/lib/{version}/site-packages",
        str(PROJECT): "/opt/project",
    }
    shared = sysconfig.get_config_var("INSTSONAME") or ""
    if (Path(sys.base_prefix) / "lib" / shared).is_file():
        binds[f"{sys.base_prefix}/lib/{shared}"] = f"/usr/lib/{shared}"
    return binds


def listens(path: Path) -> bool:
    """Tell whether somebody listens on a socket: it is there a moment before."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


class Booted:
    """The machine. `pi` is what the strip service drives, where that preloads it."""

    def __init__(
        self, suite: str, files: Mapping[str, str | Path], nodes: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`files` are texts or files by where they go, `nodes` device files: name, major and minor number."""
        self.suite = suite
        self._files = files
        self._nodes = dict(nodes)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        sysd = harness()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="apimon-")))
        shipped = {f"/etc/systemd/system/{file.name}": file for file in UNITS.glob("apimon-*")}
        ours = {
            f"{HOME}/pyvenv.cfg": "home = /opt/python/bin\n",
            COMMAND: SCRIPT,
            "/etc/tmpfiles.d/pretended.conf": f"d {STATE} 0755\n",
            "/opt/pretended/shim.so": library(),
            "/opt/pretended/clock.so": library(CLOCK),
        }
        tree = sysd.CACHE / self.suite
        self.system: Any = sysd.Sysd.boot(
            tree, {**shipped, **ours, **self._files}, _python(), nodes=self._nodes, timeout=PATIENCE
        )
        self._stack.callback(self.system.shutdown)
        inside = Path(f"/proc/{self.system.init}/root{STATE}")
        self.pi = FakePi(inside)
        self._clock = inside / "clock"
        self.set_clock(0)
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            print(self.system.journal())  # noqa: T201 - pytest shows it where a test has failed

    def sh(self, command: str, **options: Any) -> str:
        """Run a command as root, outside of all units; it must go well."""
        out: str = self.system.sh(command, timeout=PATIENCE, **options)
        return out

    def set_clock(self, seconds: int) -> None:
        """Let the clock be wrong by so much, for units that preload one."""
        with self._clock.open("r+b" if self._clock.exists() else "w+b") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))

    def start(self, *units: str) -> None:
        self.sh(f"systemctl enable -q --now {' '.join(units)}")

    def show(self, unit: str, name: str) -> str:
        """Give a property of a unit."""
        return self.sh(f"systemctl show -P {name} {unit}")

    def pid(self, unit: str) -> int:
        return int(self.show(unit, "MainPID"))

    def restarts(self, unit: str) -> int:
        return int(self.show(unit, "NRestarts"))

    def wait_for(self, unit: str, name: str, value: str) -> None:
        wait_until(lambda: value in self.show(unit, name), f"{name} of {unit} to say {value!r}", PATIENCE)

    def journal(self, unit: str) -> str:
        text: str = self.system.journal(unit, "cat")
        return text

    def crash(self, unit: str) -> float:
        """Crash a unit, wait until it is back, and give the seconds that it was away."""
        before, began = self.restarts(unit), time.monotonic()
        self.sh(f"systemctl kill -s SEGV --kill-who=main {unit}")
        wait_until(lambda: self.restarts(unit) > before, f"{unit} to be started anew", PATIENCE)
        self.wait_for(unit, "ActiveState", "active")
        return time.monotonic() - began

    def observer(self, more: str = "", accounts: Mapping[str, str] = MappingProxyType({})) -> Observer:
        """Observe a mosquitto in the LAN, which outlives the machine's network. With accounts, we are the last one."""
        mosquitto = find_mosquitto()
        assert mosquitto, "mosquitto is missing: make test installs it"
        path, conf, passwords = (self.folder / name for name in ("broker.sock", "mosquitto.conf", "passwords"))
        text = f"user root\nlistener 1883 0.0.0.0\nlistener 0 {path}\n{more}\n"
        passwords.touch()
        for name, password in accounts.items():
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, password], check=True)
        who = f"password_file {passwords}" if accounts else "allow_anonymous true"
        conf.write_text(text + who, encoding="utf-8")
        process: subprocess.Popen[bytes] = self.system.lan([mosquitto, "-c", str(conf)])
        wait_until(lambda: listens(path), "the broker's socket")
        assert process.poll() is None
        *_, we = (None, *accounts.items())
        return self._stack.enter_context(Observer(path, account=we))
