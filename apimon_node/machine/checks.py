"""What the machine means for the strips of a configuration: findings, each with what mends it. Pure.

What a model needs stands in the documents of rpi_ws281x and in its users' reports; nobody here has tried it on a Pi.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from apimon_node.config.settings import Settings, StripSettings
from apimon_node.strip.encoding import WIRE_BYTES, transfer_size


class Level(StrEnum):
    """How bad a finding is: a problem keeps something from working, a warning may."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "PROBLEM"


class Finding(NamedTuple):
    """What was seen of a subject such as `strip ops`, and what to do about it, if anything."""

    subject: str
    level: Level
    text: str
    mend: str = ""


class Pi(StrEnum):
    """What a machine is, in words that follow `this is`."""

    NONE = "no Raspberry Pi"
    UNKNOWN = "an unknown Raspberry Pi"
    ZERO = "a Pi Zero"
    ZERO_W = "a Pi Zero W"
    ZERO_2 = "a Pi Zero 2"
    ONE = "a Pi 1"
    TWO = "a Pi 2"
    THREE = "a Pi 3"
    FOUR = "a Pi 4"
    FIVE = "a Pi 5"


class Device(NamedTuple):
    """A device file or a socket that exists: whether we may read and write it, and which group may (empty: none)."""

    allowed: bool
    group: str = ""


class Boot(NamedTuple):
    """What config.txt says. `file` is empty where it cannot be read, the others are None where it does not say."""

    file: str = ""
    spi: bool | None = None
    audio: bool | None = None
    core_freq: int | None = None
    core_freq_min: int | None = None


class Machine(NamedTuple):
    """All that the checks know of the machine. `devices` has those that exist, `listening` sockets with a listener."""

    model: str = ""
    pi: Pi = Pi.NONE
    user: str = ""
    root: bool = False
    dynamic: bool = False  # the user of a service, which systemd makes and nobody else can change
    groups: frozenset[str] = frozenset()
    devices: Mapping[str, Device] = MappingProxyType({})
    bufsiz: int = 4096  # bytes; drivers/spi/spidev.c, unless the kernel was told otherwise
    modules: frozenset[str] = frozenset()
    boot: Boot = Boot()
    library: bool = False
    listening: frozenset[str] = frozenset()


SPI_GPIO, PCM_GPIO = 10, 21
"""Pins of ws281x that are not PWM's."""

MEM, VCIO, GPIOMEM, SPIDEV = "/dev/mem", "/dev/vcio", "/dev/gpiomem", "/dev/spidev0.0"
"""What rpi_ws281x opens: the first two for PWM and PCM, the others for SPI."""

AUDIO, I2S = "snd_bcm2835", "snd_soc_bcm2835_i2s"
"""Kernel modules that drive PWM, and PCM, themselves."""

CLOCKS: Mapping[Pi, Mapping[str, int]] = {
    Pi.ZERO_W: {"core_freq": 250},
    Pi.ZERO_2: {"core_freq": 250},
    Pi.THREE: {"core_freq": 250},
    Pi.FOUR: {"core_freq": 500, "core_freq_min": 500},
}
"""What holds the core clock, hence SPI's, still: README of rpi_ws281x, issues 194, 204 and 447 there. The Zero 2 is
taken to be as the other boards with WiFi."""

CONFIG = "/boot/firmware/config.txt"
"""Where Raspberry Pi OS has it since bookworm."""

KERNEL = "boot the kernel of Raspberry Pi OS; a container needs the device"


def line(finding: Finding) -> str:
    """Write a finding on one line. Some of its words may have come from the network: only what can be printed stays."""
    subject, level, text, mend = finding
    words = f"{level:<7}  {subject:<11} {text}" + (f" → {mend}" if mend else "")
    return "".join(character if character.isprintable() else " " for character in words)


def files(settings: Settings) -> list[str]:
    """Name the device files and sockets of a configuration, for machine.look()."""
    names = [str(strip.device) for strip in settings.strips if strip.driver == "spi"]
    return names if settings.ws281x.socket is None else [*names, str(settings.ws281x.socket)]


def check_strips(settings: Settings, machine: Machine) -> list[Finding]:
    """Return at least one finding for each strip."""
    found: list[Finding] = []
    for strip in settings.strips:
        findings = CHECKS[strip.driver](strip, settings, machine)
        found += [finding._replace(subject=f"strip {strip.name}") for finding in findings]
    return found


