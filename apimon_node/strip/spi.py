"""The driver `spi`: a strip on a Pi's SPI data line (GPIO 10 for /dev/spidev0.0), in pure Python, without root.

The clock must be right: docs/hardware.md says what each Pi needs for that.
"""

import errno
import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

from apimon_node.errors import Failure, StripError
from apimon_node.strip.driver import PromptDriver, Shown, check_size
from apimon_node.strip.encoding import HERTZ, encode, transfer_size

WR_MODE, WR_BITS_PER_WORD, WR_MAX_SPEED_HZ = 0x40016B01, 0x40016B03, 0x40046B04
"""ioctl requests of linux/spi/spidev.h."""

BUFSIZ = Path("/sys/module/spidev/parameters/bufsiz")
DEFAULT_BUFSIZ = 4096
"""Bytes of a transfer at the most, unless the kernel was told otherwise (drivers/spi/spidev.c)."""

BY_PEOPLE = frozenset([errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTTY])
"""What stays until somebody mends it."""

MENDS = {
    errno.ENOENT: "switch SPI on: sudo raspi-config nonint do_spi 0",
    errno.EACCES: "add the node's user to the group spi",
    errno.EMSGSIZE: "the transfer is larger than spidev's bufsiz",
}


class SpiStrip(PromptDriver):
    """A strip at a spidev. A write takes as long as the wire (12 ms for 300 pixels); the kernel bounds it."""

    def __init__(self, device: Path, pixels: int, channels: int = 3) -> None:
        self._device = device
        self._bytes = pixels * channels
        self._file: int | None = None

    def show(self, frame: bytes) -> Shown:
        """Send a frame. Raises StripError, ValueError for a frame that does not fit."""
        check_size(frame, self._bytes)
        try:
            if self._file is None:
                self._file = self._open()
            os.write(self._file, encode(frame))
        except OSError as err:
            self.close()
            raise self._error(err) from None
        return Shown()

    def close(self) -> None:
        """Close the device."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)

    def _open(self) -> int:
        size, limit = transfer_size(self._bytes), bufsiz()
        if size > limit:
            text = f"{self._device} sends {limit} bytes at once, and this strip needs {size}: add spidev.bufsiz={size}"
            raise StripError(f"{text} to /boot/firmware/cmdline.txt", Failure.PERMANENT, errno.EMSGSIZE)
        file = os.open(self._device, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(file, WR_MODE, struct.pack("B", 0))
            fcntl.ioctl(file, WR_BITS_PER_WORD, struct.pack("B", 8))
            fcntl.ioctl(file, WR_MAX_SPEED_HZ, struct.pack("=I", HERTZ))
        except OSError:
            os.close(file)
            raise
        return file

    def _error(self, err: OSError) -> StripError:
        mend = MENDS.get(err.errno or 0, "")
        if err.errno in BY_PEOPLE:
            failure = Failure.PERMANENT
        else:
            failure = Failure.OPEN if err.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM) else Failure.WRITE
        return StripError(f"{self._device}: {err.strerror}" + (f": {mend}" if mend else ""), failure, err.errno)


def bufsiz() -> int:
    """Return the bytes that spidev sends at once."""
    try:
        return int(BUFSIZ.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return DEFAULT_BUFSIZ
