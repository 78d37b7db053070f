"""What has to be done to have the program on a machine: a list of steps, most of which may be done already. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from apimon_node.config.settings import Settings
from apimon_node.install import boot, places
from apimon_node.install.host import NODE, POLLER, SPI_DROP_INS, WS281X, Host, Wanted, extras, takes_spi
from apimon_node.install.steps import Build, Folder, Link, Remove, Restore, Stay, Step, Systemctl, Write

NODE_UNIT, POLLER_UNIT, STRIP_SOCKET_UNIT = "apimon-node.service", "apimon-poller.service", "apimon-strip.socket"
STRIP_UNIT = "apimon-strip.service"

NOTHING: Mapping[str, str] = MappingProxyType({})

UNDONE = "apimon-node uninstall"


def plan(host: Host, wanted: Wanted) -> list[Step]:
    """Return all steps, in their order. Nothing is started before everything is there."""
    return [
        release(host, wanted.source, wanted.roles),
        *rest(host, wanted),
    ]


def rest(host: Host, wanted: Wanted) -> list[Step]:
    """Return the steps beside the release."""
    return [
        *configuration(host, wanted),
        *units(host, wanted.shipped.placed(spi=takes_spi(host, wanted.roles))),
        *boot_settings(host, wanted.settings),
        *services(host, wanted),
    ]


def release(host: Host, source: str, roles: frozenset[str]) -> Step:
    """Make the first release. What comes after is an upgrade."""
    libraries = f", with {' and '.join(extras(roles))}" if extras(roles) else ""
    return Step(
        f"build a release from {source}{libraries}",
        "a virtual environment of its own keeps the program apart from the system's Python",
        UNDONE,
        Build(source, tuple(sorted(roles))),
        done=bool(host.current),
    )


def configuration(host: Host, wanted: Wanted) -> Iterator[Step]:
    """Make the folders of the configuration; what is there already belongs to whoever wrote it."""
    yield _folder(host, places.CONFIG_FOLDER, 0o755, "the configuration lies here")
    yield _folder(host, places.CREDENTIALS, 0o700, "secrets lie here, a file each: only root reads them")
    yield Step(
        f"write {places.CONFIG}",
        "the shipped configuration to begin with, every key explained; one that exists is never touched",
        f"{UNDONE} --purge",
        Write(places.CONFIG, wanted.config),
        done=places.CONFIG in host.files,
    )
    yield Step(
        f"let {places.COMMAND} lead to {places.COMMAND_TARGET}",
        "the command is found without a path, and is always that of the release that runs",
        UNDONE,
        Link(places.COMMAND, places.COMMAND_TARGET),
        done=host.links.get(places.COMMAND) == places.COMMAND_TARGET,
    )


def _folder(host: Host, path: str, mode: int, why: str) -> Step:
    return Step(
        f"make the folder {path} ({mode:o})",
        why,
        f"{UNDONE} --purge",
        Folder(path, mode),
        host.folders.get(path) == mode,
    )


def units(host: Host, shipped: Mapping[str, str], before: Mapping[str, str] = NOTHING) -> Iterator[Step]:
    """Write the units as a release has them. One that is not as its release had it is somebody's work, and is kept."""
    changed = host.stale
    for name, text in sorted(shipped.items()):
        path = places.unit(name)
        there = host.files.get(path)
        changed = changed or there != text
        strange = there not in (None, text, before.get(name))
        backup = path + places.BACKUP if strange else ""
        what = f"write {path}" + (f", which somebody has changed: that is kept as {backup}" if strange else "")
        yield Step(what, WHY_UNITS, UNDONE, Write(path, text, backup), done=there == text)
    if changed:
        yield Step("tell systemd to read its units anew", "they have changed", "nothing to undo", RELOAD)


WHY_UNITS = "systemd runs the program by it; changes of your own belong into `systemctl edit`"

RELOAD = Systemctl(("daemon-reload",))


def boot_settings(host: Host, settings: Settings) -> Iterator[Step]:
    """Change what the firmware and the kernel are told at boot, where a strip needs it and somebody agrees."""
    path = host.machine.boot.file
    if path not in host.files:
        return
    old = host.files[path]
    wanted = boot.lines(settings, host.machine)
    if wanted or boot.BLOCK.search(old):
        said = " and ".join(wanted) or "what the strips need"
        why = f"the strips of the configuration need it on {host.machine.pi} (docs/hardware.md)"
        yield _boot_step(host, path, boot.config_txt(old, wanted), said, why)
    cmdline = places.cmdline_of(path)
    if boot.large(settings, host.machine) and cmdline in host.files:
        why = "a strip has more pixels than the kernel lets out at once"
        yield _boot_step(host, cmdline, boot.cmdline_txt(host.files[cmdline]), f"spidev.bufsiz={boot.BUFSIZ}", why)


def _boot_step(host: Host, path: str, text: str, said: str, why: str) -> Step:
    old, backup = host.files[path], path + places.BACKUP
    keep = "" if backup in host.files else backup
    what = f"write {said} into {path}, for the next boot"
    undo = f"{UNDONE}, or sudo cp {backup} {path}"
    return Step(what, why, undo, Write(path, text, keep), old == text, boot.diff(path, old, text))


