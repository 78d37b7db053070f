"""The house: who may know whom, which modules are pure, who owns which library. The table is its documentation."""

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

TABLE = """
module           | of our own                                                 | of the world outside

errors           |                                                            |
instant          |                                                            |
backoff          |                                                            |
wire             | errors                                                     | datetime
tickets.snapshot | errors wire                                                |
tickets.board    | instant wire tickets.snapshot                              |
picture.effects  |                                                            |
picture.looks    | picture.effects tickets.snapshot                           |
picture.wording  | picture.looks                                              |
picture.layout   | picture.effects picture.looks                              |
picture.painting | picture.effects picture.looks picture.layout               |
picture.patterns | picture.effects picture.looks picture.layout               |
picture.scene    | picture.effects picture.looks picture.layout               |
picture.image    | picture.effects picture.looks picture.layout               |
picture.svg      | picture.effects picture.layout                             |
settings         | picture.effects picture.looks picture.scene tickets.snapshot             | datetime pathlib
explain          | picture.looks settings tickets.snapshot picture.wording |
example          | picture.looks tickets.snapshot                             |
description      | settings picture.effects picture.looks picture.wording     |
faults           | instant wire                                               |
logs             | faults settings                                            | logging os socket sys
mqtt.messages    |                                                            |
mqtt.topics      |                                                            |
mqtt.outbox      | mqtt.messages                                              |
mqtt.inbox       | errors instant mqtt.messages                               |
mqtt.announcement | settings mqtt.messages                                    |
mqtt.home_assistant | wire settings mqtt.messages mqtt.topics                 |
mqtt.home_assistant_node | settings mqtt.messages mqtt.topics mqtt.home_assistant |
mqtt.home_assistant_poller | settings mqtt.messages mqtt.topics mqtt.home_assistant |
request          | errors instant wire faults settings mqtt.messages mqtt.outbox mqtt.topics |
strip.encoding   |                                                            |
strip.driver     |                                                            |
strip.recovery   | errors backoff                                             |
strip.screen     | errors strip.recovery                                      |
pollers          | errors wire mqtt.messages mqtt.topics                      |
pace             |                                                            |
presence         | instant                                                    |
diagnosis        | instant faults presence pollers mqtt.refusals mqtt.topics picture.painting tickets.board |
light            | errors wire faults pace request settings picture.scene mqtt.messages mqtt.outbox mqtt.topics |
quiet            | instant settings picture.scene                             | datetime
display          | settings picture.*                                         |
preview          | explain example settings display tickets.snapshot picture.effects picture.layout picture.looks picture.painting picture.scene picture.svg picture.wording |
device           | errors instant settings display strip.driver strip.recovery strip.screen |
report           | instant wire device                                        |
node             | errors instant wire faults pace presence diagnosis light quiet report settings description display device strip.driver pollers request tickets.* picture.* mqtt.messages mqtt.topics mqtt.inbox mqtt.outbox mqtt.announcement mqtt.home_assistant_node |
poller.jql       |                                                            |
poller.answer    | wire tickets.snapshot                                      | datetime
poller.overdue   | settings tickets.snapshot poller.answer                    | datetime
poller.question  | errors wire settings poller.answer poller.jql              |
poller.issues    | errors wire settings tickets.snapshot poller.answer poller.overdue | datetime
poller.masking   |                                                            | base64 html
poller.refusals  | errors poller.masking                                      | datetime email
poller.paging    | errors poller.refusals                                     |
poller.oauth2    | errors settings poller.refusals                            |
poller.schedule  | errors backoff                                             |
poller.changes   | tickets.snapshot                                           |
poller.publication | instant wire settings tickets.snapshot mqtt.messages mqtt.topics poller.changes |
poller.poller    | errors instant wire faults presence settings request mqtt.refusals tickets.snapshot mqtt.messages mqtt.topics mqtt.inbox mqtt.outbox poller.publication poller.schedule mqtt.announcement mqtt.home_assistant_poller |

dashboard.words  |                                                            |
dashboard.advice | errors                                                     |
dashboard.overview | picture.effects picture.looks picture.scene                |
dashboard.memo   |                                                            |
dashboard.fields | errors wire picture.looks dashboard.words                  |
dashboard.payloads | errors wire settings mqtt.topics picture.effects picture.layout picture.looks picture.painting picture.scene poller.changes dashboard.advice dashboard.fields dashboard.overview dashboard.words |
dashboard.boards | instant picture.looks tickets.board tickets.snapshot dashboard.overview dashboard.words |
dashboard.history | dashboard.boards dashboard.overview                        |
dashboard.pixels | display picture.effects picture.layout picture.looks picture.painting picture.scene tickets.snapshot dashboard.boards dashboard.overview dashboard.payloads |
dashboard.nodes  | picture.scene dashboard.overview dashboard.payloads        |
dashboard.heard  | errors instant light mqtt.inbox mqtt.messages mqtt.topics tickets.snapshot dashboard.fields dashboard.overview dashboard.payloads dashboard.words |
dashboard.fleet  | instant mqtt.messages picture.looks picture.scene tickets.snapshot dashboard.words dashboard.boards dashboard.fields dashboard.heard dashboard.history dashboard.memo dashboard.nodes dashboard.overview dashboard.payloads dashboard.pixels |
dashboard.sections | wire picture.effects picture.looks picture.scene dashboard.boards dashboard.memo dashboard.overview |
view.address     | errors                                                     | ipaddress
view.feed        | wire                                                       | asyncio
view.server      | errors background view.address view.feed                   | asyncio pathlib socket starlette uvicorn
view.app         | wire app service settings mqtt.link dashboard.fleet dashboard.sections view.address view.feed view.server | logging socket

acl              | errors instant settings node mqtt.topics mqtt.home_assistant poller.poller |

strip.memory     | errors strip.driver                                        |
strip.terminal   | errors picture.painting strip.driver                       | select sys rich
strip.spi        | errors strip.driver strip.encoding                                       | errno fcntl os pathlib struct
strip.child      |                                                            | os signal struct sys _rpi_ws281x
strip.codes      | errors strip.child                                         |
strip.ws281x     | errors strip.child strip.codes strip.driver                | os pathlib signal socket subprocess sys time
strip.users      |                                                            | json os pathlib pwd socket
strip.serve      | errors service strip.child strip.users strip.ws281x        | logging os pathlib select signal socket struct subprocess time
strip.drivers    | settings extras strip.*                                    | importlib os
extras           | errors                                                     | importlib
background       |                                                            | select socket threading
poller.shared    | errors                                                     | threading
poller.transport | errors poller.refusals                                     | io logging socket ssl threading traceback requests urllib3
poller.password  | errors wire                                                | hmac secrets threading time
poller.sign_in   | errors settings poller.oauth2 poller.password poller.refusals poller.shared poller.transport | base64 time
poller.session   | errors poller.masking poller.refusals poller.paging poller.sign_in poller.transport | time jira
poller.client    | errors settings poller.paging poller.shared poller.sign_in poller.session | time
mqtt.refusals    | wire settings                                              |
mqtt.websocket   |                                                            | base64 hashlib os
mqtt.transport   | errors settings mqtt.refusals mqtt.websocket               | pathlib socket ssl time
mqtt.connection  | errors settings mqtt.messages mqtt.refusals mqtt.transport | select time paho
mqtt.link        | background backoff settings mqtt.messages mqtt.refusals mqtt.connection | select time random
credentials      | errors                                                     | os pathlib stat
values           | picture.looks poller.jql                                   | datetime webcolors zoneinfo
reading          | errors values                                              | pathlib yaml
rules            | settings explain reading picture.painting strip.child strip.drivers |
config           | errors settings values reading rules picture.* strip.child strip.drivers tickets.snapshot | datetime os pathlib pwd stat
service          | errors                                                     | os signal socket sys time
checks           | settings strip.encoding                                    |
machine          | checks                                                     | grp importlib os pathlib pwd stat
app              | errors instant faults logs settings credentials service machine checks device node request strip.driver strip.drivers mqtt.link mqtt.messages mqtt.refusals | logging secrets time random
poller.app       | errors settings credentials extras service background app poller.* tickets.snapshot | logging random
doctor           | errors wire settings credentials extras background machine checks app poller.app tickets.snapshot mqtt.link mqtt.messages mqtt.topics | select
cli              | acl preview picture.wording errors config logs settings values wire app poller.app explain tickets.snapshot mqtt.messages mqtt.topics mqtt.home_assistant mqtt.home_assistant_node mqtt.home_assistant_poller demo.demo doctor checks strip.drivers strip.serve watch.app extras view.address view.app install.cli | argparse logging os pathlib sys time
watch.strips     | dashboard.overview instant picture.effects picture.looks strip.terminal | rich
watch.drawing    | dashboard.overview instant picture.effects watch.strips | datetime rich
watch.screen     | dashboard.overview errors instant strip.terminal watch.drawing watch.strips | rich sys
watch.app        | app dashboard.fleet service settings watch.screen |
install.places   |                                                            |
install.steps    |                                                            |
install.host     | checks settings install.places                             |
install.boot     | checks settings strip.encoding                             |
install.template | checks install.host install.places                         |
install.plan     | settings install.boot install.host install.places install.steps |
install.switch   | install.host install.places install.plan install.steps     |
install.pip      | install.host                                               |
install.source   | errors install.host install.pip                            | importlib pathlib urllib
install.releases | errors install.host install.pip install.places install.source | hashlib importlib os pathlib shutil subprocess sys tempfile
install.systemd  | errors install.plan                                        | shutil subprocess time
install.edge     | errors machine install.host install.places install.plan install.releases install.steps install.systemd | importlib os pathlib shutil sysconfig
install.change   | errors install.edge install.host install.places install.releases install.steps install.switch | signal
install.commands | errors config install.*                                    | fcntl os pathlib sys
install.cli      | errors install.change install.commands install.edge        | argparse sys

__main__         | cli                                                        | sys
demo.*           | *                                                          | *
"""  # noqa: E501 - a table

