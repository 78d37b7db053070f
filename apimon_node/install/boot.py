"""What the boot settings of a Raspberry Pi should say for the strips, and how to take it back. Pure."""

import difflib
import re
from collections.abc import Iterator, Sequence

from apimon_node.config.settings import Settings, StripSettings
from apimon_node.machine.checks import CLOCKS, SPI_GPIO, Machine, Pi, library_transfer_size
from apimon_node.strip.encoding import transfer_size

BEGIN = "# apimon-node begins: for its strips; `apimon-node uninstall` removes this"
END = "# apimon-node ends"
BLOCK = re.compile(rf"(?:^|(?<=\n)){re.escape(BEGIN)}\n(.*?)^{END}\n", re.DOTALL | re.MULTILINE)

BUFSIZ = 65_536
"""Bytes that spidev shall take at once, where its own 4096 do not do: more than 2,000 pixels of four colours need."""

PARAMETER = re.compile(r"(?:^|(?<=\s))spidev\.bufsiz=(\d+)")


def lines(settings: Settings, machine: Machine) -> list[str]:
    """Return the lines that config.txt lacks. What other lines say is overruled: the last one counts."""
    if machine.pi is Pi.NONE:
        return []
    wanted: list[str] = []
    if any(map(_on_spi, settings.strips)):
        wanted += [] if machine.boot.spi else ["dtparam=spi=on"]
        clocks = CLOCKS.get(machine.pi, {})
        wanted += [f"{name}={value}" for name, value in clocks.items() if getattr(machine.boot, name) != value]
    if any(strip.driver == "ws281x" and strip.gpio in PWM for strip in settings.strips):
        wanted += [] if machine.boot.audio is False else ["dtparam=audio=off"]
    return wanted


PWM = frozenset([12, 13, 18, 19])
"""Pins that on-board audio disturbs."""


def _on_spi(strip: StripSettings) -> bool:
    """Return whether a strip is on the Pi's own SPI0; others need overlays that somebody has to choose."""
    if strip.driver == "ws281x":
        return strip.gpio == SPI_GPIO
    return strip.driver == "spi" and str(strip.device).startswith("/dev/spidev0.")


def config_txt(text: str, more: Sequence[str]) -> str:
    """Return config.txt with these lines in our block, at its end, where it applies to every model."""
    if not more:
        return text
    ours = BLOCK.search(text)
    kept = ours[1] if ours else "[all]\n"
    block = "\n".join([BEGIN, *kept.splitlines(), *more, END, ""])
    return _with_line_break(original(text)) + block


def _with_line_break(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"


def large(settings: Settings, machine: Machine) -> bool:
    """Return whether a strip needs larger transfers than the kernel takes unless it is told."""
    return machine.pi is not Pi.NONE and any(size > Machine().bufsiz for size in _sizes(settings))


def _sizes(settings: Settings) -> Iterator[int]:
    for strip in settings.strips:
        if strip.driver == "spi":
            yield transfer_size(strip.pixels * strip.channels)
        elif strip.driver == "ws281x" and strip.gpio == SPI_GPIO:
            yield library_transfer_size(strip.pixels)


def cmdline_txt(text: str) -> str:
    """Return the kernel's one line with transfers that are large enough."""
    sizes = [int(size) for size in PARAMETER.findall(text)]
    if sizes and sizes[-1] >= BUFSIZ:
        return text
    first, _, rest = text.partition("\n")
    return f"{first.rstrip()} spidev.bufsiz={BUFSIZ}\n{rest}"


def original(text: str) -> str:
    """Return config.txt without what we have put there."""
    return BLOCK.sub("", text)


def restorable(text: str, backup: str) -> bool:
    """Return whether a boot file is its backup, but for what we have put there: then nothing else is lost."""
    return text in (backup, cmdline_txt(backup)) or _with_line_break(original(text)) == _with_line_break(backup)


def diff(path: str, old: str, new: str) -> str:
    """Show what would change, as people are used to see it."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), path, path, n=1, lineterm="")
    return "\n".join(line.rstrip("\n").encode(errors="backslashreplace").decode() for line in lines)