def services(host: Host, wanted: Wanted) -> Iterator[Step]:
    """Start what has been asked for, now and at each boot; first what others connect to."""
    for name, why in _roles(wanted):
        running = host.states.get(name) in ("active", "activating")
        done = running and name in host.enabled
        what = f"enable and start {name}"
        yield Step(what, why, f"sudo systemctl disable --now {name}", Systemctl(("enable", "--now", name)), done)


def started(steps: Iterable[Step]) -> list[Step]:
    """Return the step that sees whether what these steps start stays so."""
    names = tuple(
        step.action.args[-1]
        for step in steps
        if not step.done and isinstance(step.action, Systemctl) and step.action.args[0] == "enable"
    )
    why = "a service that ends at once is no service"
    return [Step(f"see that {', '.join(names)} run, and stay so", why, UNDONE, Stay(names))] if names else []


def _roles(wanted: Wanted) -> Iterator[tuple[str, str]]:
    if serves_strips(wanted.settings) or WS281X in wanted.roles:
        yield STRIP_SOCKET_UNIT, "the library of ws281x needs root, and the node does not get it"
    if NODE in wanted.roles:
        yield NODE_UNIT, "the node shows the boards, from now on and after each boot"
    if POLLER in wanted.roles:
        yield POLLER_UNIT, "the poller asks Jira, from now on and after each boot"


def serves_strips(settings: Settings) -> bool:
    """Return whether the configuration counts on our strip service."""
    ours = str(settings.ws281x.socket) == places.STRIP_SOCKET
    return ours and any(strip.driver == WS281X for strip in settings.strips)


# The way back


def removal(host: Host, *, purge: bool) -> list[Step]:
    """Return the steps that take the program away; those that are done are those of which nothing is there."""
    return [
        *_units_away(host),
        *_boot_back(host),
        _away(places.COMMAND, "it leads to what is removed", host.links.get(places.COMMAND) == places.COMMAND_TARGET),
        _away(places.HOME, "the releases lie there", places.HOME in host.folders),
        *_purge(host, purge=purge),
    ]


def _away(path: str, why: str, there: bool) -> Step:  # noqa: FBT001 - reads as a sentence
    return Step(f"remove {path}", why, "apimon-node install", Remove(path), done=not there)


def _units_away(host: Host) -> Iterator[Step]:
    ours = sorted(name for path in host.files if (name := our_unit(path)))
    loaded = sorted({*host.states} | {*host.enabled})
    if loaded:
        what = f"stop and disable {', '.join(loaded)}"
        yield Step(what, "nothing shall run any more", "apimon-node install", Systemctl(("disable", "--now", *loaded)))
    for name in ours:
        yield _away(places.unit(name), "nothing shall start at the next boot", there=True)
    if ours:
        yield Step("tell systemd to read its units anew", "they are gone", "nothing to undo", RELOAD)


def our_unit(path: str) -> str:
    """Return the place of a unit of ours in systemd's folder, by its file; nothing for files of others."""
    name = path.removeprefix(f"{places.UNITS}/")
    ours = name.startswith(OURS) and not name.endswith(places.BACKUP) and ("/" not in name or name in SPI_DROP_INS)
    return name if ours and name != path else ""


OURS = ("apimon-node.", "apimon-node@.", "apimon-poller.", "apimon-poller@.", "apimon-strip.")
"""How the files of our units begin. Others, as an apimon-upgrade.timer, are somebody's own."""

LOADED = ("apimon-node.*", "apimon-node@*", "apimon-poller.*", "apimon-poller@*", "apimon-strip.*")
"""What systemd calls them when it has loaded them: further nodes have no file of their own, and are ours too."""


def _boot_back(host: Host) -> Iterator[Step]:
    """Put boot files back where nobody else has changed them since; else they are named, see `kept`."""
    for path, backup in _backups(host):
        if boot.restorable(host.files[path], host.files[backup]):
            why = f"it is {backup}, but for what was written for the strips"
            yield Step(f"restore {path}", why, "apimon-node install", Restore(path, backup))


def _backups(host: Host) -> Iterator[tuple[str, str]]:
    for backup in sorted(host.files):
        path = backup.removesuffix(places.BACKUP)
        if path != backup and path in host.files and path.startswith("/boot/"):
            yield path, backup


def _purge(host: Host, *, purge: bool) -> Iterator[Step]:
    if purge:
        yield _away(
            places.CONFIG_FOLDER, "configuration and secrets, as asked for", places.CONFIG_FOLDER in host.folders
        )


def kept(host: Host, *, purge: bool) -> list[str]:
    """Return what stays behind, and how to remove that."""
    found = [
        f"{path} has been changed since: compare it with {backup}, and remove the lines of apimon-node"
        for path, backup in _backups(host)
        if not boot.restorable(host.files[path], host.files[backup])
    ]
    if not purge and places.CONFIG_FOLDER in host.folders:
        found.append(f"{places.CONFIG_FOLDER} stays, with its secrets: apimon-node uninstall --purge, or sudo rm -r it")
    return found