def library_transfer_size(pixels: int) -> int:
    """Return the bytes that rpi_ws281x sends at once on GPIO 10: always four colours (PCM_BYTE_COUNT in ws2811.c)."""
    return (12 * pixels + 16) // 8 * 8 + 8


def _ok(text: str) -> Finding:
    return Finding("", Level.OK, text)


def _warning(text: str, mend: str = "") -> Finding:
    return Finding("", Level.WARNING, text, mend)


def _problem(text: str, mend: str) -> Finding:
    return Finding("", Level.PROBLEM, text, mend)


def _terminal(_strip: StripSettings, _settings: Settings, _machine: Machine) -> list[Finding]:
    return [_ok("is drawn in the terminal, which needs nothing")]


def _memory(_strip: StripSettings, _settings: Settings, _machine: Machine) -> list[Finding]:
    return [_ok("shows nothing, it only remembers: that needs nothing")]


def _spi(strip: StripSettings, _settings: Settings, machine: Machine) -> list[Finding]:
    device = str(strip.device)
    size, rest = transfer_size(strip.pixels * strip.channels), transfer_size(0)
    most = (machine.bufsiz - rest) // (WIRE_BYTES * strip.channels)
    findings = [
        *_device(device, machine),
        *_size(strip.pixels, size, most, machine),
        *_clock(machine),
    ]
    return findings or [_ok(f"{device} can be opened, and takes {strip.pixels} pixels at once")]


def _ws281x(strip: StripSettings, settings: Settings, machine: Machine) -> list[Finding]:
    """Check the strip of a library that knows neither other machines nor a Pi 5 (rpihw.c of version 5.0.0)."""
    if machine.pi is Pi.NONE:
        text = "this is no Raspberry Pi, or a container that hides it, and ws281x needs one"
        return [_problem(text, "use the driver terminal here")]
    if machine.pi is Pi.FIVE:
        return [_problem("rpi_ws281x does not support a Pi 5", "use the driver spi, on GPIO 10")]
    socket, gpio = settings.ws281x.socket, strip.gpio or 0
    alone = socket is None
    findings = []
    if machine.pi is Pi.UNKNOWN:
        text = f"rpi_ws281x may not know this model, {machine.model}"
        findings.append(_warning(text, "if it fails with code -3, use the driver spi"))
    if socket is not None:
        findings += _service(str(socket), machine)
    elif not machine.library:
        findings.append(_problem("rpi_ws281x is not installed", "pip install 'apimon-node[ws281x]'"))
    findings += _on_spi(strip, machine, alone=alone) if gpio == SPI_GPIO else _on_dma(gpio, machine, alone=alone)
    return findings or [_ok(f"nothing is seen that keeps ws281x from GPIO {gpio}")]


def _service(socket: str, machine: Machine) -> Iterator[Finding]:
    """Check the socket of a strip service. Connecting would take the strip from the node, so nobody does."""
    device = machine.devices.get(socket)
    start = f"start it as root: apimon-node strip --socket {socket} --user {machine.user}"
    if device is None:
        yield _problem(f"the strip service's socket {socket} is missing", start)
    elif not device.allowed:
        mend = "let that user write to it and enter its folder (SocketMode= where systemd makes it)"
        yield _problem(f"user {machine.user} may not connect to {socket}", mend)
    elif socket not in machine.listening:
        yield _warning(f"no strip service is seen to listen on {socket}", start)


def _on_dma(gpio: int, machine: Machine, *, alone: bool) -> Iterator[Finding]:
    """Check PWM or PCM. /dev/mem asks for CAP_SYS_RAWIO: no group and no file mode helps."""
    if alone and not machine.root:
        mend = "run the node as root, or with a strip service (ws281x.socket), or use the driver spi"
        yield _problem(f"GPIO {gpio} needs root (for {MEM}), and this is user {machine.user}", mend)
    for name in (MEM, VCIO):
        if name not in machine.devices:
            yield _problem(f"{name} is missing", KERNEL)
    if gpio == PCM_GPIO:
        beside = f" ({I2S} is loaded)" if I2S in machine.modules else ""
        text = f"PCM does not go with I2S audio{beside}, and is reported dead on some versions of the OS"
        yield _warning(text, "prefer GPIO 18")
    elif AUDIO in machine.modules:
        change = f"write dtparam=audio=off into {machine.boot.file or CONFIG}, not audio=on, then reboot"
        if machine.boot.audio is False:
            change = f"reboot: {machine.boot.file} has dtparam=audio=off"
        yield _problem(f"on-board audio ({AUDIO}) is loaded, and drives the same PWM", change)


