"""The driver `spi`: what its failures mean. What goes out is in test_on_the_wire.py."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hosted import Hosted
from shim import FakePi, Fault

from apimon_node.errors import Failure, StripError
from apimon_node.strip import spi
from apimon_node.strip.encoding import HERTZ, LATCH, encode, transfer_size
from apimon_node.strip.spi import SpiStrip

DEVICE = Path("/dev/spidev0.0")
FRAME = bytes([255, 0, 1])


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path)


@pytest.fixture
def strip(pi: FakePi) -> Iterator[Hosted]:
    hosted = Hosted(partial(SpiStrip, DEVICE, 1), pi.environment)
    yield hosted
    hosted.end()


def test_a_one_is_long_and_a_nought_short() -> None:
    high, low = 0b110, 0b100
    bits = [high] * 8 + [low] * 8 + [low] * 7 + [high]
    code = int("".join(f"{bit:03b}" for bit in bits), 2).to_bytes(9)

    assert encode(FRAME) == b"\0" + code + bytes(90)
    assert len(encode(FRAME)) == transfer_size(3)


def test_the_silence_at_the_end_is_long_enough_for_every_ws2812() -> None:
    assert len(LATCH) * 8 / HERTZ >= 300e-6


@pytest.mark.parametrize(
    ("injected", "failure", "text"),
    [
        (
            Fault.SPI_OPEN,
            Failure.PERMANENT,
            "No such file or directory: switch SPI on: sudo raspi-config nonint do_spi 0",
        ),
        (Fault.EACCES, Failure.PERMANENT, "Permission denied: add the node's user to the group spi"),
        (Fault.EMFILE, Failure.OPEN, "Too many open files"),
        (Fault.SPI_IOCTL, Failure.PERMANENT, "Invalid argument"),
        (Fault.SPI_TRANSFER, Failure.WRITE, "Input/output error"),
    ],
)
def test_each_failure_has_its_class_and_the_next_frame_starts_afresh(
    pi: FakePi, strip: Hosted, injected: Fault, failure: Failure, text: str
) -> None:
    pi.fault(injected, 1)
    with pytest.raises(StripError) as caught:
        strip.show(FRAME)
    assert caught.value.failure is failure
    assert str(caught.value).startswith(f"/dev/spidev0.0: {text}")

    opens = pi.opens
    strip.show(FRAME)
    strip.show(FRAME)
    assert pi.wire() == FRAME
    assert pi.opens == opens + 1


def test_a_strip_too_long_for_spidev_is_told_before_anything_is_sent(pi: FakePi) -> None:
    strip = Hosted(partial(SpiStrip, DEVICE, 446), pi.environment)
    with pytest.raises(StripError) as caught:
        strip.show(bytes(3 * 446))
    assert str(caught.value) == (
        "/dev/spidev0.0 sends 4096 bytes at once, and this strip needs 4105:"
        " add spidev.bufsiz=4105 to /boot/firmware/cmdline.txt"
    )
    assert caught.value.failure is Failure.PERMANENT
    assert pi.opens == 0

    pi.set_bufsiz(4105)
    strip.show(bytes(3 * 446))
    assert pi.wire() == bytes(3 * 446)
    strip.end()


def test_a_limit_that_shrank_meanwhile_is_told_by_the_system(pi: FakePi, strip: Hosted) -> None:
    strip.show(FRAME)
    pi.set_bufsiz(10)

    with pytest.raises(StripError, match="Message too long: the transfer is larger than spidev's bufsiz"):
        strip.show(FRAME)


@pytest.mark.parametrize("text", [None, "", "many"])
def test_without_word_of_the_limit_it_is_the_kernels_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    path = tmp_path / "bufsiz"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(spi, "BUFSIZ", path)

    assert spi.bufsiz() == 4096


def test_in_this_process_too_its_failures_are_of_the_system(tmp_path: Path) -> None:
    """The same without a Pi: a file that is no spidev, and one that is not there."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StripError, match="Inappropriate ioctl for device") as caught:
        SpiStrip(file, 1).show(FRAME)
    assert caught.value.failure is Failure.PERMANENT

    with pytest.raises(StripError, match="No such file or directory"):
        SpiStrip(tmp_path / "nowhere", 1).show(FRAME)
