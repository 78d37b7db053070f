"""What has to be done to let another release run: the same steps forth and back. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from apimon_node.install import places
from apimon_node.install.host import Host
from apimon_node.install.plan import NOTHING, STRIP_SOCKET_UNIT, STRIP_UNIT, our_unit, units
from apimon_node.install.steps import Copy, Link, Remove, Stay, Step, Systemctl

BACK = "apimon-node rollback"

RUNNING = frozenset(["active", "reloading"])
TRYING = frozenset(["activating", "failed"])
"""What somebody wants to run, and does not: it may be this very release that keeps it from that."""


class Release(NamedTuple):
    """A release, by its folder's name, and the units that it brings along."""

    name: str
    units: Mapping[str, str]


def switch(host: Host, target: Release, previous: str = "", before: Mapping[str, str] = NOTHING) -> list[Step]:
    """Return the steps after which `target` runs instead of what runs now, and `previous` is the one to go back to.

    A unit that was active has to be so afterwards; one that was trying in vain is started anew, and may go on trying.
    `before` are the units of the release that ran: others' changes are told from ours by them. Whoever goes back and is
    interrupted goes back when they ask again: until all is done, the way back leads to where they want to be.
    """
    back = target.name == host.previous
    way_back = list(_previous(host, previous))
    return [
        *units(host, target.units, before),
        *_superseded(host, target),
        *([] if back else way_back),
        _current(host, target),
        *restarts(host),
        *(way_back if back else []),
    ]


def _superseded(host: Host, target: Release) -> Iterator[Step]:
    """Remove the units that this release no longer has."""
    for path in sorted(host.files):
        name = our_unit(path)
        if name and name not in target.units:
            yield Step(f"remove {path}", f"{target.name} has no such unit", BACK, Remove(path))


def _previous(host: Host, previous: str) -> Iterator[Step]:
    if previous:
        what, path = f"let {places.PREVIOUS} lead to {previous}", places.release(previous)
        yield Step(what, "`apimon-node rollback` goes back to it", BACK, Link(places.PREVIOUS, path))
    elif host.previous:
        yield Step(f"remove {places.PREVIOUS}", "there was none before", BACK, Remove(places.PREVIOUS))


def keep(host: Host, name: str) -> list[Step]:
    """Return the step that keeps the configuration as a release takes it."""
    if not name:
        return []
    folder = f"{places.release(name)}/config"
    what = f"keep a copy of the configuration in {folder}"
    return [Step(what, f"{name} is known to take it", "nothing to undo", Copy(configurations(host), folder))]


def configurations(host: Host) -> tuple[str, ...]:
    """Name the configurations of this machine: of a node, a poller or both, and of further nodes."""
    instances = (name.partition("@")[2].removesuffix(".service") for name in {*host.states, *host.enabled})
    paths = {places.CONFIG, *(f"{places.CONFIG_FOLDER}/{name}.yaml" for name in instances if name)}
    return tuple(sorted(path for path in paths if path in host.files))


def _current(host: Host, target: Release) -> Step:
    what = f"let {places.CURRENT} lead to {target.name}"
    why = "whatever starts from now on is of this release"
    link = Link(places.CURRENT, places.release(target.name))
    return Step(what, why, BACK, link, done=host.current == target.name)


def restarts(host: Host) -> Iterator[Step]:
    """Start the services anew that run, or try to: the strip's first, since the node connects to it."""
    running = {name for name, state in host.states.items() if state in RUNNING}
    trying = {name for name, state in host.states.items() if state in TRYING}
    why = "until then they run the release before"
    if STRIP_SOCKET_UNIT in running:
        # A socket is not started anew while its service runs, and the service comes with the next connection.
        yield Step(f"stop {STRIP_UNIT}", why, BACK, Systemctl(("stop", STRIP_UNIT)))
        yield Step(f"start {STRIP_SOCKET_UNIT} anew", why, BACK, Systemctl(("restart", STRIP_SOCKET_UNIT)))
    if services := sorted(running - {STRIP_SOCKET_UNIT, STRIP_UNIT}):
        yield Step(f"start {', '.join(services)} anew", why, BACK, Systemctl(("restart", *services)))
    if services := sorted(trying - {STRIP_UNIT}):
        what = f"start {', '.join(services)} anew, which did not run"
        yield Step(what, why, BACK, Systemctl(("restart", "--no-block", *services)))
    if running:
        what = f"see that {', '.join(sorted(running))} run, and stay so"
        yield Step(what, "else the release before takes over again", BACK, Stay(tuple(sorted(running))))
