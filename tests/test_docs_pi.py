"""What the pages ask people to type and tell them to see, held against argparse, the units, the plans and mosquitto."""

import os
import pwd
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import Mosquitto
from ports import free_port
from test_install import FRESH, wanted
from test_link import is_down, is_up, until

from apimon_node.clock import Instant
from apimon_node.commands import cli
from apimon_node.config import schema
from apimon_node.config.explain import explain
from apimon_node.install import places
from apimon_node.install.plan import plan, release, started
from apimon_node.install.switch import Release, switch
from apimon_node.machine import checks
from apimon_node.machine.checks import Finding, Level, check_strips
from apimon_node.mqtt.messages import Down, Up
from apimon_node.mqtt.participant import link_to_broker
from apimon_node.node.node import Node
from apimon_node.poller.poller import Poller

PAGES = ("README.md", *sorted(map(str, Path("docs").glob("*.md"))))
TEXTS = {page: Path(page).read_text(encoding="utf-8") for page in PAGES}
PI = TEXTS["docs/tutorial-pi.md"]

OPERATORS = frozenset(["&&", "||", ";", "|", ">", "<", "&"])


def blocks(page: str, kind: str) -> list[str]:
    """Give the blocks of a kind, without the spaces of a list before them."""
    found = re.findall(rf"^( *)(?:\d\. )?```{kind}\n(.*?)^ *```", TEXTS[page], re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def typed(page: str) -> Iterator[list[str]]:
    """Give the commands of a page, word by word."""
    for block in blocks(page, "sh"):
        script = re.sub(r"<<(\w+)\n.*?^\1$", "", block.replace("\\\n", " "), flags=re.DOTALL | re.MULTILINE)
        for line in script.splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, ";"]:
                if word not in OPERATORS:
                    words.append(word)
                elif words:
                    yield words
                    words = []


def arguments_of(words: list[str]) -> list[str]:
    """Give the arguments of apimon-node, if that is what a command starts."""
    for at, word in enumerate(words):
        if word.split("/")[-1] == "apimon-node" and not {"systemctl", "journalctl"} & {*words}:
            return words[at + 1 :]
    return []


def ours(page: str) -> Iterator[list[str]]:
    """Give the arguments of each apimon-node that a page lets people type."""
    yield from filter(None, map(arguments_of, typed(page)))


@pytest.mark.parametrize("command", sorted({shlex.join(arguments) for page in PAGES for arguments in ours(page)}))
def test_every_command_of_the_pages_is_one(command: str) -> None:
    assert cli._parser().parse_args(shlex.split(command)).run


@pytest.mark.parametrize("page", PAGES)
def test_tutorials_and_whoever_types_sudo_name_the_configuration(page: str) -> None:
    tutorial = "tutorial" in page or "from-apimon" in page
    lines = [words for words in typed(page) if tutorial or "sudo" in words]
    unnamed = [
        arguments
        for arguments in map(arguments_of, lines)
        if arguments and getattr(cli._parser().parse_args(arguments), "config", "no such option") is None
    ]

    assert unnamed == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_in_a_sentence_is_one(page: str) -> None:
    parser = cli._parser()
    (commands,) = [action.choices for action in parser._actions if isinstance(action.choices, dict)]
    named = re.findall(r"`(?:sudo )?(?:\.venv/bin/)?apimon-node ([a-z]+)((?: [^`]*)?)`", TEXTS[page])

    assert [verb for verb, _ in named if verb not in commands] == []
    for verb, rest in named:
        known = commands[verb]._option_string_actions
        unknown = [option for option in re.findall(r"(?<![\w-])--[a-z-]+", rest) if option not in known]
        assert unknown == [], verb


@pytest.mark.parametrize("page", PAGES)
def test_every_unit_that_is_named_is_there(page: str) -> None:
    named = re.findall(r"\bapimon-(?:node|poller|strip)(?:@\w*)?\.(?:service|socket)\b", TEXTS[page])
    for words in typed(page):
        if {"systemctl", "journalctl"} & {*words}:
            named += [word for word in words if re.match(r"apimon-(node|poller|strip)", word)]
    files = {re.sub(r"@\w*", "@", name if "." in name else f"{name}.service") for name in named}

    assert sorted(name for name in files if not Path("systemd", name).exists()) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_credential_that_is_named_is_one_of_a_unit(page: str) -> None:
    units = "".join(path.read_text(encoding="utf-8") for path in Path("systemd").glob("*.service"))
    known = set(re.findall(r"^LoadCredential=([\w-]+):", units, re.MULTILINE))
    named = re.findall(r"/etc/apimon/credentials/(?:kitchen/)?(\w+-[\w-]+)", TEXTS[page])

    assert set(named) <= known
    assert re.findall(r"/run/credentials/(?!apimon-[\w@]+\.service/mqtt-key)\S+", TEXTS[page]) == []


