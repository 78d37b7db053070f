"""What a plan knows of the machine and of what is wanted on it, and what stands in its way. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from apimon_node.config.settings import Settings
from apimon_node.install import places
from apimon_node.machine.checks import Machine, Pi

NODE, POLLER, SPI, WS281X = "node", "poller", "spi", "ws281x"
ROLES = (NODE, POLLER, SPI, WS281X)
"""What `--with` takes: programs, and the drivers of strips."""

SPI_DROP_INS = ("apimon-node.service.d/spi.conf", "apimon-node@.service.d/spi.conf")
"""What gives a node the group spi."""

EXTRAS = {POLLER: "jira", WS281X: "ws281x"}
"""The extra of the package that a role needs."""

ROOM = 150
"""Megabytes that a new release must find free: 21 for itself, 29 with jira (measured on x86_64), 20 for a pip
meanwhile, as much again for what is downloaded and compiled, and a margin: a full disk is everybody's trouble."""

PIWHEELS_ARCHITECTURES = frozenset(["armv6l", "armv7l"])
"""What piwheels.org builds wheels for."""


class Host(NamedTuple):
    """What is on the machine. `files` has the texts of those that matter and exist, `units` states by name."""

    machine: Machine = Machine()
    name: str = ""
    architecture: str = ""
    root: bool = False
    writable: bool = False
    systemd: bool = False
    venv: bool = False
    compiler: bool = False
    piwheels: bool = False
    free: int = 0  # megabytes
    groups: frozenset[str] = frozenset()
    files: Mapping[str, str] = MappingProxyType({})
    folders: Mapping[str, int] = MappingProxyType({})
    links: Mapping[str, str] = MappingProxyType({})
    releases: tuple[str, ...] = ()
    enabled: frozenset[str] = frozenset()
    states: Mapping[str, str] = MappingProxyType({})  # ActiveState of units that systemd has loaded
    stale: bool = False  # some of these are not as their files are

    @property
    def current(self) -> str:
        """Name the release that runs, or give nothing."""
        return self.links.get(places.CURRENT, "").rpartition("/")[2]

    @property
    def previous(self) -> str:
        """Name the release before that, or give nothing."""
        return self.links.get(places.PREVIOUS, "").rpartition("/")[2]


class Shipped(NamedTuple):
    """What a release brings along beside its code: the configuration to begin with, and the units."""

    config: str
    units: Mapping[str, str]
    spi: str = ""

    def placed(self, *, spi: bool) -> dict[str, str]:
        """Return what belongs into systemd's folder, by its place there. A unit that names a missing group fails."""
        return {**self.units, **(dict.fromkeys(SPI_DROP_INS, self.spi) if spi else {})}


class Wanted(NamedTuple):
    """What shall be: where the program comes from, its roles, what is shipped, and what the configuration says."""

    source: str
    roles: frozenset[str]
    shipped: Shipped
    config: str
    settings: Settings


def roles(named: frozenset[str], present: frozenset[str], pi: Pi) -> frozenset[str]:
    """Return what to install: what is named beside what is there; a node, where nothing is. A driver is a node's."""
    wanted = named | present or frozenset([NODE])
    if wanted & {SPI, WS281X}:
        wanted |= {NODE}
    if NODE in wanted and not wanted & {SPI, WS281X} and pi is not Pi.NONE:
        wanted |= {SPI}
    return wanted


def extras(wanted: frozenset[str]) -> tuple[str, ...]:
    """Return the extras that these roles need."""
    return tuple(extra for role, extra in EXTRAS.items() if role in wanted)


def obstacle(host: Host, program: str, *, building: bool) -> str:
    """Return in a line what prevents changes of the machine, and what to do about it; nothing where nothing does."""
    if not host.root:
        return f"this needs root: sudo {program}"
    if not host.writable:
        return "the root file system is read-only: sudo mount -o remount,rw /, and back when this has ended"
    if not host.systemd:
        return "systemd does not run here: start `apimon-node run` by whatever starts services on this machine"
    if building and not host.venv:
        return "python3-venv is missing: sudo apt-get install python3-venv"
    if building and host.free < ROOM:
        return f"{host.free} MB are free below /opt, and a new release needs {ROOM}: remove something first"
    return ""


def remarks(host: Host, wanted: frozenset[str]) -> list[str]:
    """Return what these roles may miss on this machine, a line each."""
    found = []
    if WS281X in wanted and host.machine.pi is Pi.FIVE:
        found.append("rpi_ws281x does not support a Pi 5: use the driver spi, on GPIO 10")
    elif WS281X in wanted and not _can_have_library(host):
        found.append(f"{COMPILED}: {COMPILER}")
    if wanted & {SPI, WS281X} and host.machine.pi is Pi.NONE:
        found.append("this is no Raspberry Pi, or a container that hides it: no strip will be lit")
    elif SPI in wanted and SPI not in host.groups:
        found.append(
            "there is no group spi: the node may not open /dev/spidev0.0 unless a udev rule and a group let it"
        )
    return found


def takes_spi(host: Host, wanted: frozenset[str]) -> bool:
    """Return whether the node shall have the group spi."""
    return SPI in wanted and SPI in host.groups


COMPILED = "rpi_ws281x, which the driver ws281x needs, is compiled on this machine"
COMPILER = "sudo apt-get install gcc python3-dev, then run this again; the driver spi needs nothing"


def _can_have_library(host: Host) -> bool:
    return host.compiler or (host.piwheels and host.architecture in PIWHEELS_ARCHITECTURES)
