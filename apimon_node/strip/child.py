"""The child: the only process that loads the C library rpi_ws281x. It is run as a file, and imports nothing of ours.

Started as `python -I -S child.py LIBRARY` with a stream socket as its standard input, it reads messages from there and
answers on it. A message is its length (4 bytes, little endian) and its bytes. The first says what hangs where
(OPENING), each later one is a whole frame: all pixels of the first strip, then those of the second, in the order of the
wire. Each message gets one answer (ANSWER): a status, and the child's memory in kB.

The library is initialised once in the life of the process (it leaks at every other time, and crashes when it is used
after a failure), and let go of at the end of the messages, or at SIGTERM, which leaves the strips dark. A process that
hangs in C is killed by whoever started it.
"""

import os
import signal
import struct
import sys
from contextlib import suppress
from types import FrameType
from typing import Any, NamedTuple

LENGTH = struct.Struct("<I")
OPENING = struct.Struct("<BBBBHBBH")
"""Version, DMA channel, and for each of two strips: pin (BCM), channels of a pixel, pixels; no pixels is no strip."""
ANSWER = struct.Struct("<bI")
"""Status: 0 is well, below it is the library's code, above it are ours; resident memory in kB."""

VERSION = 1
REFUSED, BUSY, FORBIDDEN = 1, 2, 3
"""Statuses of ours: a message that is not understood, another client is served, this one is not allowed."""

LINES = {12: 0, 18: 0, 13: 1, 19: 1, 21: 0, 10: 0}
"""Pins that the library can drive, with the line (its channel) that each is on: PWM0, PWM1, PCM and SPI."""

PWM_LINES = ({12, 18}, {13, 19})
"""Pins of the only two lines that can be driven at once."""

DMA_CHANNELS = (10, 8, 9, 11, 12, 13, 14)
"""DMA channels that may be used, the best one first. The kernel hands out low ones; 5 corrupts the SD card
(github.com/jgarff/rpi_ws281x, issue 224), 15 belongs to the firmware."""

MAX_PIXELS = 2000

STALL = 2
"""Seconds in which a message that has begun must be complete."""

RGB, RGBW = 0x00100800, 0x18100800
"""strip_type: WS2811_STRIP_RGB and SK6812_STRIP_RGBW of ws2811.h. Frames come in the order of the wire."""

HERTZ = 800_000
"""Of a WS2812's data line."""

PAGE = os.sysconf("SC_PAGE_SIZE")


class Line(NamedTuple):
    """A strip on a pin."""

    gpio: int
    channels: int
    pixels: int


class Opening(NamedTuple):
    """What hangs where: the first message."""

    dma: int
    lines: tuple[Line, ...]

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return sum(line.channels * line.pixels for line in self.lines)

    def message(self) -> bytes:
        """Return the message of it."""
        first, second = (*self.lines, Line(0, 0, 0))[:2]
        return framed(OPENING.pack(VERSION, self.dma, *first, *second))


def framed(message: bytes) -> bytes:
    """Put its length before a message."""
    return LENGTH.pack(len(message)) + message


def read_opening(message: bytes) -> Opening | None:
    """Read the first message; None where it asks for what the library must not be asked."""
    if len(message) != OPENING.size:
        return None
    version, dma, *numbers = OPENING.unpack(message)
    lines = tuple(line for line in (Line(*numbers[:3]), Line(*numbers[3:])) if line.pixels)
    sound = all(line.gpio in LINES and line.channels in (3, 4) and line.pixels <= MAX_PIXELS for line in lines)
    if version != VERSION or dma not in DMA_CHANNELS or not sound or not fit({line.gpio for line in lines}, len(lines)):
        return None
    return Opening(dma, lines)


def fit(pins: set[int], strips: int) -> bool:
    """Return whether so many strips can be on these pins at once: one on any, two only on both lines of PWM."""
    if strips == len(PWM_LINES):
        return all(len(pins & line) == 1 for line in PWM_LINES)
    return strips == 1


