"""A change of release: the new one takes over if it takes the configuration and holds; else the old one runs again."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from apimon_node.errors import ApimonError, InstallError
from apimon_node.install import places, releases
from apimon_node.install.edge import Edge, do, look
from apimon_node.install.host import SPI_DROP_INS, Host, Shipped, takes_spi
from apimon_node.install.steps import Step, format_done
from apimon_node.install.switch import Release, configurations, keep, switch


class Talk(NamedTuple):
    """How to tell what happens, and how to ask whether a change, shown as a diff, is agreed to.

    Functions rather than lines that are yielded: whoever loses interest in those would leave a change half done.
    """

    say: Callable[[str], None]
    agree: Callable[[str], bool]


def do_all(steps: Iterable[Step], edge: Edge, talk: Talk) -> None:
    """Do what is not done yet, and tell it; what needs agreement only with that. Raises InstallError."""
    for step in steps:
        if step.done:
            talk.say(format_done(step))
        elif step.diff and not talk.agree(f"{step.diff}\n{step.what}?"):
            talk.say(f"not done    {step.what}: nobody agreed (--yes does)")
        else:
            do(step, edge)
            talk.say(f"done        {step.what}")


def placed(host: Host, name: str, shipped: Shipped, roles: Iterable[str]) -> Release:
    """Return a release with what it has in systemd's folder on this machine."""
    there = any(places.unit(place) in host.files for place in SPI_DROP_INS)
    return Release(name, shipped.placed(spi=there or takes_spi(host, frozenset(roles))))


def read(host: Host, name: str, edge: Edge) -> Release:
    """Read a release that is there. Raises InstallError."""
    return placed(host, name, releases.shipped(edge.root, name), releases.about(edge.root, name).roles)


def take(host: Host, name: str, edge: Edge, talk: Talk) -> None:
    """Switch to a release that was just built, and keep one to go back to. Raises InstallError or ConfigError."""
    held, before = False, _before(host, name)
    try:
        change_over(host, name, edge, talk)
        held = True
    finally:
        keep = (name, before) if held else (before, host.previous)
        releases.remove(edge.root, *keep)
    talk.say(f"done        {name} is the release that runs")


def _before(host: Host, name: str) -> str:
    """Name the release to go back to: of one that was interrupted while it took over, the one before."""
    return host.previous if name == host.current else host.current


def change_over(host: Host, name: str, edge: Edge, talk: Talk) -> None:
    """Switch to a release; back, if it does not hold or somebody interrupts. Raises InstallError or ConfigError."""
    target = read(host, name, edge)
    releases.check(edge.root, name, configurations(host))
    before = _before(host, name)
    old = read(host, before, edge) if before else Release("", {})
    _keep(host, before, edge, talk)
    failed = "it was interrupted"
    with _undisturbed():
        try:
            do_all(switch(host, target, before, old.units), edge, talk)
            releases.hold(edge.root, name)
            failed = ""
        except InstallError as err:
            failed = str(err)
        finally:
            if failed and before:
                _go_back(host, target, old, edge, talk)
    if failed:
        raise InstallError(f"release {name} is not taken: {failed}")


def _keep(host: Host, name: str, edge: Edge, talk: Talk) -> None:
    """Keep the configuration as a release takes it.

    It may have been written for the next one already, and the disk may be full: what was kept before stays then.
    """
    steps = keep(host, name)
    try:
        if name:
            releases.check(edge.root, name, configurations(host))
        do_all(steps, edge, talk)
    except ApimonError:
        talk.say(f"not done    {steps[0].what}: {name} does not take it, or there is no room")


def _go_back(host: Host, target: Release, old: Release, edge: Edge, talk: Talk) -> None:
    """Undo a switch. Whatever fails, the rest is done: each step may be the one that brings the light back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    talk.say(f"failed      {target.name} does not hold: back to {old.name}")
    now = look(edge)._replace(states=host.states)
    failures = []
    for step in switch(now, old, host.previous, target.units):
        if not step.done:
            try:
                do(step, edge)
            except InstallError as err:
                failures.append(str(err))
    if failures:
        raise InstallError(f"release {target.name} does not hold, and going back fails: {'; '.join(failures)}")
    talk.say(f"done        {old.name} runs again")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Outlive the terminal, and take a signal to stop for a failure: then the release before runs again."""
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    handlers = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
