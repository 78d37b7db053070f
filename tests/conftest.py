"""Fixtures: the real parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from parts import Mosquitto, Observer

# A test is no benchmark, a busy machine no failure, and examples of other runs do not decide about this one.
settings.register_profile("apimon", deadline=None, database=None)
settings.load_profile("apimon")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as mosquitto:
        yield mosquitto


@pytest.fixture
def observer(broker: Mosquitto) -> Iterator[Observer]:
    with Observer(broker.port) as observer:
        yield observer
