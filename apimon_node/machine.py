"""What the machine is that we run on: the files in which a Raspberry Pi tells of itself, read once."""

import grp
import os
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from apimon_node.settings import Settings

DEVICES = ("/dev/mem", "/dev/vcio", "/dev/gpiomem", "/dev/spidev0.0")

BOOT = ("boot/firmware/config.txt", "boot/config.txt")
"""The settings of the firmware: since Raspberry Pi OS bookworm, and before."""

BOARDS = (
    ("Raspberry Pi 5", "pi5"),
    ("Raspberry Pi Compute Module 5", "pi5"),
    ("Raspberry Pi 500", "pi5"),
    ("Raspberry Pi 4", "pi4"),
    ("Raspberry Pi Compute Module 4", "pi4"),
    ("Raspberry Pi Zero 2", "pi02"),
    ("Raspberry Pi Zero W", "pi0w"),
    ("Raspberry Pi Zero", "pi0"),
    ("Raspberry Pi 3", "pi3"),
    ("Raspberry Pi Compute Module 3", "pi3"),
    ("Raspberry Pi 2", "pi2"),
    ("Raspberry Pi Model", "pi1"),
    ("Raspberry Pi", "pi"),
)
"""How the names of models begin, and the filter of config.txt for each; the last one is of models unknown here."""

DEFAULT_BUFSIZ = 4096
"""Bytes that spidev sends at once, unless the kernel was told otherwise (drivers/spi/spidev.c)."""


class Machine(NamedTuple):
    """What there is. `board` is a filter of config.txt, empty where this is no Pi; `boot` is None without that file."""

    model: str
    board: str
    root: bool
    groups: frozenset[str]
    present: frozenset[str]
    usable: frozenset[str]
    bufsiz: int
    modules: frozenset[str]
    boot: Mapping[str, str] | None
    library: bool


def look(settings: Settings, root: Path = Path("/")) -> Machine:
    """Look at the machine, and at the devices that the strips need. What is missing is no error."""
    model = _read(root / "proc/device-tree/model").strip("\0\n")
    board = next((board for start, board in BOARDS if model.startswith(start)), "")
    names = {*DEVICES, *(str(strip.device) for strip in settings.strips), str(settings.ws281x.socket)}
    paths = {name: root / name.lstrip("/") for name in names}
    present = {name for name, path in paths.items() if path.exists()}
    bufsiz = _read(root / "sys/module/spidev/parameters/bufsiz").strip()
    return Machine(
        model=model,
        board=board,
        root=os.geteuid() == 0,
        groups=frozenset(_groups()),
        present=frozenset(present),
        usable=frozenset(name for name in present if os.access(paths[name], os.R_OK | os.W_OK)),
        bufsiz=int(bufsiz) if bufsiz.isdecimal() else DEFAULT_BUFSIZ,
        modules=frozenset(line.partition(" ")[0] for line in _read(root / "proc/modules").splitlines()),
        boot=next((boot(_read(root / name), board) for name in BOOT if (root / name).exists()), None),
        library=find_spec("_rpi_ws281x") is not None,
    )


def boot(text: str, board: str) -> dict[str, str]:
    """Read the settings of config.txt that hold for a board; `dtparam=audio=on` is the setting `dtparam=audio`.

    Sections that depend on anything but the model are passed over.
    """
    filters = {"all", board, board.rstrip("w")}
    settings: dict[str, str] = {}
    holds = True
    for line in text.splitlines():
        line = line.partition("#")[0].strip()  # noqa: PLW2901 - without what is no setting
        if section := re.fullmatch(r"\[(.*)\]", line):
            holds = section[1] in filters
        elif holds and "=" in line:
            settings |= dict(_settings(line))
    return settings


def _settings(line: str) -> Iterator[tuple[str, str]]:
    name, _, value = line.partition("=")
    if name != "dtparam":
        yield name, value
        return
    for parameter in value.split(","):
        key, _, state = parameter.partition("=")
        yield f"dtparam={key}", state or "on"


def _groups() -> Iterator[str]:
    for number in {os.getegid(), *os.getgroups()}:
        try:
            yield grp.getgrgid(number).gr_name
        except KeyError:
            continue


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