VALUES = frozenset(
    [
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
    [
        "errors",
        "instant",
        "backoff",
        "wire",
        "tickets.snapshot",
        "tickets.board",
        "picture.effects",
        "picture.looks",
        "picture.wording",
        "picture.layout",
        "picture.painting",
        "picture.patterns",
        "picture.scene",
        "picture.image",
        "picture.svg",
        "description",
        "explain",
        "example",
        "preview",
        "faults",
        "mqtt.messages",
        "mqtt.topics",
        "mqtt.outbox",
        "mqtt.refusals",
        "mqtt.inbox",
        "mqtt.announcement",
        "mqtt.home_assistant",
        "mqtt.home_assistant_node",
        "mqtt.home_assistant_poller",
        "request",
        "checks",
        "strip.encoding",
        "strip.driver",
        "strip.recovery",
        "strip.screen",
        "pollers",
        "pace",
        "presence",
        "diagnosis",
        "light",
        "quiet",
        "report",
        "display",
        "device",
        "node",
        "poller.jql",
        "poller.answer",
        "poller.overdue",
        "poller.question",
        "poller.issues",
        "poller.masking",
        "poller.refusals",
        "poller.paging",
        "poller.oauth2",
        "poller.schedule",
        "poller.changes",
        "poller.publication",
        "poller.poller",
        "acl",
        "dashboard.words",
        "dashboard.advice",
        "dashboard.overview",
        "dashboard.memo",
        "dashboard.fields",
        "dashboard.payloads",
        "dashboard.boards",
        "dashboard.history",
        "dashboard.pixels",
        "dashboard.nodes",
        "dashboard.heard",
        "dashboard.fleet",
        "dashboard.sections",
        "install.places",
        "install.steps",
        "install.host",
        "install.boot",
        "install.template",
        "install.plan",
        "install.switch",
        "install.pip",
    ]
)
"""What takes `now` as an argument and decides: of the world outside it may know dates as values, and nothing else."""

OWNERS = {
    "paho": {"mqtt.connection"},
    "jira": {"poller.session"},
    "requests": {"poller.transport"},
    "urllib3": {"poller.transport"},
    "yaml": {"reading"},
    "webcolors": {"values"},
    "rich": {"strip.terminal", "watch.*", "demo.*"},
    "amqtt": {"demo.*"},
    "starlette": {"view.server"},
    "uvicorn": {"view.server"},
    "_rpi_ws281x": {"strip.child"},
}

ROWS = {
    module: (frozenset(own.split()), frozenset(outside.split()))
    for module, own, outside in ([cell.strip() for cell in line.split("|")] for line in TABLE.splitlines()[2:] if line)
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


def row_of(module: str) -> tuple[frozenset[str], frozenset[str]]:
    name = module if module in ROWS else f"{module.partition('.')[0]}.*"
    assert name in ROWS, f"{module} is new: give it a row in the table"
    return ROWS[name]


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


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_what_its_row_allows(module: str) -> None:
    ours, theirs = row_of(module)

    assert {name for name in own(module) if not fits(name, ours)} == set()
    assert {name for name in outside(module) - VALUES if not fits(name, theirs)} == set()


@pytest.mark.parametrize("module", [module for module in ROWS if "*" not in module])
def test_a_row_allows_nothing_that_its_module_does_without(module: str) -> None:
    ours, theirs = ROWS[module]

    assert module in FILES
    assert {name for name in ours - {"*"} if not any(fits(used, {name}) for used in own(module))} == set()
    assert theirs <= outside(module)


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_knows_no_world_outside_and_none_that_does(module: str) -> None:
    ours, theirs = ROWS[module]

    assert theirs <= {"datetime", "email", "base64", "html"}  # email.utils reads the dates of HTTP
    assert {name for name in own(module) if not fits(name, PURE | {"settings"})} == set(), ours


def test_no_pure_module_reads_the_clock_through_a_date() -> None:
    reads = {
        (module, node.attr)
        for module in PURE
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


def test_nothing_goes_round_in_a_circle() -> None:
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " → ".join((*way, module))
        if module not in done:
            for name in own(module) & set(FILES):
                visit(name, (*way, module))
            done.add(module)

    for module in FILES:
        visit(module, ())
    assert done == set(FILES)


def test_only_the_command_line_catches_everything() -> None:
    broad = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        if node.type is None
        or any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in ast.walk(node.type))
    }

    assert broad == {"cli"}


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
        ("node", {"jira", "requests", "rich", "amqtt", "paho", "yaml"}),
        ("app", {"jira", "requests", "rich", "amqtt", "yaml", "webcolors", "dataclasses", "subprocess", "asyncio"}),
        ("cli", {"jira", "requests", "rich", "amqtt", "paho", "starlette", "uvicorn", "asyncio"}),
        ("config", {"jira", "requests", "rich", "amqtt", "paho", "webcolors", "dataclasses"}),
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
