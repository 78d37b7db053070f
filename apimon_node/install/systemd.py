"""What systemd is asked, and what it answers."""

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence

from apimon_node.errors import InstallError
from apimon_node.install.plan import LOADED
from apimon_node.text import one_line

TIMEOUT = 300.0
"""Seconds for systemd to answer: it waits until services are ready, 90 s each unless their units say otherwise."""

PATIENCE = 60.0
"""Seconds for all units to be active at once: the strip's service comes with the node's connection."""

LOOK_EVERY = 0.5

PROPERTIES = "--property=Id,LoadState,ActiveState,NRestarts,NeedDaemonReload"


def systemctl(*args: str) -> str:
    """Ask systemd. Raises InstallError with its words."""
    try:
        command = ["systemctl", *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)  # noqa: S603 - ours
    except subprocess.CalledProcessError as err:
        said = one_line(err.stderr) or f"exit code {err.returncode}"
        raise InstallError(f"systemctl {' '.join(args)}: {said}") from None
    except (OSError, subprocess.TimeoutExpired) as err:
        raise InstallError(f"systemctl {' '.join(args)}: {getattr(err, 'strerror', None) or 'no answer'}") from None
    return done.stdout


def states() -> tuple[dict[str, str], bool]:
    """Return the states of the units of ours that systemd has loaded, and whether one is not as its file is by now.

    There are none where there is no systemd.
    """
    if shutil.which("systemctl") is None:
        return {}, False
    try:
        found = show(LOADED)
    except InstallError:  # it is there, and does not run
        return {}, False
    loaded = {name: values for name, values in found.items() if values["LoadState"] == "loaded"}
    stale = any(values.get("NeedDaemonReload") == "yes" for values in loaded.values())
    return {name: values["ActiveState"] for name, values in loaded.items()}, stale


def show(units: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the properties of units, by name."""
    blocks = systemctl("show", PROPERTIES, *units).strip().split("\n\n")
    read = (dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks if block)
    return {values["Id"]: values for values in read}


def stay(units: Sequence[str], seconds: float) -> None:
    """Wait until all units are active, then see that they stay so for a while. Raises InstallError.

    One that ends and is started anew in between has not stayed.
    """
    until = time.monotonic() + PATIENCE
    while sick := _sick(now := show(units)):
        if time.monotonic() > until or "failed" in sick.values():
            raise _not_so(sick)
        time.sleep(LOOK_EVERY)
    begun = _restarts(now)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(min(seconds, LOOK_EVERY))
        now = show(units)
        again = {name: "started again and again" for name, times in _restarts(now).items() if times != begun.get(name)}
        if sick := _sick(now) | again:
            raise _not_so(sick)


def _sick(now: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: values["ActiveState"] for name, values in now.items() if values["ActiveState"] != "active"}


def _restarts(now: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: values.get("NRestarts", "") for name, values in now.items()}


def _not_so(sick: Mapping[str, str]) -> InstallError:
    name, state = min(sick.items())
    return InstallError(f"{name} is {state} (journalctl -u {name} -n 50 says why)")
