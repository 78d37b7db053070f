"""A driver in a process of its own, for those that need another environment than the tests (a preloaded library)."""

import multiprocessing
import os
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from parts import PATIENCE

from apimon_node.errors import StripError
from apimon_node.strip.driver import Driver, PromptDriver, Shown


class Hosted(PromptDriver):
    """Passes each call on, and gives what it returns or raises there."""

    def __init__(self, make: Callable[[], Driver], environment: Mapping[str, str]) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fresh process: the library has to be there from its start
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_host, args=(make, theirs), daemon=True)
        before = dict(os.environ)
        os.environ.update(environment)
        try:
            self._process.start()
        finally:
            for name in environment.keys() - before.keys():
                del os.environ[name]
        theirs.close()

    def show(self, frame: bytes) -> Shown | None:
        shown: Shown | None = self._call("show", frame)
        return shown

    def close(self) -> None:
        """Close the driver; the process stays for another call, until end()."""
        self._call("close")

    def end(self) -> None:
        self._ours.close()
        self._process.join(PATIENCE)

    def _call(self, name: str, *args: object) -> Any:
        self._ours.send((name, args))
        result = self._ours.recv()
        if isinstance(result, Exception):
            raise result
        return result


def _host(make: Callable[[], Driver], calls: Connection) -> None:
    driver = make()
    while True:
        try:
            name, args = calls.recv()
        except EOFError:
            return
        try:
            result = getattr(driver, name)(*args)
        except (StripError, ValueError) as err:
            result = err
        calls.send(result)
