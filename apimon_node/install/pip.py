"""What pip is asked for, and what its many words mean in one line. Pure."""

import re
from collections.abc import Sequence

from apimon_node.install.host import COMPILED, COMPILER

PACKAGE = "apimon-node"

NAMED = re.compile(r"apimon[-_.]node\b(\[.*\])?(?P<version>.*)", re.IGNORECASE)

ARCHIVES = (".whl", ".zip", ".tar.gz")

OFFLINE = "the package index cannot be reached; is this machine online?"

CLOCK = "a certificate is not valid now: is this machine's clock right (timedatectl)?"

REASONS = (
    ("No space left on device", "the disk is full"),
    ("Temporary failure in name resolution", OFFLINE),
    ("Name or service not known", OFFLINE),
    ("NewConnectionError", OFFLINE),
    ("Network is unreachable", OFFLINE),
    ("certificate is not yet valid", CLOCK),
    ("certificate has expired", CLOCK),
    ("Could not resolve host", "its host is not known; is this machine online?"),
    ("requires a different Python", "it needs a newer Python than this system has: install a newer Raspberry Pi OS"),
    ("Cannot find command 'git'", "git is missing: sudo apt-get install git"),
    ("Python.h", f"{COMPILED}: {COMPILER}"),
    ("gcc' failed", f"{COMPILED}: {COMPILER}"),
    ("does not appear to be a Python project", "this is no source of apimon-node"),
    ("git clone", "git cannot get it: correct the URL, or the name after @"),
    ("git fetch", "git cannot get it: correct the URL, or the name after @"),
    ("git checkout", "git cannot get it: correct the URL, or the name after @"),
)
"""What keeps pip from it, by words of its own (pip 23 to 26), of git and of gcc; the first that is found."""


def is_local(source: str) -> bool:
    """Return whether a source is a path."""
    return "://" not in source and not NAMED.fullmatch(source) and not source.startswith("git+")


def requirement(source: str, extras: Sequence[str] = ()) -> str:
    """Write a source as pip takes it (PEP 508). A path must be a URL by now."""
    wanted = f"[{','.join(extras)}]" if extras else ""
    if named := NAMED.fullmatch(source):
        return f"{PACKAGE}{wanted}{named['version']}"
    git = not source.startswith(("git+", "file:")) and not source.partition("#")[0].endswith(ARCHIVES)
    return f"{PACKAGE}{wanted} @ {'git+' if git else ''}{source}"


def reason(output: str) -> str:
    """Return in one line why pip has failed: in our words where we know, else in its last ones."""
    for words, text in REASONS:
        if words in output:
            return text
    errors = [line.partition("ERROR: ")[2] or line for line in output.splitlines() if "ERROR" in line]
    last = (errors or output.split("\n") or [""])[-1].strip()
    return f"pip says: {last}" if last else "pip has failed without a word"
