"""Installation, upgrade and rollback by the documented commands, in a real systemd that has never seen the program.

Only where APIMON_SYSTEMD names a harness, and its tree has python3-venv: a tree of its own, beside that of other tests.

    export SYSD_CACHE=~/.cache/sysd-install SYSD_PKGS=python3-venv APIMON_SYSTEMD=...
    $APIMON_SYSTEMD/setup.sh && pytest tests/test_install_live.py

It takes root, a minute or two, and once the package index, for the wheels of our libraries.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from booted import BROKER, HARNESS, PATIENCE, PROJECT, SUITES, Booted, harness
from parts import Observer, wait_until

from apimon_node import __version__

pytestmark = [
    pytest.mark.skipif(not HARNESS, reason="APIMON_SYSTEMD names no harness that boots a systemd"),
    pytest.mark.timeout(900),
    # What the harness opens it leaves to Python to close.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SLOW = 300.0
"""Seconds for a command that builds a release; the machines are shared."""

NEXT = "9.0.0"
TURN = "        while not service.stopping and not node.restarting:\n"
BROKEN = {
    "dead": ("    assert settings.node is not None\n", '    raise SystemExit("dead on arrival")\n'),
    "doomed": (
        TURN,
        f"        import time; end = time.monotonic() + 4\n{TURN}            assert time.monotonic() < end\n",
    ),
    "picky": ("", ""),
}
"""Versions that do not hold: one that does not start, one that says it is ready and dies soon after, and one that knows
a key of the configuration by another name."""


class Bare(Booted):
    """A machine on which nothing of ours is installed, with sources and wheels to install from."""

    def __enter__(self) -> Self:
        sysd = harness()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="apimon-")))
        tree = sysd.CACHE / self.suite
        binds = {str(source): f"/srv/{source.name}" for source in sources(self.folder)}
        binds[str(wheels(self.folder, tree))] = "/srv/wheels"
        pip_conf = {"/etc/pip.conf": "[global]\nno-index = true\nfind-links = /srv/wheels\n"}
        self.system = sysd.Sysd.boot(tree, pip_conf, binds, timeout=PATIENCE)
        self._stack.callback(self.system.shutdown)
        return self

    def sudo(self, command: str) -> tuple[int, list[str], str]:
        """Run a command as root: its code, the lines that it says, and what it says on standard error."""
        code, said, complaints = self.system.run(command, timeout=SLOW)
        return code, said.splitlines(), complaints


def sources(folder: Path) -> Iterator[Path]:
    """Write our repository, and versions of it that come later."""
    for name in ("apimon_node", "next", *BROKEN):
        source = folder / name
        for part in ("apimon_node", "systemd"):
            shutil.copytree(PROJECT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "config.yaml", "README.md", "LICENSE"):
            shutil.copy(PROJECT / part, source)
        if name != "apimon_node":
            change(source / "apimon_node/__init__.py", __version__, NEXT)
        if name in BROKEN:
            change(source / "apimon_node/node/app.py", *BROKEN[name])
        if name == "picky":
            change(source / "apimon_node/config/schema.py", '"render_interval": Key', '"frame_interval": Key')
            change(source / "apimon_node/config/settings.py", "    render_interval: ", "    frame_interval: ")
            change(source / "apimon_node/config/rules.py", 'values["render_interval"]', 'values["frame_interval"]')
        yield source


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def wheels(folder: Path, tree: Path) -> Path:
    """Fetch what pip needs in the tree, for its Python."""
    (python,) = (tree / "usr/bin").glob("python3.*[0-9]")
    about = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*about["project"]["dependencies"], *about["build-system"]["requires"]]
    target = ["--python-version", python.name.removeprefix("python"), "--only-binary=:all:"]
    command = [sys.executable, "-m", "pip", "download", "-q", *target, "-d", str(folder / "wheels"), *wanted]
    subprocess.run(command, check=True, timeout=SLOW)
    return folder / "wheels"


@pytest.fixture(params=SUITES)
def pi(request: pytest.FixtureRequest) -> Iterator[Bare]:
    tree = harness().CACHE / request.param
    if not list(tree.glob("usr/lib/python3*/ensurepip")):
        pytest.skip(f"{tree} has no python3-venv: see this file's first lines")
    with Bare(request.param, {}) as machine:
        machine.system.net_up()
        machine.sh("hostname hallway")
        yield machine


def is_right(observer: Observer, version: str) -> None:
    """Wait until the light is that of two open tickets, by the node of this version."""

    def right() -> bool:
        status, strip = (observer.json(f"apimon/nodes/hallway/{what}") for what in ("status", "strips/ops"))
        lit = [pixel for pixel in strip.get("pixels", []) if pixel != "000000"]
        up = observer.latest.get("apimon/nodes/hallway/availability") == b"online"
        return up and status.get("version") == version and lit == ["ff0000", "ff0000"]

    wait_until(right, f"the light by version {version}", PATIENCE)


def cut_off(pi: Bare, command: str, at: str) -> None:
    """Run a command, and kill it without a warning as soon as it says something."""
    kill = f"while read -r line; do case $line in *'{at}'*) kill -9 $(cat /run/pid);; esac; done"
    pi.sudo(f"({command} & echo $! >/run/pid; wait) | {kill}")


def test_a_light_that_is_installed_upgraded_broken_and_taken_away_is_dark_only_at_the_end(pi: Bare) -> None:
    observer = pi.observer()
    observer.publish("apimon/tickets/ops", {"counts": {"Open": 2}})

    # Installed
    pi.sudo("python3 -m venv /root/venv && /root/venv/bin/pip install /srv/apimon_node")
    code, said, complaints = pi.sudo("/root/venv/bin/apimon-node install --dry-run")
    assert code == 0, complaints
    assert "would       build a release from file:///srv/apimon_node" in said
    assert pi.sudo("ls /opt/apimon-node /etc/apimon")[0] != 0
    code, said, complaints = pi.sudo("/root/venv/bin/apimon-node install")
    assert code == 0, complaints
    assert "done        see that apimon-node.service run, and stay so" in said
    assert pi.sudo("systemctl is-active apimon-node; systemctl is-enabled apimon-node")[1] == ["active", "enabled"]
    pi.sh(f"sed -i 's/host: localhost/host: {BROKER}/' /etc/apimon/config.yaml && apimon-node check")
    pi.sh("systemctl restart apimon-node")
    is_right(observer, __version__)

    # Once more
    for command in ("/root/venv/bin/apimon-node install", "apimon-node install", "apimon-node upgrade"):
        code, said, complaints = pi.sudo(command)
        assert code == 0, complaints
        assert [line for line in said if not line.startswith(("already so", "now"))] == []
    pid = pi.pid("apimon-node.service")

    # What does not hold
    code, said, complaints = pi.sudo("apimon-node upgrade /srv/picky")
    assert (code, pi.pid("apimon-node.service")) == (2, pid)
    assert re.search(r"does not take /etc/apimon/config.yaml; nothing was changed:\n.*render_interval", complaints)
    for name in ("dead", "doomed"):
        code, said, complaints = pi.sudo(f"apimon-node upgrade /srv/{name}")
        assert code == 1, said
        assert f"done        {__version__}-1 runs again" in said
        assert "apimon-node.service" in complaints
        is_right(observer, __version__)
    assert pi.sudo("ls /opt/apimon-node/releases")[1] == [f"{__version__}-1"]

    # What does, with a further node on the same machine, and cut off in between
    pi.sh("sed 's/id: hallway/id: kitchen/' /etc/apimon/config.yaml >/etc/apimon/kitchen.yaml")
    pi.sh("systemctl enable --now apimon-node@kitchen")
    cut_off(pi, "apimon-node upgrade /srv/next", "let /opt/apimon-node/current lead to")
    code, said, complaints = pi.sudo("apimon-node upgrade /srv/next")
    assert code == 0, complaints
    is_right(observer, NEXT)
    observer.wait_for("apimon/nodes/kitchen/availability", b"online")
    wait_until(lambda: observer.json("apimon/nodes/kitchen/status").get("version") == NEXT, "the kitchen's", PATIENCE)
    code, said, complaints = pi.sudo("apimon-node rollback")
    assert code == 0, complaints
    is_right(observer, __version__)
    assert pi.sudo("apimon-node --version")[1] == [__version__]

    # Away
    code, said, complaints = pi.sudo("apimon-node uninstall")
    assert code == 0, complaints
    observer.wait_for("apimon/nodes/hallway/availability", b"offline")
    observer.wait_for("apimon/nodes/kitchen/availability", b"offline")
    left = pi.sudo("find /opt /etc/apimon /etc/systemd/system /usr/local/bin -name '*apimon*' -o -name config.yaml")[1]
    assert left == ["/etc/apimon", "/etc/apimon/config.yaml"]
    assert pi.sudo("ls /etc/systemd/system/multi-user.target.wants | grep apimon")[1] == []
    assert pi.sudo("systemctl list-units --all --no-legend 'apimon-*'")[1] == []
