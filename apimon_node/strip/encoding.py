"""The wire of a WS2812 by way of SPI: what has to be sent for a frame. Pure.

A WS2812 tells a 1 from a 0 by how long its data line is high. At 2.4 MHz, three bits of SPI are one of the strip's:
110 is a 1, 100 is a 0.
"""

HERTZ = 2_400_000
"""Three bits in the 1.25 us that a bit of the strip takes (data sheet of the WS2812B)."""

WIRE_BYTES = 3
"""Bytes of SPI for a byte of the strip."""

LEAD = bytes(1)
"""The line idles high on some boards; a transfer that begins with a zero saves the first pixel."""

LATCH = bytes(90)
"""300 us of silence, after which a strip shows what it has got (WS2812B of 2017 and later: at least 280 us)."""

CODES = tuple(
    int("".join("110" if value >> bit & 1 else "100" for bit in range(7, -1, -1)), 2).to_bytes(WIRE_BYTES)
    for value in range(256)
)
"""What goes out for each byte."""


def encode(frame: bytes) -> bytes:
    """Return the transfer of a frame."""
    return b"".join((LEAD, *map(CODES.__getitem__, frame), LATCH))


def transfer_size(size: int) -> int:
    """Return the bytes of the transfer of a frame of `size` bytes."""
    return len(LEAD) + WIRE_BYTES * size + len(LATCH)
