"""What the machine is, as far as strips of LEDs care: the only reader of the files that tell."""

import grp
import os
import pwd
import stat
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from apimon_node.machine.checks import AUDIO, GPIOMEM, I2S, MEM, VCIO, Boot, Device, Machine, Pi

MODELS = (
    ("Raspberry Pi Zero 2", Pi.ZERO_2),
    ("Raspberry Pi Zero W", Pi.ZERO_W),
    ("Raspberry Pi Zero", Pi.ZERO),
    ("Raspberry Pi Model", Pi.ONE),
    ("Raspberry Pi 2", Pi.TWO),
    ("Raspberry Pi 3", Pi.THREE),
    ("Raspberry Pi 4", Pi.FOUR),  # and 400
    ("Raspberry Pi 5", Pi.FIVE),  # and 500
    ("Raspberry Pi Compute Module Rev", Pi.ONE),
    ("Raspberry Pi Compute Module 3", Pi.THREE),
    ("Raspberry Pi Compute Module 4", Pi.FOUR),
    ("Raspberry Pi Compute Module 5", Pi.FIVE),
    ("Raspberry Pi", Pi.UNKNOWN),
)
"""How the model of the device tree begins; the first that fits."""

FILTERS: Mapping[str, frozenset[Pi]] = {
    "all": frozenset(Pi),
    "none": frozenset(),
    "pi0": frozenset([Pi.ZERO, Pi.ZERO_W, Pi.ZERO_2]),
    "pi0w": frozenset([Pi.ZERO_W, Pi.ZERO_2]),
    "pi02": frozenset([Pi.ZERO_2]),
    "pi1": frozenset([Pi.ONE]),
    "cm1": frozenset([Pi.ONE]),
    "pi2": frozenset([Pi.TWO]),
    **dict.fromkeys(("pi3", "pi3+", "cm3", "cm3+"), frozenset([Pi.THREE])),
    **dict.fromkeys(("pi4", "pi400", "cm4", "cm4s"), frozenset([Pi.FOUR])),
    **dict.fromkeys(("pi5", "pi500", "cm5"), frozenset([Pi.FIVE])),
}
"""Sections of config.txt by model (Raspberry Pi's documentation, "Conditional filters"). Others (a serial number, a
screen) narrow these further: what stands there might apply, so it counts."""

CONFIGS = ("/boot/firmware/config.txt", "/boot/config.txt")
"""Where config.txt may be; where there are both, the second one only says where it went."""

OFF = frozenset(["off", "no", "false", "0"])

DYNAMIC = range(61184, 65520)
"""User ids that systemd gives to services with DynamicUser= (systemd.io/UIDS-GIDS)."""

LISTENS = 0x10000
"""__SO_ACCEPTCON in the flags of /proc/net/unix (proc(5))."""

SOCKET_COLUMNS = 8
"""Of a socket with a path there."""

READ_WRITE = stat.S_IRGRP | stat.S_IWGRP


def look(files: Iterable[str] = (), root: Path = Path("/")) -> Machine:
    """Look at the machine, and at these device files and sockets beside the usual ones. What is missing is no error."""
    names = tuple(files)
    model = _text(root / "proc/device-tree/model").strip("\0\n ")
    pi = next((pi for begin, pi in MODELS if model.startswith(begin)), Pi.NONE)
    spidevs = (f"/dev/{path.name}" for path in sorted((root / "dev").glob("spidev*")))
    bufsiz = _number(_text(root / "sys/module/spidev/parameters/bufsiz"))
    return Machine(
        model,
        pi,
        user=_user(),
        root=os.geteuid() == 0,
        dynamic=os.geteuid() in DYNAMIC,
        groups=frozenset(_group(gid) for gid in {os.getegid(), *os.getgroups()}),
        devices=_devices([*spidevs, GPIOMEM, MEM, VCIO, *names], root),
        bufsiz=Machine().bufsiz if bufsiz is None else bufsiz,
        modules=frozenset(_modules(root)),
        boot=_boot(root, pi),
        library=find_spec("_rpi_ws281x") is not None,
        listening=frozenset(_listening(root) & {*names}),
    )


def _text(path: Path) -> str:
    """Read a file, or give nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _user() -> str:
    """Name our user; a container's need not be in any list."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _devices(names: Iterable[str], root: Path) -> dict[str, Device]:
    """Look at those files that exist. Nothing is opened: the strip stays with the node."""
    found = {}
    for name in names:
        path = root / Path(name).absolute().relative_to("/")
        try:
            about = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:  # a folder on the way is closed to us
            found[name] = Device(allowed=False)
            continue
        group = _group(about.st_gid) if about.st_mode & READ_WRITE == READ_WRITE else ""
        found[name] = Device(os.access(path, os.R_OK | os.W_OK, effective_ids=True), group)
    return found


def _modules(root: Path) -> set[str]:
    """Return those of the loaded modules of the kernel that matter."""
    return {line.partition(" ")[0] for line in _text(root / "proc/modules").splitlines()} & {AUDIO, I2S}


def _listening(root: Path) -> set[str]:
    """Return the paths of sockets that somebody listens on."""
    rows = (line.split(maxsplit=SOCKET_COLUMNS - 1) for line in _text(root / "proc/net/unix").splitlines()[1:])
    return {row[-1] for row in rows if len(row) == SOCKET_COLUMNS and int(row[3], 16) & LISTENS}


def _boot(root: Path, pi: Pi) -> Boot:
    """Read the settings of config.txt that stand where they apply to this model, or might. The last one counts."""
    texts = ((name, _text(root / name.lstrip("/"))) for name in CONFIGS)
    file, text = next(((name, text) for name, text in texts if text), ("", ""))
    settings: dict[str, str] = {}
    ours = True
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            ours = pi in FILTERS[name] if (name := line.strip("[]").lower()) in FILTERS else ours
        elif ours:
            settings |= _settings(line)
    return Boot(
        file,
        spi=_switch(settings.get("spi")),
        audio=_switch(settings.get("audio")),
        core_freq=_number(settings.get("core_freq", "")),
        core_freq_min=_number(settings.get("core_freq_min", "")),
    )


def _settings(line: str) -> dict[str, str]:
    """Read a line: a setting that matters, or any number of parameters of the device tree."""
    name, _, value = line.partition("=")
    if name == "dtparam":
        return {part.partition("=")[0]: part.partition("=")[2] for part in value.split(",")}
    return {name: value} if name.startswith("core_freq") else {}


def _switch(value: str | None) -> bool | None:
    """Read a parameter: `dtparam=spi` is on, too."""
    return None if value is None else value not in OFF
