"""Effects: brightness as a function of time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.picture.effects import PERIOD, PULSE_FLOOR, Effect, level

MOMENTS = st.floats(0, 1e9)


@given(st.sampled_from(Effect), MOMENTS)
def test_a_level_is_a_share(effect: Effect, now: float) -> None:
    assert 0 <= level(effect, now) <= 1


@given(MOMENTS)
def test_a_steady_pixel_never_moves(now: float) -> None:
    assert level(Effect.STEADY, now) == 1


@given(MOMENTS)
def test_a_pulsing_pixel_is_never_too_dim_to_be_recognised(now: float) -> None:
    assert level(Effect.PULSE, now) >= PULSE_FLOOR - 1e-9


@pytest.mark.parametrize("start", [0.0, 4.0, 86_400.0])
def test_a_pulse_is_brightest_at_its_start_dimmest_at_half_and_passes_each_half_way_between(start: float) -> None:
    half_way = (1 + PULSE_FLOOR) / 2
    steps = [level(Effect.PULSE, start + quarter * PERIOD / 4) for quarter in range(5)]

    assert steps == pytest.approx([1, half_way, PULSE_FLOOR, half_way, 1])


@pytest.mark.parametrize("start", [0.0, 4.0, 86_400.0])
def test_a_blinking_pixel_is_lit_for_half_of_each_period_and_dark_for_the_other(start: float) -> None:
    assert [level(Effect.BLINK, start + step / 2) for step in range(5)] == [1, 1, 0, 0, 1]


@pytest.mark.parametrize("effect", [Effect.PULSE, Effect.BLINK])
def test_two_frames_a_second_are_enough_to_see_that_a_pixel_moves(effect: Effect) -> None:
    assert len({round(level(effect, 0.1 + step * 0.5), 6) for step in range(4)}) >= 2


def test_effects_are_named_as_in_the_configuration() -> None:
    assert list(Effect) == ["steady", "pulse", "blink"]
