"""The driver `memory`: it enforces a strip's rules, and fails when told to."""

import pytest

from apimon_node.errors import Failure, StripError
from apimon_node.strip.memory import HISTORY, MemoryStrip

RED, BLUE = b"\xff\x00\x00", b"\x00\x00\xff"


def test_it_keeps_what_it_was_shown_in_order() -> None:
    strip = MemoryStrip(1)
    for frame in (RED, BLUE, BLUE):
        strip.show(frame)

    assert list(strip.frames) == [RED, BLUE, BLUE]
    assert strip.written == 3


@pytest.mark.parametrize("length", [0, 1, 5, 7, 60])
def test_a_frame_of_the_wrong_length_is_a_bug_of_the_caller(length: int) -> None:
    strip = MemoryStrip(2)
    with pytest.raises(ValueError, match=f"expected a frame of 6 bytes, got {length}"):
        strip.show(bytes(length))

    assert strip.written == 0


def test_it_fails_as_often_as_it_was_told_and_keeps_none_of_those_frames() -> None:
    strip = MemoryStrip(1)
    strip.fail("no power", "no signal")
    for text in ("no power", "no signal"):
        with pytest.raises(StripError, match=f"^{text}$"):
            strip.show(RED)
    strip.show(BLUE)

    assert list(strip.frames) == [BLUE]
    assert strip.written == 1


def test_failures_can_be_laid_out_beforehand() -> None:
    strip = MemoryStrip(1, [None, "no power"])
    strip.show(RED)
    with pytest.raises(StripError, match="no power"):
        strip.show(RED)
    strip.show(RED)

    assert strip.written == 2


def test_a_frame_that_does_not_fit_uses_up_no_failure() -> None:
    strip = MemoryStrip(1, ["no power"])
    with pytest.raises(ValueError, match="expected a frame"):
        strip.show(b"")
    with pytest.raises(StripError):
        strip.show(RED)


def test_after_its_end_it_takes_no_frames_but_still_has_the_old_ones() -> None:
    strip = MemoryStrip(1)
    strip.show(RED)
    strip.close()

    assert strip.closed
    assert list(strip.frames) == [RED]
    with pytest.raises(ValueError, match="the strip is closed"):
        strip.show(RED)


def test_a_week_of_frames_does_not_fill_the_memory() -> None:
    strip = MemoryStrip(1)
    for number in range(HISTORY + 5):
        strip.show(number.to_bytes(3))

    assert len(strip.frames) == HISTORY
    assert strip.written == HISTORY + 5
    assert strip.frames[-1] == (HISTORY + 4).to_bytes(3)


def test_it_fails_with_the_errors_that_it_is_given() -> None:
    strip, error = MemoryStrip(1), StripError("no answer", Failure.HANG, -10)
    strip.fail(error)
    with pytest.raises(StripError) as caught:
        strip.show(RED)

    assert caught.value is error


def test_a_strip_with_white_has_four_bytes_a_pixel() -> None:
    strip = MemoryStrip(2, channels=4)
    strip.show(bytes(8))

    assert list(strip.frames) == [bytes(8)]
