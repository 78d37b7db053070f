"""A stand-in for the C library rpi_ws281x: the functions that strip/child.py calls, on a Pi that has GPIO 10 alone.

Its device is a named pipe in the folder that FOLDER names: each frame goes there as a record, and where the pipe or
its reader is gone, so is the device. It obeys the library's rules: whoever uses what has failed, or what was never
initialised, gets the SIGSEGV that they would get there. It is imported where nothing is but the standard library.
"""

import os
import resource
import signal
import struct
from typing import Never

FOLDER = "APIMON_DEMO_STRIP"
"""The variable of the environment that has the folder."""

PIPE, CRASH = "strip.pipe", "strip.crash"
"""Files of the folder: the device, and the order to crash at the next occasion. It is carried out once."""

OWNER = struct.Struct("<i")
"""What a record begins with: the process that wrote it. The bytes of the frame follow."""

PIN, LINES = 10, 2

NO_DMA, NO_PIN, NO_SPI, NOT_SENT = -6, -11, -13, -14
"""Codes of ws2811.h."""

DMA_CHANNELS = 16

SHIFTS = (16, 8, 0)
"""Of the colours in strip_type, first to third; that of white is above them, and 0 where there is none."""


class Channel:
    """A ws2811_channel_t."""

    def __init__(self) -> None:
        self.gpionum = self.count = self.strip_type = self.brightness = self.invert = 0
        self.leds: list[int] = []


class Strips:
    """A ws2811_t. `device` is None before it is initialised, and after it has failed."""

    def __init__(self) -> None:
        self.freq = self.dmanum = 0
        self.channels = [Channel() for _ in range(LINES)]
        self.device: int | None = None

    def disown(self) -> None:
        """Leave it to nobody to destroy this."""


def new_ws2811_t() -> Strips:
    """Make one."""
    return Strips()


def ws2811_t_freq_set(strips: Strips, hertz: int) -> None:
    """Set the clock of the data line."""
    strips.freq = hertz


def ws2811_t_dmanum_set(strips: Strips, number: int) -> None:
    """Set the DMA channel."""
    strips.dmanum = number


def ws2811_channel_get(strips: Strips, number: int) -> Channel:
    """Return a line."""
    return strips.channels[number]


def ws2811_channel_t_count_set(channel: Channel, pixels: int) -> None:
    """Set how many pixels hang on a line."""
    channel.count = pixels


def ws2811_channel_t_gpionum_set(channel: Channel, pin: int) -> None:
    """Set the pin of a line."""
    channel.gpionum = pin


def ws2811_channel_t_strip_type_set(channel: Channel, strip_type: int) -> None:
    """Set which colours go out, and in which order."""
    channel.strip_type = strip_type


def ws2811_channel_t_brightness_set(channel: Channel, brightness: int) -> None:
    """Set how bright a line is."""
    channel.brightness = brightness


def ws2811_channel_t_invert_set(channel: Channel, invert: int) -> None:
    """Set whether the data line is turned upside down."""
    channel.invert = invert


def ws2811_init(strips: Strips) -> int:
    """Open the device. As in the library, a failure leaves nothing that could be used."""
    _crash_if_ordered()
    channel = strips.channels[0]
    if strips.dmanum >= DMA_CHANNELS:
        return NO_DMA
    if channel.gpionum != PIN:
        return NO_PIN
    try:
        strips.device = os.open(f"{os.environ[FOLDER]}/{PIPE}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return NO_SPI
    channel.leds = [0] * channel.count
    strips.channels[1].count = 0  # SPI has one line; the library says nothing of it either
    return 0


def ws2811_led_set(channel: Channel, pixel: int, color: int) -> int:
    """Set a pixel. What lies below the first is the heap's."""
    if pixel >= channel.count:
        return -1
    if pixel < 0:
        _crash()
    channel.leds[pixel] = color
    return 0


def ws2811_render(strips: Strips) -> int:
    """Send a frame."""
    _crash_if_ordered()
    if strips.device is None:
        _crash()
    try:
        os.write(strips.device, OWNER.pack(os.getpid()) + _wire(strips.channels[0]))
    except OSError:
        return NOT_SENT
    return 0


def ws2811_wait(_strips: Strips) -> int:
    """Wait for the end of a frame: SPI has sent all of it before it returns."""
    return 0


def ws2811_fini(strips: Strips) -> None:
    """Close the device."""
    if strips.device is None:
        _crash()
    os.close(strips.device)
    strips.device = None


def _wire(channel: Channel) -> bytes:
    """Return a line's pixels as they go out."""
    white = (channel.strip_type >> 24,) if channel.strip_type >> 24 else ()
    shifts = (*(channel.strip_type >> at & 0xFF for at in SHIFTS), *white)
    scale = channel.brightness + 1
    return bytes(((color >> shift & 0xFF) * scale) >> 8 for color in channel.leds for shift in shifts)


def _crash_if_ordered() -> None:
    try:
        os.unlink(f"{os.environ[FOLDER]}/{CRASH}")  # noqa: PTH108 - pathlib is a megabyte
    except OSError:
        return
    _crash()


def _crash() -> Never:
    """End as a NULL pointer does in C, but for the core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
    raise SystemExit  # not reached
