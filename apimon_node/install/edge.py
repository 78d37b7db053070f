"""The edge of the installation: looks at the machine, and does what steps say. Everything lies below a root."""

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from apimon_node.errors import InstallError
from apimon_node.install import places, releases, systemd
from apimon_node.install.host import SPI_DROP_INS, Host
from apimon_node.install.plan import LOADED, our_unit
from apimon_node.install.steps import Action, Copy, Folder, Link, Remove, Restore, Stay, Step, Systemctl, Write
from apimon_node.machine import probe

LINKS = (places.CURRENT, places.PREVIOUS, places.COMMAND)
FOLDERS = (places.HOME, places.CONFIG_FOLDER, places.CREDENTIALS)

STAY = 20.0
"""Seconds that a new release must run before the old one is let go: beyond the start and the first minute's worth of
messages, which all come at once after subscribing."""

MEGABYTE = 1_000_000


class Edge(NamedTuple):
    """Where everything lies, and how long services are watched."""

    root: Path = Path("/")
    stay: float = STAY

    def at(self, path: str) -> Path:
        """Return the real place of a path."""
        return self.root / path.lstrip("/")


def look(edge: Edge) -> Host:
    """See what is there. What is missing is no error."""
    seen = probe.look(root=edge.root)
    states, stale = systemd.states()
    links = {path: target for path in LINKS if (target := _target(edge, path))}
    return Host(
        machine=seen,
        name=os.uname().nodename,
        architecture=os.uname().machine,
        root=seen.root or edge.root != Path("/"),
        writable=not os.statvfs(edge.root).f_flag & os.ST_RDONLY,
        systemd=edge.at("/run/systemd/system").is_dir(),
        venv=find_spec("pip") is not None or find_spec("ensurepip") is not None,
        compiler=shutil.which("gcc") is not None and Path(sysconfig.get_path("include"), "Python.h").exists(),
        piwheels="piwheels" in _text(edge.at("/etc/pip.conf")),
        free=shutil.disk_usage(_existing(edge.at(places.HOME))).free // MEGABYTE,
        groups=frozenset(line.partition(":")[0] for line in _text(edge.at("/etc/group")).splitlines()),
        files={path: _text(edge.at(path)) for path in _files(edge, seen.boot.file)},
        folders={path: edge.at(path).stat().st_mode & 0o777 for path in FOLDERS if edge.at(path).is_dir()},
        links=links,
        releases=tuple(releases.names(edge.root)),
        enabled=frozenset(path.name for pattern in LOADED for path in edge.at(places.UNITS).glob(f"*.wants/{pattern}")),
        states=states,
        stale=stale,
    )


def _target(edge: Edge, path: str) -> str:
    """Return where a link leads, as a path below the root."""
    with suppress(OSError):
        return os.path.normpath(Path(path).parent / edge.at(path).readlink())
    return ""


def used(edge: Edge) -> list[str]:
    """Name the releases that links lead to."""
    return [Path(target).name for path in (places.CURRENT, places.PREVIOUS) if (target := _target(edge, path))]


def _text(path: Path) -> str:
    with suppress(OSError):
        return _read(path)
    return ""


def _read(path: Path) -> str:
    """Read a file, whatever it holds: what is written back has the bytes of others as they were."""
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def _existing(path: Path) -> Path:
    """Return the nearest folder above that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _files(edge: Edge, config_txt: str) -> Iterator[str]:
    """Name the files that plans care for, of those that exist."""
    boot = (config_txt, places.cmdline_of(config_txt)) if config_txt else ()
    wanted = [*boot, *(path + places.BACKUP for path in boot)]
    units = [*edge.at(places.UNITS).glob("apimon-*"), *(edge.at(places.unit(place)) for place in SPI_DROP_INS)]
    wanted += [name for path in units if our_unit(name := f"/{path.relative_to(edge.root)}")]
    wanted += [f"{places.CONFIG_FOLDER}/{path.name}" for path in edge.at(places.CONFIG_FOLDER).glob("*.yaml")]
    yield from (path for path in wanted if edge.at(path).is_file())


def do(step: Step, edge: Edge) -> None:
    """Do a step. Raises InstallError, which says which."""
    try:
        _act(step, edge)
    except OSError as err:
        raise InstallError(f"cannot {step.what}: {err.strerror}") from None
    except InstallError as err:
        raise InstallError(f"cannot {step.what}: {err}") from None


def _act(step: Step, edge: Edge) -> None:
    match step.action:
        case Systemctl(args):
            systemd.systemctl(*args)
        case Stay(units):
            systemd.stay(units, edge.stay)
        case _:
            _change_files(step.action, edge)


def _change_files(action: Action, edge: Edge) -> None:
    match action:
        case Folder(path, mode):
            edge.at(path).mkdir(parents=True, exist_ok=True)
            edge.at(path).chmod(mode)
        case Write(path, text, backup):
            _write(edge.at(path), text, edge.at(backup) if backup else None)
        case Copy(paths, folder):
            _copy([edge.at(path) for path in paths], edge.at(folder))
        case Restore(path, backup):
            _write(edge.at(path), _read(edge.at(backup)))
            edge.at(backup).unlink()
        case Link(path, target):
            _link(edge.at(path), target, path)
        case Remove(path):
            _remove(edge.at(path))


def _write(path: Path, text: str, backup: Path | None = None) -> None:
    """Write a file whole or not at all, whatever happens to the power."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if backup is not None and path.exists():
        _write(backup, _read(path))
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """See that the disk knows the new names in a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _copy(paths: list[Path], folder: Path) -> None:
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for path in paths:
        shutil.copy2(path, new)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def _link(path: Path, target: str, name: str) -> None:
    """Replace a link atomically: at no moment is it missing. Within our own folder it is a relative one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if target.startswith(f"{places.HOME}/") and name.startswith(f"{places.HOME}/"):
        target = target.removeprefix(f"{places.HOME}/")
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)
    _settle(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if path.parent.suffix == ".d":  # a folder of drop-ins
        with suppress(OSError):  # which has others
            path.parent.rmdir()