class Library:
    """The one `ws2811_t` of this process, with all strips."""

    def __init__(self, library: Any, opening: Opening) -> None:
        self._library = library
        self._leds = library.new_ws2811_t()
        self._leds.disown()  # there is no destructor, and SWIG would complain of that at the end
        self._lines: list[tuple[Any, Line]] = []
        library.ws2811_t_freq_set(self._leds, HERTZ)
        library.ws2811_t_dmanum_set(self._leds, opening.dma)
        for at in range(len(PWM_LINES)):
            library.ws2811_channel_t_count_set(library.ws2811_channel_get(self._leds, at), 0)
        for line in opening.lines:
            channel = library.ws2811_channel_get(self._leds, LINES[line.gpio])
            library.ws2811_channel_t_gpionum_set(channel, line.gpio)
            library.ws2811_channel_t_count_set(channel, line.pixels)
            library.ws2811_channel_t_strip_type_set(channel, RGB if line.channels == 3 else RGBW)  # noqa: PLR2004
            library.ws2811_channel_t_brightness_set(channel, 255)
            library.ws2811_channel_t_invert_set(channel, 0)
            self._lines.append((channel, line))

    def open(self) -> int:
        """Initialise it, for the only time; return the library's code. After a failure the process has to end."""
        code: int = self._library.ws2811_init(self._leds)
        return code

    def show(self, frame: bytes) -> int:
        """Put a frame of the right size onto the strips, to its last bit; return the library's code."""
        set_led, at = self._library.ws2811_led_set, 0
        for channel, line in self._lines:
            for pixel in range(line.pixels):
                end = at + line.channels
                first, second, third, *fourth = frame[at:end]
                white = fourth[0] << 24 if fourth else 0
                set_led(channel, pixel, white | first << 16 | second << 8 | third)
                at = end
        # render() only starts DMA and tells of the frame before; on a still board that would be a minute late.
        code: int = self._library.ws2811_render(self._leds) or self._library.ws2811_wait(self._leds)
        return code

    def close(self) -> None:
        """Stop the hardware, and give its memory back."""
        self._library.ws2811_fini(self._leds)


def serve(library: Any) -> None:
    """Read the opening, then frames, until there are no more; answer each."""
    opening = read_opening(_read(patient=False) or b"")
    if opening is None:
        _answer(REFUSED)
        return
    strips = Library(library, opening)
    code = strips.open()
    _answer(code)
    if code:
        os._exit(0)  # at once: what has failed must not be touched again
    try:
        while frame := _read(patient=True):
            if len(frame) != opening.size:
                _answer(REFUSED)
                return
            _answer(strips.show(frame))
    except KeyboardInterrupt:
        strips.show(bytes(opening.size))  # systemd stops the node at the same time: it may not be able to ask for this
    finally:
        strips.close()


def _read(*, patient: bool) -> bytes | None:
    """Read a message; None at the end of them. One that is too large comes out as one of a wrong length.

    A message that has begun must be complete in time, else this is the end; `patient` waits for its begin for ever.
    """
    head = b""
    if patient and not (head := os.read(0, 1)):
        return None
    signal.setitimer(signal.ITIMER_REAL, STALL)
    head += _read_bytes(LENGTH.size - len(head))
    size = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
    message = _read_bytes(size) if size <= len(PWM_LINES) * 4 * MAX_PIXELS else bytes(1)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return message or None


def _read_bytes(size: int) -> bytes:
    """Read so many bytes, or none where they end before."""
    data = b""
    while len(data) < size:
        chunk = os.read(0, size - len(data))
        if not chunk:
            return b""
        data += chunk
    return data


def _answer(status: int) -> None:
    """Answer a message. Whoever asked may have gone meanwhile."""
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - pathlib is a megabyte
        resident = int(statm.read().split()[1]) * PAGE // 1024
    try:
        os.write(0, ANSWER.pack(status, resident))
    except OSError:
        raise SystemExit from None


def _end(_number: int, _frame: FrameType | None) -> None:
    """End in order: what is open is closed on the way out."""
    raise SystemExit


def _stop(_number: int, _frame: FrameType | None) -> None:
    """End dark."""
    raise KeyboardInterrupt


def main() -> None:
    """Be the child."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _end)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the node, which says good-bye in its own time
    sys.path.append(os.path.dirname(sys.argv[1]))  # noqa: PTH120 - as above
    import _rpi_ws281x  # noqa: PLC0415 - found by the line above

    with suppress(KeyboardInterrupt):
        serve(_rpi_ws281x)


if __name__ == "__main__":
    main()
