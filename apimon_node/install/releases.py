"""Releases: virtual environments side by side, each made whole or not at all."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from apimon_node.errors import ConfigError, InstallError
from apimon_node.install import pip, places, source
from apimon_node.install.host import Shipped, extras

RECORD = "release.json"
"""Written last: a folder without it was never finished."""

PIP_TIMEOUT = 3600.0
"""Seconds for pip: a Pi Zero that compiles, behind a slow line."""

CHECK_TIMEOUT = 120.0
"""Seconds for a release to read the configuration: a Pi Zero takes about ten to start Python with it."""

HELD = "held"
"""Marks a release that has taken over and held. One that is current without was interrupted while it took over."""

FLAGS = ("--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off", "--retries=2")


class About(NamedTuple):
    """What a release was made from, and for."""

    version: str
    source: str
    roles: tuple[str, ...]
    wheel: str  # SHA-256


def about(root: Path, name: str) -> About:
    """Read what a release was made from. Raises InstallError."""
    return read(_at(root, name))


def read(folder: Path) -> About:
    """Read what the release in a folder was made from. Raises InstallError."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return About(record["version"], record["source"], tuple(record["roles"]), record["wheel"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InstallError(f"{folder} is no whole release: apimon-node install SOURCE makes a new one") from None


def build(root: Path, origin: str, roles: Collection[str], current: str, *, rebuild: bool = False) -> str:
    """Make a release and give its name; that of the current one, where it would be the same. Raises InstallError.

    The wheel comes first: it tells the version, and whether there is anything new.
    """
    with _stage(root) as stage:
        python = _with_pip(stage)
        wheel = _wheel(python, stage, origin)
        made = About(wheel.name.split("-")[1], origin, tuple(sorted(roles)), _digest(wheel))
        if current and not rebuild and _runs(root, current) and _same(about(root, current), made):
            return current
        return _make(root, _free(root, made.version), wheel, made, python)


def _make(root: Path, name: str, wheel: Path, made: About, python: Path) -> str:
    """Make the virtual environment of a release, without a pip. Its own folder is the only one it can live in."""
    folder = _at(root, name)
    whole = False
    try:
        _venv(folder, wheel.parent, "--without-pip")
        wanted = pip.requirement(wheel.as_uri(), extras(frozenset(made.roles)))
        _pip(python, wheel.parent, "install", wanted, into=folder)
        os.sync()  # pip does not: a power failure would leave empty files
        (folder / RECORD).write_text(json.dumps(made._asdict()) + "\n", encoding="utf-8")
        whole = True
    except OSError as err:
        raise InstallError(f"cannot make release {name}: {err.strerror}") from None
    finally:
        if not whole:
            shutil.rmtree(folder, ignore_errors=True)
    return name


def _runs(root: Path, name: str) -> bool:
    """Return whether a release is of the Python that runs this; an upgrade of the whole system brings another one."""
    return (_at(root, name) / "lib" / "python{}.{}".format(*sys.version_info)).is_dir()


def _same(one: About, other: About) -> bool:
    return one.wheel == other.wheel and {*extras(frozenset(one.roles))} >= {*extras(frozenset(other.roles))}


@contextmanager
def _stage(root: Path) -> Iterator[Path]:
    """Return a folder for what is needed meanwhile; /tmp may be a small piece of memory."""
    home = root / places.RELEASES.lstrip("/")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stage-", dir=home.parent) as stage:
        yield Path(stage)


def _with_pip(stage: Path) -> Path:
    """Return a Python that has pip: ours, or one that is made for the purpose. Releases have none."""
    if find_spec("pip") is not None:
        return Path(sys.executable)
    _venv(stage / "pip", stage)
    return stage / "pip/bin/python"


def _venv(folder: Path, stage: Path, *args: str) -> None:
    command = [sys.executable, "-I", "-m", "venv", *args, str(folder)]
    _run(command, stage, f"cannot make a virtual environment in {folder}")


def _wheel(python: Path, stage: Path, origin: str) -> Path:
    _pip(python, stage, "wheel", "--no-deps", "--wheel-dir", str(stage), pip.requirement(origin))
    return next(stage.glob("apimon_node-*.whl"))


def _pip(python: Path, stage: Path, verb: str, *args: str, into: Path | None = None) -> None:
    target = [] if into is None else ["--python", str(into / "bin/python")]
    _run([str(python), "-I", "-m", "pip", *target, verb, *FLAGS, *args], stage, f"cannot {VERBS[verb]}")


VERBS = {"wheel": "get the new release", "install": "install the new release"}


def _run(command: list[str], stage: Path, what: str) -> None:
    """Run something that talks a lot, and make one line of that where it fails.

    Python gets -I above: else it would take a pip.py out of the folder in which somebody stands, and run it as root.
    """
    environment = {**os.environ, "TMPDIR": str(stage), "LC_ALL": "C.UTF-8"}
    try:
        subprocess.run(  # noqa: S603 - ours
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=PIP_TIMEOUT,
            check=True,
        )
    except subprocess.CalledProcessError as err:
        raise InstallError(f"{what}: {pip.reason(err.stdout)}") from None
    except (OSError, subprocess.TimeoutExpired) as err:
        raise InstallError(f"{what}: {getattr(err, 'strerror', None) or 'it takes too long'}") from None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _free(root: Path, version: str) -> str:
    """Return the next name for a version."""
    taken = [re.fullmatch(rf"{re.escape(version)}-(\d+)", name) for name in names(root)]
    return f"{version}-{max((int(found[1]) for found in taken if found), default=0) + 1}"


def names(root: Path) -> list[str]:
    """Name all releases, whole or not."""
    folder = root / places.RELEASES.lstrip("/")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def shipped(root: Path, name: str) -> Shipped:
    """Read what a release brings along. Raises InstallError."""
    packages = next(_at(root, name).glob("lib/python*/site-packages"), _at(root, name))
    return source.shipped(packages)


def check(root: Path, name: str, configs: Collection[str]) -> None:
    """Run a release's own check of the configurations. Raises ConfigError with its output."""
    program = _at(root, name) / "bin/apimon-node"
    for config in configs:
        command = [str(program), "check", "--config", str(root / config.lstrip("/"))]
        try:
            done = subprocess.run(  # noqa: S603 - ours
                command, capture_output=True, text=True, timeout=CHECK_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            why = getattr(err, "strerror", None) or "it takes too long"
            raise InstallError(f"release {name} does not start: {why}; nothing was changed") from None
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise ConfigError(f"release {name} does not take {config}; nothing was changed:", *said)


def held(root: Path, name: str) -> bool:
    """Return whether a release is known to hold."""
    return (_at(root, name) / HELD).exists()


def hold(root: Path, name: str) -> None:
    """Note that a release holds."""
    (_at(root, name) / HELD).touch()


def remove(root: Path, *keep: str) -> list[str]:
    """Remove all releases but these, and what an interrupted run has left; give their names."""
    old = [name for name in names(root) if name not in keep]
    for path in [_at(root, name) for name in old] + [*(root / places.HOME.lstrip("/")).glob("stage-*")]:
        shutil.rmtree(path, ignore_errors=True)
    return old


def _at(root: Path, name: str) -> Path:
    return root / places.release(name).lstrip("/")
