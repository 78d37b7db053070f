"""`apimon-node install`, `upgrade`, `rollback` and `uninstall`: look, plan, show or do."""

import fcntl
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apimon_node import __version__
from apimon_node.config import schema
from apimon_node.errors import InstallError
from apimon_node.install import places, releases, source
from apimon_node.install.change import Talk, change_over, do_all, placed, read, take
from apimon_node.install.edge import Edge, look, used
from apimon_node.install.host import POLLER, ROLES, SPI, WS281X, Host, Wanted, obstacle, remarks, roles
from apimon_node.install.plan import kept, plan, release, removal, rest, started
from apimon_node.install.steps import Step, format_done, format_pending
from apimon_node.install.switch import keep, switch
from apimon_node.install.template import first

NEW = f"{__version__}-<n>"
"""What a release is called in a plan before it exists."""


def install(named: str | None, wanted: frozenset[str], edge: Edge, talk: Talk, *, dry_run: bool) -> None:
    """Have the program on this machine, running. Safe to run again. Raises InstallError or ConfigError."""
    with _alone(edge, dry_run=dry_run):
        host = look(edge)
        present = frozenset(releases.about(edge.root, host.current).roles) if host.current else frozenset[str]()
        wish = _wish(host, named or _origin(), roles(wanted, present, host.machine.pi))
        for line in remarks(host, wish.roles):
            talk.say(f"note        {line}")
        if dry_run:
            _show(plan(host, wish), host, talk, building=True)
            return
        _may(host, building=True)
        if _may_be_new(host, wish, edge, named):
            _build(host, wish.source, wish.roles, edge, talk)
        else:
            talk.say(format_done(release(host, wish.source, wish.roles)))
        now = look(edge)
        steps = rest(now, wish._replace(shipped=releases.shipped(edge.root, now.current)))
        do_all(steps, edge, talk)
        do_all(started(steps), edge, talk)
        for line in _next(host, look(edge), wish):
            talk.say(f"next        {line}")


def upgrade(named: str | None, edge: Edge, talk: Talk, *, dry_run: bool, rebuild: bool = False) -> None:
    """Upgrade to a newer release, if there is one, and keep the one before. Raises InstallError or ConfigError.

    The configuration is for the new one to judge: it may have been written for it, and this one know nothing of it.
    """
    with _alone(edge, dry_run=dry_run):
        host = _installed(look(edge))
        about = releases.about(edge.root, host.current)
        origin, wanted = source.named(named or about.source), frozenset(about.roles)
        if dry_run:
            steps = [
                *keep(host, host.current),
                *switch(host, placed(host, NEW, source.shipped(), wanted), host.current),
            ]
            _show([release(host, origin, wanted)._replace(done=False), *steps], host, talk, building=True)
            return
        _may(host, building=True)
        _build(host, origin, wanted, edge, talk, rebuild=rebuild)


def rollback(edge: Edge, talk: Talk, *, dry_run: bool) -> None:
    """Roll back to the release before; what ran until now is the one before then. Raises InstallError."""
    with _alone(edge, dry_run=dry_run):
        host = _installed(look(edge))
        if not host.previous:
            raise InstallError("there is no release to go back to: only one is installed")
        if dry_run:
            target = read(host, host.previous, edge)
            _show([*keep(host, host.current), *switch(host, target, host.current)], host, talk, building=False)
            return
        _may(host, building=False)
        change_over(host, host.previous, edge, talk)
        talk.say(f"done        {host.previous} runs; `apimon-node rollback` takes {host.current} again")


def uninstall(edge: Edge, talk: Talk, *, dry_run: bool, purge: bool) -> None:
    """Take away what install has made; configuration and secrets only where asked for. Raises InstallError."""
    with _alone(edge, dry_run=dry_run):
        host = look(edge)
        steps = removal(host, purge=purge)
        if dry_run:
            _show(steps, host, talk, building=False)
        else:
            _may(host, building=False)
            do_all(steps, edge, talk)
        for line in kept(host, purge=purge):
            talk.say(f"note        {line}")


