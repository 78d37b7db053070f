"""The demo's processes: started with a log each, killed on purpose, and ended all together."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from apimon_node.errors import ApimonError

STOP_TIMEOUT = 3.0
"""Seconds that a process has to end by itself: the contract gives a node 2."""

LAST_WORDS = 2000
"""Characters of its log that a process is remembered by."""


class DemoError(ApimonError):
    """A part of the demo has ended by itself, or what it was asked for cannot be done."""


class Processes:
    """Processes that end with `with`, in reverse order of their first start. Their logs go to `folder`.

    They stand in groups of their own, so that Ctrl-C reaches the demo alone, which ends them.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """`environment` is added to ours."""
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started.values()):
            _end(process)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process, or one in place of one that was killed. Raises DemoError."""
        with self._log(name).open("ab") as log:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own commands
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**self._environment, **(environment or {})},
                    process_group=0,
                )
            except OSError as err:
                raise DemoError(f"cannot start the {name}: {err.strerror}") from None
        self._started[name] = process
        self._killed.discard(name)
        return process

    def kill(self, name: str) -> None:
        """Kill a process: it will be missing, and that is no error."""
        self._killed.add(name)
        self._started[name].kill()
        self._started[name].wait()

    def killed(self, name: str) -> bool:
        """Return whether a process was killed, and not started again."""
        return name in self._killed

    def check(self) -> None:
        """Raise DemoError, with what it logged last, if a process has ended that was not killed."""
        for name, process in self._started.items():
            if name not in self._killed and process.poll() is not None:
                log = self._log(name).read_text(encoding="utf-8", errors="replace")
                raise DemoError(f"the {name} has ended with code {process.returncode}:\n{log[-LAST_WORDS:]}")

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, politely first."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
