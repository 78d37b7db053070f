"""The house, where import-linter (pyproject.toml) has no rule: which modules are pure, who owns which library."""

import ast
import builtins
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import PATIENCE

import apimon_node
from apimon_node.errors import ApimonError

ROOT = Path(apimon_node.__file__).parent

VALUES = frozenset(
    [
        "base64",
        "binascii",
        "bisect",
        "collections",
        "contextlib",
        "dataclasses",
        "difflib",
        "enum",
        "functools",
        "html",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "shlex",
        "struct",
        "types",
        "typing",
        "zlib",
    ]
)
"""Modules of the standard library that every module may use: they hold no clock, no file, no socket, no chance.

Of struct and zlib the same bytes come out whenever the same go in.
"""

PURE = frozenset(
    """
    errors clock text timing wire tickets.* picture.* contract.* home_assistant.* dashboard.* process.remarks
    config.explain config.jql config.settings machine.checks
    mqtt.faults mqtt.inbox mqtt.messages mqtt.outbox mqtt.presence mqtt.refusals mqtt.requests
    strip.driver strip.encoding strip.recovery strip.screen
    node.description node.device node.diagnosis node.display node.light node.node node.pollers node.quiet node.report
    poller.changes poller.poller poller.publication poller.schedule
    poller.jira.answer poller.jira.issues poller.jira.masking poller.jira.oauth2 poller.jira.overdue poller.jira.paging
    poller.jira.question poller.jira.refusals
    commands.acl commands.example commands.preview
    install.boot install.host install.pip install.places install.plan install.steps install.switch install.template
    """.split()  # noqa: SIM905 - one a line is too long a list to be read
)
"""What takes `now` as an argument and decides: of the world outside it may know dates as values, and nothing else."""

DATES = frozenset(["datetime", "email"])  # email.utils reads the dates of HTTP
PATHS = frozenset(["pathlib"])  # settings name files, and open none

OWNERS = {
    "paho": {"mqtt.connection"},
    "jira": {"poller.jira.session"},
    "requests": {"poller.jira.transport"},
    "urllib3": {"poller.jira.transport"},
    "yaml": {"config.reading"},
    "webcolors": {"config.scalars"},
    "wsproto": {"mqtt.websocket"},
    "rich": {"strip.terminal", "watch.*", "demo.*"},
    "amqtt": {"demo.*"},
    "starlette": {"view.server"},
    "uvicorn": {"view.server"},
    "_rpi_ws281x": {"strip.child"},
}

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__init__.py"
}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in FILES.items()}


def fits(module: str, names: frozenset[str] | set[str]) -> bool:
    """Tell whether a module is among names that may end in `*`."""
    return module in names or f"{module.partition('.')[0]}.*" in names or "*" in names


def imported(tree: ast.AST) -> Iterator[str]:
    """Give the full names of all that is imported anywhere in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(module: str) -> set[str]:
    """Give the modules of the package that a module imports."""
    names = {name.removeprefix("apimon_node.") for name in imported(TREES[module]) if name.startswith("apimon_node.")}
    known = {name if name in FILES else name.rpartition(".")[0] for name in names}
    return known - {""}  # the version


def outside(module: str) -> set[str]:
    """Give the outermost packages of others that a module imports."""
    return {name.partition(".")[0] for name in imported(TREES[module])} - {"apimon_node"}


@pytest.mark.parametrize("module", sorted(module for module in FILES if fits(module, PURE)))
def test_a_pure_module_knows_no_world_outside_and_none_that_does(module: str) -> None:
    assert outside(module) - VALUES - DATES <= (PATHS if module == "config.settings" else set())
    assert {name for name in own(module) if not fits(name, PURE)} == set()


def test_each_name_of_what_is_pure_is_one_of_a_module() -> None:
    assert {name for name in PURE if not any(fits(module, {name}) for module in FILES)} == set()


def test_no_pure_module_reads_the_clock_through_a_date() -> None:
    reads = {
        (module, node.attr)
        for module in FILES
        if fits(module, PURE)
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
        if not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }

    assert reads == set()


@pytest.mark.parametrize("library", OWNERS)
def test_an_outside_library_has_one_importer(library: str) -> None:
    importers = {module for module in FILES if library in outside(module)}

    assert {module for module in importers if not fits(module, OWNERS[library])} == set()


def test_every_outside_library_is_in_the_table_of_owners() -> None:
    strange = {name for module in FILES for name in outside(module)} - sys.stdlib_module_names

    assert strange <= set(OWNERS)


def test_packages_hold_no_code() -> None:
    for path in ROOT.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        rest = [node for node in body[1:] if not (path.parent == ROOT and isinstance(node, ast.Assign))]
        assert rest == [], path


def test_only_the_command_line_catches_everything() -> None:
    broad = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        if node.type is None
        or any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in ast.walk(node.type))
    }

    assert broad == {"commands.cli"}


def test_all_errors_of_the_package_have_one_root() -> None:
    names = [info.name for info in pkgutil.walk_packages([str(ROOT)], "apimon_node.") if info.name.count("demo") == 0]
    errors = {
        value
        for name in names
        if not name.endswith("__main__")
        for _, value in inspect.getmembers(importlib.import_module(name), inspect.isclass)
        if issubclass(value, BaseException) and value.__module__.startswith("apimon_node.")
    }

    assert {error.__name__ for error in errors} >= {"ConfigError", "PayloadError", "StripError", "BrokerError"}
    assert {error for error in errors if not issubclass(error, ApimonError)} == set()


def test_what_is_raised_is_of_that_root_or_a_bug() -> None:
    """An error of Python is a bug of the caller, or told to a caller nearby by a function that documents it."""
    allowed = {"ValueError", "RuntimeError", "KeyError"}
    raised = {
        (module, node.exc.func.id)
        for module, tree in TREES.items()
        if not module.startswith("demo.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
        if hasattr(builtins, node.exc.func.id)
    }

    assert {name for _, name in raised} <= allowed


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("node.node", {"jira", "requests", "rich", "amqtt", "paho", "yaml"}),
        (
            "node.app",
            {"jira", "requests", "rich", "amqtt", "yaml", "webcolors", "dataclasses", "subprocess", "asyncio"},
        ),
        ("mqtt.link", {"wsproto", "h11", "dataclasses"}),  # before it has dialled by websockets
        ("commands.cli", {"jira", "requests", "rich", "amqtt", "paho", "starlette", "uvicorn", "asyncio"}),
        ("config.schema", {"jira", "requests", "rich", "amqtt", "paho", "webcolors", "dataclasses"}),
        ("poller.poller", {"jira", "requests", "rich", "amqtt", "paho", "yaml"}),
        ("dashboard.sections", {"jira", "requests", "rich", "amqtt", "paho", "yaml"}),
        ("dashboard.fleet", {"jira", "requests", "rich", "amqtt", "paho", "yaml"}),
    ],
)
def test_an_import_does_not_load_what_a_small_machine_does_without(module: str, absent: set[str]) -> None:
    code = (
        "import sys; before = set(sys.modules)\n"  # a coverage tool brings modules of its own
        f"import apimon_node.{module}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)

    assert "apimon_node" in loaded.stdout.split()
    assert absent.isdisjoint(loaded.stdout.split())


@pytest.mark.parametrize("module", [module for module in FILES if not module.startswith(("demo.", "__main__"))])
def test_importing_a_module_does_nothing_but_define(module: str) -> None:
    for node in TREES[module].body:
        assert not isinstance(node, (ast.For, ast.While, ast.With, ast.Try)), f"{module}:{node.lineno}"
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), f"{module}:{node.lineno} calls something at import"
