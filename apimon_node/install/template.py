"""The configuration to begin with: the shipped file, with this machine's name and the driver of its strip. Pure."""

import re

from apimon_node.install.host import NODE, SPI, WS281X
from apimon_node.install.places import STRIP_SOCKET
from apimon_node.machine.checks import Pi

WS281X_PIN = "18"
"""The pin of PWM that the wiring in docs/hardware.md takes first."""


def first(config: str, wanted: frozenset[str], pi: Pi, name: str) -> str:
    """Return the configuration of this machine. Two of the same id would throw each other off the broker."""
    if named := as_id(name):
        config = _set(_set(config, "node", "id", named), "poller", "id", named)
    return _with_driver(config, wanted, pi) if NODE in wanted else config


def as_id(name: str) -> str:
    """Make an id of a host's name, or nothing, where it has none of its own."""
    found = re.sub(r"[^a-z0-9_]+", "-", name.lower().partition(".")[0]).strip("-")
    return "" if found == "localhost" else found


def _with_driver(config: str, wanted: frozenset[str], pi: Pi) -> str:
    """Choose a driver for the strip. A service has no terminal; where there is no strip, memory stands for it."""
    if WS281X in wanted:
        config = _set(config, "strips", "driver", WS281X)
        config = _set(config, "strips", "gpio", WS281X_PIN)
        return _set(config, "ws281x", "socket", STRIP_SOCKET)
    return _set(config, "strips", "driver", SPI if SPI in wanted or pi is not Pi.NONE else "memory")


def _set(text: str, section: str, key: str, value: str) -> str:
    """Return the first key of this name in a section another value; its comment stays in its column."""
    head, mark, body = text.partition(f"\n{section}:\n")
    old = re.compile(rf"^( +(?:- )?{key}: )(\S+ *)", re.MULTILINE)
    return head + mark + old.sub(lambda found: found[1] + f"{value} ".ljust(len(found[2])), body, count=1)
