"""The tour: buttons that break parts of the demo for real, and mend them again."""

import queue
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple, Self

from apimon_node.demo.processes import DemoError


class Button(NamedTuple):
    """A toggle: what it is called while all is well, and while it is broken; and what one sees when it breaks.

    `mend` is None where that comes by itself. All calls are made in the demo's loop, but `broken` in any thread.
    """

    name: str
    label: str
    mend_label: str
    text: str
    broken: Callable[[], bool]
    break_: Callable[[], object]
    mend: Callable[[], object] | None


class Tour:
    """The buttons. They may be looked at and pressed from any thread; what they do is done by turn(), in the loop.

    `fileno` is readable when something was pressed.
    """

    def __init__(self, buttons: Iterable[Button]) -> None:
        self._buttons = {button.name: button for button in buttons}
        self._pressed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.setblocking(False)  # noqa: FBT003 - Python asks for it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._theirs.close()

    def buttons(self) -> list[dict[str, object]]:
        """Return the buttons as JSON has them."""
        return [
            {
                "name": button.name,
                "label": button.label,
                "mend": button.mend_label,
                "broken": button.broken(),
                "text": button.text,
            }
            for button in self._buttons.values()
        ]

    def press(self, name: str, /) -> None:
        """Break or mend what a button is for, as soon as the loop comes to it. Raises DemoError for an unknown one."""
        if name not in self._buttons:
            raise DemoError(f"the tour has no button {name!r}: expected one of {', '.join(self._buttons)}")
        self._pressed.put(name)
        with suppress(OSError):  # full: the loop is awake already; closed: it has ended
            self._theirs.send(b".")

    def fileno(self) -> int:
        """Return what is readable when something was pressed (for select)."""
        return self._ours.fileno()

    def turn(self) -> list[str]:
        """Do what was pressed; return a sentence for each. Raises DemoError where something cannot be done."""
        with suppress(BlockingIOError):
            self._ours.recv(4096)
        done = []
        while not self._pressed.empty():  # nobody else takes from it
            done.append(_toggle(self._buttons[self._pressed.get()]))
        return done


def _toggle(button: Button) -> str:
    if not button.broken():
        button.break_()
        return f"{button.label}: {button.text}"
    if button.mend is not None:
        button.mend()
    return button.mend_label
