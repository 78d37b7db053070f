"""Effects: how bright a pixel is at a moment, as pure functions of time."""

import math
from enum import StrEnum


class Effect(StrEnum):
    """How a pixel moves, by the words of config.yaml and of the strips topic."""

    STEADY = "steady"
    PULSE = "pulse"
    BLINK = "blink"


PERIOD = 2.0
"""Seconds that an effect takes to begin anew, at the least."""

PHASES = 4
"""Frames in a period, at the least: with fewer a pulse may stand still, and a blink stay dark."""

PULSE_FLOOR = 0.12
"""The least share of its brightness that a pulsing pixel has: it must stay recognisable."""


def period(interval: float) -> float:
    """Seconds that an effect takes on a strip that is written every `interval` seconds."""
    return max(PERIOD, PHASES * interval)


def level(effect: Effect, now: float, period: float = PERIOD) -> float:
    """Share of its full brightness (0 to 1) that a pixel with `effect` has at `now` (monotonic seconds)."""
    phase = now % period / period
    match effect:
        case Effect.STEADY:
            return 1.0
        case Effect.PULSE:
            return PULSE_FLOOR + (1 - PULSE_FLOOR) * (1 + math.cos(math.tau * phase)) / 2
        case Effect.BLINK:
            return 1.0 if phase < 0.5 else 0.0  # noqa: PLR2004 - half of the period
