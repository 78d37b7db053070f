"""What the tour breaks, and how: a button for each part of the demo that can fail."""

import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from apimon_node.demo.jira import Account, JiraServer
from apimon_node.demo.life import Life
from apimon_node.demo.processes import DemoError, Processes
from apimon_node.demo.strip import Strip
from apimon_node.demo.tour import Button

FLOOD = 3000
"""Tickets."""

ACCOUNT = Account("demo", "demo")
"""It opens nothing but the demo's own Jira."""

REVOKED = Account("demo", "another")


class Parts(NamedTuple):
    """What can be broken. `start_broker` starts it on the port that it has always had."""

    processes: Processes
    start_broker: Callable[[], subprocess.Popen[bytes]]
    jira: JiraServer
    strip: Strip
    life: Life


def buttons(parts: Parts) -> list[Button]:
    """Make the buttons, in the order of the tour."""
    return [_broker(parts), *_jira(parts.jira), *_strip(parts.strip), _board(parts.life)]


def _broker(parts: Parts) -> Button:
    return Button(
        name="broker",
        label="Kill the broker",
        mend_label="Start the broker",
        text="Within two seconds the first pixel pulses orange; the tickets stay. A new broker knows nothing: when it"
        " is there, node and poller say everything again.",
        broken=partial(parts.processes.killed, "broker"),
        break_=partial(parts.processes.kill, "broker"),
        mend=parts.start_broker,
    )


def _jira(jira: JiraServer) -> list[Button]:
    def start() -> None:
        try:
            jira.start()
        except OSError as err:
            raise DemoError(f"cannot start Jira again: {err.strerror}") from None

    def sign_in(account: Account) -> None:
        jira.account = account

    stop = Button(
        name="jira",
        label="Stop Jira",
        mend_label="Start Jira",
        text="The poller cannot connect, and the first pixel pulses orange. After half a minute the tickets are too"
        " old, and dimmed. The poller tries again after 1, 2, 4, … seconds.",
        broken=lambda: not jira.running,
        break_=jira.stop,
        mend=start,
    )
    revoke = Button(
        name="token",
        label="Revoke the token",
        mend_label="Make the token valid again",
        text="Jira answers 401: the poller says that the sign-in is refused, and the first pixel pulses orange. The"
        " poller tries again after 1, 2, 4, … seconds.",
        broken=lambda: jira.account == REVOKED,
        break_=partial(sign_in, REVOKED),
        mend=partial(sign_in, ACCOUNT),
    )
    return [stop, revoke]


def _strip(strip: Strip) -> list[Button]:
    unplug = Button(
        name="strip",
        label="Unplug the strip",
        mend_label="Plug the strip in",
        text="The strip is dark, and the node says what the driver says. It tries again after 1, 2, 4, … at most 60"
        " seconds, and then draws the whole picture.",
        broken=lambda: not strip.plugged,
        break_=strip.unplug,
        mend=strip.plug,
    )
    crash = Button(
        name="driver",
        label="Crash the driver",
        mend_label="It recovers by itself",
        text="The process with the C library gets a SIGSEGV. The node says so, and goes on; a second later a fresh"
        " process draws the whole picture.",
        broken=lambda: strip.crashing,
        break_=strip.crash,
        mend=None,
    )
    return [unplug, crash]


def _board(life: Life) -> Button:
    return Button(
        name="flood",
        label="Flood the board",
        mend_label="Delete the flood",
        text=f"{FLOOD:,} tickets come in at once. They are scaled to the strip, and its last pixel pulses white: there"
        " is more than it can show.",
        broken=lambda: life.flooded,
        break_=lambda: life.flood(time.time(), FLOOD),
        mend=life.drain,
    )
