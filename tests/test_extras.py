"""What is missing is said in one line, with the command that mends it."""

import subprocess
import sys
from pathlib import Path

import pytest
from parts import PATIENCE

from apimon_node.errors import InstallError
from apimon_node.process import extras

SHIPPED = str(Path(__file__).parent.parent / "config.yaml")


def test_what_is_there_needs_no_word() -> None:
    extras.need("demo", "json", "yaml")


def test_what_is_missing_is_named_with_the_command_that_brings_it() -> None:
    with pytest.raises(InstallError, match=r"^nosuch1 and nosuch2 not installed: pip install 'apimon-node\[demo\]'$"):
        extras.need("demo", "json", "nosuch1", "nosuch2")


@pytest.mark.parametrize(
    ("args", "library", "extra"),
    [
        (["poll", "--config", SHIPPED], "jira", "jira"),
        (["demo"], "jira", "demo"),
        (["view", "--config", SHIPPED], "starlette", "view"),
        (["view", "--config", SHIPPED], "uvicorn", "view"),
    ],
)
def test_a_program_without_its_library_says_so_and_starts_nothing(args: list[str], library: str, extra: str) -> None:
    start = f"from apimon_node.commands.cli import main; sys.exit(main({args!r}))"
    code = f"import sys; sys.modules[{library!r}] = None; {start}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 1
    assert done.stderr == f"apimon-node: {library} not installed: pip install 'apimon-node[{extra}]'\n"
    assert done.stdout == ""