def _on_spi(strip: StripSettings, machine: Machine, *, alone: bool) -> Iterator[Finding]:
    """Check ws281x on GPIO 10."""
    for name in (SPIDEV, GPIOMEM):
        yield from _device(name, machine, rights=alone)
    size = library_transfer_size(strip.pixels)
    yield from _size(strip.pixels, size, ((machine.bufsiz - 8) // 8 * 8 - 9) // 12, machine)
    yield from _clock(machine)


def _device(name: str, machine: Machine, *, rights: bool = True) -> Iterator[Finding]:
    """Check that a device file is there, and that we may open it, unless somebody else does that for us."""
    device = machine.devices.get(name)
    if device is None:
        yield _problem(f"{name} is missing", _switch_on(name, machine))
    elif rights and not device.allowed:
        mend = f"let a group open it by a udev rule, as Raspberry Pi OS has one, and add {machine.user} to that"
        if device.group in machine.groups:
            mend = f"group {device.group} should: does a container, or the service's unit, keep it out?"
        elif device.group not in ("", "root"):
            mend = _into(device.group, machine)
        yield _problem(f"user {machine.user} may not open {name}", mend)


def _into(group: str, machine: Machine) -> str:
    """Return how our user comes into a group."""
    if not machine.dynamic:
        return f"sudo usermod -aG {group} {machine.user}, then log in anew, or restart the service"
    if group == SPI_GROUP:
        return "sudo apimon-node install --with spi, then restart the service"
    return f"let the service have it: SupplementaryGroups={group} by systemctl edit, then restart the service"


SPI_GROUP = "spi"
"""The group of /dev/spidev* on Raspberry Pi OS; the installation brings a drop-in for it."""


def _switch_on(name: str, machine: Machine) -> str:
    """Return how a device file comes to be."""
    if machine.pi is Pi.NONE:
        return "this is no Raspberry Pi, or a container that hides it: use the driver terminal here"
    if name == GPIOMEM:
        return KERNEL
    if not name.startswith("/dev/spidev0."):
        others = ", ".join(sorted(other for other in machine.devices if other.startswith("/dev/spidev")))
        choice = f"name one that exists ({others})" if others else f"name {SPIDEV}"
        return f"{choice}, or add its dtoverlay to {machine.boot.file or CONFIG}"
    if machine.boot.spi:
        return f"{machine.boot.file} switches SPI on: reboot, and if that does not help, sudo modprobe spidev"
    return "switch SPI on: sudo raspi-config nonint do_spi 0, then reboot"


def _size(pixels: int, size: int, most: int, machine: Machine) -> Iterator[Finding]:
    """Check that a frame of `size` bytes fits one transfer; `most` pixels would."""
    if size > machine.bufsiz:
        file = (machine.boot.file or CONFIG).replace("config.txt", "cmdline.txt")
        text = f"{pixels} pixels are {size} bytes at once, and spidev takes {machine.bufsiz}"
        mend = f"at most {max(most, 0)} pixels, or add spidev.bufsiz={size} to the line in {file}, then reboot"
        yield _problem(text, mend)


def _clock(machine: Machine) -> Iterator[Finding]:
    """Check that the core clock stands still, where the model is reported to need that."""
    if machine.pi in (Pi.FIVE, Pi.UNKNOWN):
        yield _warning(f"nobody here has verified the timing of SPI on {machine.pi}")
    settings = CLOCKS.get(machine.pi, {})
    wrong = [f"{name}={value}" for name, value in settings.items() if getattr(machine.boot, name) != value]
    if wrong:
        text = f"colours are reported to go wrong on {machine.pi} without {' and '.join(wrong)}"
        file = machine.boot.file or CONFIG
        yield _warning(text, f"add {'that' if len(wrong) == 1 else 'a line for each'} to {file}, then reboot")


CHECKS: Mapping[str, Callable[[StripSettings, Settings, Machine], list[Finding]]] = {
    "terminal": _terminal,
    "memory": _memory,
    "spi": _spi,
    "ws281x": _ws281x,
}
"""What to check, by driver."""