def slug(heading: str) -> str:
    """Give the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w -]", "", re.sub(r"[`*]", "", heading).lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_links_into_a_page_lead_to_a_heading(page: str) -> None:
    lost = []
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", TEXTS[page]):
        path = Path(page).parent / target if target else Path(page)
        text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        if path.suffix == ".md" and anchor not in map(slug, re.findall(r"^#+ (.*)$", text, re.MULTILINE)):
            lost.append(f"{target}#{anchor}")

    assert lost == []


# Configurations


@pytest.mark.parametrize("page", ["docs/howto.md", "docs/tutorial-pi.md"])
def test_every_configuration_of_a_machine_is_one(page: str) -> None:
    files = [block for block in blocks(page, "yaml") if block.startswith("# /etc/apimon/") or page != "docs/howto.md"]

    assert len(files) >= 2
    for text in files:
        assert schema.parse(text)[1] == []


def test_the_page_in_the_browser_has_a_configuration() -> None:
    (text,) = re.findall(r"^echo '(.*)' > view.yaml$", PI, re.MULTILINE)

    assert schema.parse(text)[0].mqtt.host == "hallway.local"


def test_two_nodes_on_one_pi_share_no_strip_and_no_id() -> None:
    (kitchen,) = [text for text in blocks("docs/howto.md", "yaml") if text.startswith("# /etc/apimon/kitchen.yaml")]
    settings, _ = schema.parse(kitchen)

    assert settings.node is not None
    assert settings.node.id == "kitchen"
    assert str(settings.ws281x.socket) in Path("systemd/apimon-strip.socket").read_text(encoding="utf-8")


# What one sees


def text_blocks() -> list[str]:
    return [block.strip() for block in blocks("docs/tutorial-pi.md", "text")]


def test_the_installation_says_what_the_tutorial_shows() -> None:
    before, question, after, *_ = text_blocks()
    wish = wanted("node", "poller")
    steps = plan(FRESH, wish)
    built = switch(FRESH, Release("0.1.0-1", wish.shipped.placed(spi=False)))
    what = list(dict.fromkeys(step.what for step in [*built, *steps[1:], *started(steps)]))
    building, *done = before.splitlines()
    (asked,) = [step.what for step in steps if step.diff]
    lines = [line.removeprefix("done        ") for line in [*done, *after.splitlines()]]

    assert building == f"now         {release(FRESH, wish.source, wish.roles).what}"
    assert question == f"{asked}? [y/N]"
    lines.insert(len(done), asked)
    assert [line for line in what if line in lines] == lines, "it says these, and in this order"


def test_check_and_doctor_say_what_the_tutorial_shows() -> None:
    *_, checked, examined = text_blocks()
    settings = wanted("node", "poller").settings
    machine = checks.Machine(
        "Raspberry Pi Zero W Rev 1.1",
        checks.Pi.ZERO_W,
        user="pi",
        devices={"/dev/spidev0.0": checks.Device(allowed=True)},
        boot=checks.Boot(checks.CONFIG, spi=True, core_freq=250),
    )
    problem = nobody_publishes()
    (strip,) = check_strips(settings, machine)
    lines = [
        Finding("config", Level.OK, places.CONFIG),
        Finding("machine", Level.OK, f"{machine.model}, seen as user {machine.user}"),
        strip,
        Finding("broker", Level.OK, "localhost:1883 lets us in, by MQTT 5"),
        Finding("node hallway", Level.PROBLEM, problem),
    ]

    assert checked in list(explain(settings))
    assert examined.splitlines() == [checks.line(finding) for finding in lines]


def nobody_publishes() -> str:
    """Give what a node says that has just been installed."""
    node = Node(wanted("node").settings, Instant(0, 1_764_000_000), lambda: 0.5)
    node.receive(Up("localhost:1883", "5", ()), Instant(0, 1_764_000_000))
    node.frames(Instant(10, 1_764_000_010))
    said = [remark.text for remark in node.remarks()]
    assert "`connected to localhost:1883 by MQTT 5`" in TEXTS["docs/howto.md"]
    assert said[0] == "connected to localhost:1883 by MQTT 5"
    return said[1]


def test_a_poller_that_is_well_says_what_the_tutorial_shows() -> None:
    now = Instant(0, 1_764_000_000)
    poller = Poller(wanted("node", "poller").settings, now, lambda: 0.5)
    for board in poller.due(Instant(10, 1_764_000_010)):  # all within 5 s
        poller.answered(board, (), None, now)

    assert f'`Status: "{poller.summary()}"`' in PI


# The broker for others


@pytest.fixture
def recipe(tmp_path: Path) -> tuple[Path, str]:
    """Follow step 6, below a folder and without root; give that and the broker's configuration."""
    (script,) = [block for block in blocks("docs/tutorial-pi.md", "sh") if "mosquitto_passwd" in block]
    bare = script.replace("sudo ", "").replace("/etc/", f"{tmp_path}/etc/").replace("passwd -c", "passwd -b -c")
    bare = re.sub(r"^(chown|systemctl) .*", "", bare, flags=re.MULTILINE).replace(
        "passwd apimon", "passwd apimon hunter2"
    )
    (tmp_path / "etc/mosquitto/conf.d").mkdir(parents=True)
    subprocess.run(["sh", "-euc", bare], check=True, capture_output=True)
    return tmp_path, (tmp_path / "etc/mosquitto/conf.d/apimon.conf").read_text(encoding="utf-8")


@pytest.mark.parametrize(("password", "well"), [("hunter2", True), ("wrong", False)])
def test_the_broker_of_the_tutorial_lets_in_who_knows_the_password(
    recipe: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, password: str, *, well: bool
) -> None:
    folder, conf = recipe
    port, user = free_port(), pwd.getpwuid(os.geteuid()).pw_name
    (text,) = [block for block in blocks("docs/tutorial-pi.md", "yaml") if block.startswith("mqtt:")]
    settings, _ = schema.parse(text.replace("host: localhost", f"host: 127.0.0.1, port: {port}"))
    (folder / "mqtt-password").write_text(f"{password}\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    with Mosquitto(folder, f"user {user}\n{conf.replace('listener 1883', f'listener {port} 127.0.0.1')}") as broker:
        broker.wait_for(port)
        with link_to_broker(settings, "apimon-node-hallway", None, ["apimon/#"]) as link:
            (event,) = until(link, lambda event: is_up(event) or is_down(event))

    assert isinstance(event, Down) is not well
