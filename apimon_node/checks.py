"""What a machine means for the strips of a configuration: what works, what may not, and how to mend it. Pure."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from apimon_node.machine import Machine
from apimon_node.settings import Settings, StripSettings, Ws281xSettings
from apimon_node.strip.spi import transfer_size

CONFIG_TXT = "/boot/firmware/config.txt, and restart"

CORE_CLOCK = {
    "pi3": {"core_freq": "250"},
    "pi02": {"core_freq": "250"},
    "pi0w": {"core_freq": "250"},
    "pi4": {"core_freq": "500", "core_freq_min": "500"},
}
"""What keeps the clock of SPI steady, by board: reports of rpi_ws281x's users (issues 194, 204 and 447; its README for
the Pi 4); of the Zero 2 W by its likeness to the Pi 3."""

LIBRARY_LATCH = 24
"""Bytes of SPI that rpi_ws281x sends beside the pixels: with 40 pixels 504, with 300 3,624 (measured)."""

PWM_PINS = (12, 18, 13, 19)
PCM_PIN = 21
SPI_PIN, SPI_DEVICE = 10, "/dev/spidev0.0"


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "PROBLEM"


class Finding(NamedTuple):
    """What was found about something, and what to do about it."""

    subject: str
    level: Level
    text: str
    mend: str = ""


def check_strips(settings: Settings, machine: Machine) -> Iterator[Finding]:
    """Say of each strip what is wrong with it, or that nothing is."""
    for strip in settings.strips:
        subject = f"strip {strip.name}"
        found = [Finding(subject, level, text, mend) for level, text, mend in _check(strip, settings.ws281x, machine)]
        yield from found or [Finding(subject, Level.OK, _well(strip, machine))]


Check = tuple[Level, str, str]


def _check(strip: StripSettings, ws281x: Ws281xSettings, machine: Machine) -> Iterator[Check]:
    if strip.driver == "memory":
        yield Level.WARNING, "the driver memory shows nothing: it only remembers", "use another driver"
    elif strip.driver == "spi":
        yield from _spi(strip, machine)
    elif strip.driver == "ws281x":
        yield from _board(machine)
        yield from _library(strip, ws281x, machine)
        yield from _pin(strip, machine)


def _spi(strip: StripSettings, machine: Machine) -> Iterator[Check]:
    yield from _device(str(strip.device), "spi", machine)
    yield from _length(transfer_size(strip.pixels * strip.channels), machine)
    yield from _clock(machine)


def _device(name: str, group: str, machine: Machine) -> Iterator[Check]:
    if name not in machine.present:
        mend = "switch SPI on: sudo raspi-config nonint do_spi 0, and restart"
        yield Level.PROBLEM, f"{name} is missing", mend
    elif name not in machine.usable:
        member = f"this user is {'' if group in machine.groups else 'not '}in the group {group}"
        mend = f"sudo usermod -aG {group} USER, with the user that runs the node, and sign in anew"
        yield Level.PROBLEM, f"{name} may not be opened: {member}", mend


def _length(size: int, machine: Machine) -> Iterator[Check]:
    if size > machine.bufsiz:
        text = f"it needs {size} bytes of SPI at once, and spidev sends {machine.bufsiz}"
        mend = (
            f"fewer pixels, or spidev.bufsiz={size} at the end of the line in /boot/firmware/cmdline.txt, and restart"
        )
        yield Level.PROBLEM, text, mend


def _clock(machine: Machine) -> Iterator[Check]:
    if machine.board == "pi5":
        yield Level.WARNING, "nobody here has seen a strip on the SPI of a Pi 5", "tell us how it goes"
    wanted = CORE_CLOCK.get(machine.board, {})
    wrong = {key: value for key, value in wanted.items() if (machine.boot or {}).get(key) != value}
    if wrong:
        text = "the clock of SPI may change with the load, which strips show as white or random colours"
        yield Level.WARNING, text, f"{' and '.join(f'{key}={value}' for key, value in wrong.items())} in {CONFIG_TXT}"


def _board(machine: Machine) -> Iterator[Check]:
    if not machine.board:
        yield Level.PROBLEM, "this is no Raspberry Pi, and rpi_ws281x knows nothing else", "use the driver terminal"
    elif machine.board == "pi5":
        yield Level.PROBLEM, "rpi_ws281x does not know the Pi 5", "use the driver spi"


def _library(strip: StripSettings, ws281x: Ws281xSettings, machine: Machine) -> Iterator[Check]:
    """Check that somebody can load the library, and has the rights that it needs: we, or a strip service."""
    if ws281x.socket is not None:
        yield from _service(str(ws281x.socket), machine)
    else:
        if not machine.library:
            yield Level.PROBLEM, "rpi_ws281x is not installed", "pip install 'apimon-node[ws281x]'"
        yield from _rights(strip, machine)
    if strip.gpio != SPI_PIN and machine.board and "/dev/vcio" not in machine.present:
        yield Level.PROBLEM, "/dev/vcio is missing: not the Pi's own kernel", "use Raspberry Pi OS, or the driver spi"


def _service(name: str, machine: Machine) -> Iterator[Check]:
    if name not in machine.present:
        yield Level.PROBLEM, f"there is no strip service at {name}", f"sudo apimon-node strip --socket {name}"
    elif name not in machine.usable:
        yield Level.PROBLEM, f"{name} may not be opened", "let the node's user open it (SocketMode= or SocketGroup=)"


def _rights(strip: StripSettings, machine: Machine) -> Iterator[Check]:
    if strip.gpio == SPI_PIN:
        yield from _device(SPI_DEVICE, "spi", machine)
        if "/dev/gpiomem" in machine.present:
            yield from _device("/dev/gpiomem", "gpio", machine)
    elif not machine.root:
        mend = "run the node as root, or with a strip service (apimon-node strip), or use the driver spi"
        yield Level.PROBLEM, f"GPIO {strip.gpio} needs root: no group may open /dev/mem", mend


def _pin(strip: StripSettings, machine: Machine) -> Iterator[Check]:
    if strip.gpio in PWM_PINS and "snd_bcm2835" in machine.modules:
        text = f"on-board audio may use PWM too, as GPIO {strip.gpio} does: wrong colours, or none"
        yield Level.WARNING, text, f"dtparam=audio=off in {CONFIG_TXT}"
    if strip.gpio == PCM_PIN and (machine.boot or {}).get("dtparam=i2s") == "on":
        yield Level.WARNING, "I2S audio uses PCM too, as GPIO 21 does", f"take dtparam=i2s=on out of {CONFIG_TXT}"
    if strip.gpio == SPI_PIN:
        yield from _length(strip.pixels * 12 + LIBRARY_LATCH, machine)
        yield from _clock(machine)


def _well(strip: StripSettings, machine: Machine) -> str:
    places = {"spi": str(strip.device), "ws281x": f"GPIO {strip.gpio}"}
    where = places.get(strip.driver, "a terminal")
    on = f" of a {machine.model}" if machine.model and strip.driver in places else ""
    return f"{strip.pixels} pixels on {where}{on}: nothing stands in the way"