def chosen(words: str) -> frozenset[str]:
    """Read what `--with` names. Raises ValueError."""
    wanted = frozenset(word.strip() for word in words.split(",") if word.strip())
    if not wanted <= {*ROLES}:
        raise ValueError(f"expected some of {', '.join(ROLES)}, got {words!r}")
    return wanted


# Parts


@contextmanager
def _alone(edge: Edge, *, dry_run: bool) -> Iterator[None]:
    """Be the only one who changes something, and make files that everybody may read. Raises InstallError."""
    lock = edge.at(places.LOCK)
    if dry_run or not os.access(lock.parent, os.W_OK):  # who may not write there is told so in a moment
        yield
        return
    mask = os.umask(0o022)
    number = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(number)
        releases.remove(edge.root, *used(edge))  # what an interrupted run has left may fill the disk
        yield
    finally:
        os.close(number)
        os.umask(mask)


def _lock(number: int) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InstallError("another install, upgrade, rollback or uninstall is at work: wait for its end") from None


def _wish(host: Host, origin: str, wanted: frozenset[str]) -> Wanted:
    """Return what is wanted. Raises ConfigError where the configuration that is there is wrong."""
    shipped = source.shipped()
    there = places.CONFIG in host.files
    text = host.files[places.CONFIG] if there else first(shipped.config, wanted, host.machine.pi, host.name)
    settings, _ = schema.parse(text, places.CONFIG, Path(places.CONFIG_FOLDER))
    drivers = {strip.driver for strip in settings.strips} & {SPI, WS281X}
    return Wanted(source.named(origin), wanted | drivers, shipped, text, settings)


def _origin() -> str:
    """Return where this very program comes from; a release knows it better than pip does."""
    itself = Path(sys.prefix)
    return releases.read(itself).source if (itself / releases.RECORD).exists() else source.own()


def _installed(host: Host) -> Host:
    if not host.current:
        raise InstallError("nothing is installed yet: apimon-node install")
    return host


def _may(host: Host, *, building: bool) -> None:
    if problem := obstacle(host, " ".join(sys.argv[:2]), building=building):
        raise InstallError(problem)


def _show(steps: Iterable[Step], host: Host, talk: Talk, *, building: bool) -> None:
    """Print what would be done, and what would prevent it."""
    for step in steps:
        for line in [format_done(step)] if step.done else format_pending(step):
            talk.say(line)
    if problem := obstacle(host, " ".join(sys.argv[:2]), building=building):
        talk.say(f"note        {problem}")


def _may_be_new(host: Host, wish: Wanted, edge: Edge, named: str | None) -> bool:
    """Return whether a release has to be built to know: not where the current one itself runs this, for the same."""
    if not host.current or named or not releases.held(edge.root, host.current):
        return True
    itself = Path(sys.prefix) == edge.at(places.release(host.current))
    return not itself or not wish.roles <= {*releases.about(edge.root, host.current).roles}


def _build(host: Host, origin: str, wanted: frozenset[str], edge: Edge, talk: Talk, *, rebuild: bool = False) -> None:
    """Build a release beside the one that runs, and let it take over, unless it is the same."""
    talk.say(f"now         {release(host, origin, wanted).what}")
    name = releases.build(edge.root, source.existing(origin), wanted, host.current, rebuild=rebuild)
    if name == host.current and releases.held(edge.root, name):
        talk.say(f"already so  {name} is what {origin} has")
    else:
        take(host, name, edge, talk)


def _next(before: Host, host: Host, wish: Wanted) -> Iterator[str]:
    """Yield what remains to be done by hand."""
    boot = (host.machine.boot.file, places.cmdline_of(host.machine.boot.file))
    if any(before.files.get(path) != host.files.get(path) for path in boot):
        yield "sudo reboot: the boot settings have changed"
    if places.CONFIG not in before.files:
        yield f"edit {places.CONFIG}, then apimon-node check, and sudo systemctl restart 'apimon-*'"
    if POLLER in wish.roles and not before.current:
        yield f"put the secret for Jira into {places.CREDENTIALS}, such as {places.CREDENTIALS}/jira-token"
