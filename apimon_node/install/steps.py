"""What a plan is made of: steps as values, each with what it does, why, and how to undo it. Pure."""

from typing import NamedTuple


class Folder(NamedTuple):
    """Make a folder with these rights, whatever it had."""

    path: str
    mode: int


class Write(NamedTuple):
    """Write a file whole; what was there before is copied to `backup`, where one is named."""

    path: str
    text: str
    backup: str = ""


class Copy(NamedTuple):
    """Copy files into a folder, which is made anew."""

    paths: tuple[str, ...]
    folder: str


class Restore(NamedTuple):
    """Put a file back from its copy, and remove that."""

    path: str
    backup: str


class Link(NamedTuple):
    """Replace a link atomically."""

    path: str
    target: str


class Remove(NamedTuple):
    """Remove a file, a link, or a folder with all that is in it."""

    path: str


class Systemctl(NamedTuple):
    """Ask systemd for something."""

    args: tuple[str, ...]


class Stay(NamedTuple):
    """Wait until units are active, and see that they stay so."""

    units: tuple[str, ...]


class Build(NamedTuple):
    """Make a new release from a source; `roles` say which libraries it needs besides."""

    source: str
    roles: tuple[str, ...]


Action = Folder | Write | Copy | Restore | Link | Remove | Systemctl | Stay | Build


class Step(NamedTuple):
    """One step. `done` says that it is already so; one with a `diff` is done only when somebody has agreed to that."""

    what: str
    why: str
    undo: str
    action: Action
    done: bool = False
    diff: str = ""


def format_pending(step: Step) -> list[str]:
    """Return a pending step in full, as lines."""
    lines = [f"would       {step.what}", f"              why:  {step.why}", f"              undo: {step.undo}"]
    return lines + [f"              {line}" for line in step.diff.splitlines()]


def format_done(step: Step) -> str:
    """Return the line of a step that is done already."""
    return f"already so  {step.what}"
