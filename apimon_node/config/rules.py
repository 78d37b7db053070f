"""What belongs together in config.yaml: each rule looks at the values of a mapping, and notes what is wrong."""

import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from apimon_node.config.explain import seconds
from apimon_node.config.reading import Node, Problems, Values
from apimon_node.config.settings import AuthType, StripSettings, Transport
from apimon_node.picture.painting import MILLIAMPS_DARK, MILLIAMPS_LOWEST
from apimon_node.strip.child import DMA_CHANNELS, fit
from apimon_node.strip.drivers import HARDWARE

FLICKER = 6
"""Pixels below which a strip may flicker on rpi_ws281x, by reports of its users."""

PINS = "GPIO 18 or 12 (PWM), 13 or 19 (the second line of PWM), 21 (PCM) or 10 (SPI)"

SPI_PIN = 10
"""GPIO of /dev/spidev0.0's data line (MOSI), which ws281x can drive too."""

SPI_DEVICE = StripSettings._field_defaults["device"]

LOOPBACK = re.compile(r"http://(localhost|127(\.\d+){3}|\[::1\])(?![^:/])")
"""Addresses of this machine."""


class Keys(NamedTuple):
    """Which keys of `auth` go with a way to sign in: those it needs, with the reason, and those that it can have."""

    needed: Mapping[str, str]
    possible: tuple[str, ...]


USER = {"user": "signs a user in"}
SIGN_IN = {
    AuthType.PAT: Keys({}, ("token_file", "user")),
    AuthType.API_TOKEN: Keys(USER, ("token_file",)),
    AuthType.BASIC: Keys(USER, ("password_file",)),
    AuthType.OAUTH2: Keys(
        {"client_id": "signs a client in", "token_url": "gets its tokens there"},
        ("client_secret_file", "scope", "client_auth"),
    ),
    AuthType.NONE: Keys({}, ("user",)),
}
ALL_KEYS = tuple(dict.fromkeys(key for keys in SIGN_IN.values() for key in (*keys.needed, *keys.possible)))

GATEWAY = "https://api.atlassian.com/"
"""Where service accounts and API tokens with scopes reach Jira Cloud."""

HARDWARE_MILLIAMPS = 850
"""The limit of a real strip unless configured (WLED's default)."""

SMOOTH = 0.5
"""Seconds between two frames that the effects are made for; more often only costs."""


def transport(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Ask for what the way to the broker needs, and refuse what does not go with it."""
    kind = values["transport"]
    foreign = {Transport.TCP: ("path", "socket"), Transport.WEBSOCKETS: ("socket",)}
    for name in foreign.get(kind, ("host", "port", "path", "tls")):
        if values[name] is not None:
            problems.add(node, f"{path}.{name}", f"does not go with {kind}")
    if kind is Transport.UNIX and values["socket"] is None:
        problems.add(node, f"{path}.socket", "is missing: the file on which the broker listens")
    if kind is Transport.WEBSOCKETS and values["port"] is None:
        problems.add(node, f"{path}.port", "is missing: each broker has its own for websockets, mosquitto often 9001")


def certificate(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Refuse half of a certificate and its key."""
    for name, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if values[name] is None and values[other] is not None:
            problems.add(node, f"{path}.{name}", f"is missing: {other} needs it (one file may hold both)")


def pace(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Warn of a pace that only costs."""
    if values["render_interval"] < SMOOTH:
        problems.warn(
            node, f"{path}.render_interval", "below 0.5s the node and the strip work harder than they need to"
        )


def quiet_hours(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Refuse quiet hours that do not end, or do not begin."""
    if values["from"] == values["to"]:
        text = f"expected another time than from, got '{values['to']:%H:%M}': it would always be quiet, or never"
        problems.add(node, f"{path}.to", text)


def current(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Refuse a limit that leaves nothing for light; warn of one that the lowest level of all pixels passes."""
    limit, pixels = milliamps(values["max_milliamps"], values["driver"]), values["pixels"]
    dark, lit = pixels * MILLIAMPS_DARK, math.ceil(pixels * MILLIAMPS_LOWEST)
    written = f"got {limit}" if values["max_milliamps"] is not None else f"got none, which is {limit}"
    key = f"{path}.max_milliamps"
    if 0 < limit <= dark:
        text = f"expected 0 (no limit) or more than the {dark} mA that its pixels draw when dark, {written}"
        problems.add(node, key, f"{text}: write {lit} or more, as the supply allows")
    elif 0 < limit < lit:
        text = f"with all pixels lit the strip draws up to {lit} mA even at the lowest level, {written}"
        problems.warn(node, key, f"{text}: write {lit} or more, if the supply has it")


def milliamps(written: int | None, driver: str) -> int:
    """Return the limit in force, in mA: that of a real strip unless configured is what a Pi's supply has to spare."""
    if written is not None:
        return written
    return HARDWARE_MILLIAMPS if driver in HARDWARE else 0


def pins(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Ask for a pin where the driver needs one, and refuse what does not go with it."""
    driver, gpio = values["driver"], values["gpio"]
    if driver != "spi" and values["device"] is not None:
        problems.add(node, f"{path}.device", f"does not go with {driver}")
    if driver != "ws281x" and gpio is not None:
        pin = " (it drives the pin of its device: GPIO 10 of /dev/spidev0.0)" if driver == "spi" else ""
        problems.add(node, f"{path}.gpio", f"does not go with {driver}{pin}")
    if driver == "ws281x":
        if gpio is None:
            problems.add(node, f"{path}.gpio", f"is missing: {PINS}")
        if values["pixels"] < FLICKER:
            text = f"fewer than {FLICKER} may flicker with ws281x: name more than there are, or use spi"
            problems.warn(node, f"{path}.pixels", text)
    if "W" in (values["order"] or "") and driver == "terminal":
        problems.add(node, f"{path}.order", "a terminal has no white channel")


def dma(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Refuse DMA channels that belong to others."""
    dma, (best, *others) = values["dma"], DMA_CHANNELS
    if dma in others:
        text = f"the kernel may use channel {dma} at the same time: prefer {best}"
        problems.warn(node, f"{path}.dma", text)
    elif dma != best:
        reason = "the SD card uses it, and would be corrupted" if dma == 5 else "the kernel or the firmware uses it"  # noqa: PLR2004 - see DMA_CHANNELS
        problems.add(node, f"{path}.dma", f"expected {best}, got {dma}: {reason}")


def lines(values: Values, node: Node, _path: str, problems: Problems) -> None:
    """Refuse what the library would drop without a word: a second strip that is not on the other line of PWM."""
    places = [at for at, strip in enumerate(values["strips"]) if strip.driver == "ws281x"]
    pins = [values["strips"][at].gpio for at in places]
    if places and not fit(set(pins), len(pins)):
        text = (
            f"ws281x drives one strip, or two of which one is on GPIO 12 or 18 and the other on 13 or 19;"
            f" these are on {' and '.join(map(str, pins))}. Another strip can use the driver spi"
        )
        problems.add(_node_of(node, "strips", places[-1]), f"strips[{places[-1]}].gpio", text)


def devices(values: Values, node: Node, _path: str, problems: Problems) -> None:
    """Two strips cannot hang on one wire, nor can the two drivers share SPI0's pin."""
    taken: dict[object, str] = {}
    for at, strip in enumerate(values["strips"]):
        if strip.driver == "spi" or strip.gpio == SPI_PIN:
            device = SPI_DEVICE if strip.gpio == SPI_PIN else strip.device
            if device in taken:
                text = f"strip {taken[device]!r} is on {device} already"
                problems.add(_node_of(node, "strips", at), f"strips[{at}].device", text)
            taken[device] = strip.name


def ages(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Refuse ages between which no ticket can be."""
    younger, older = values["younger_than"], values["older_than"]
    if younger is not None and older is not None and younger <= older:
        text = f"expected more than older_than ({seconds(older)}), got {seconds(younger)}: no ticket is both"
        problems.add(node, f"{path}.younger_than", text)


def auth(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Ask for what the way to sign in needs, and refuse what belongs to another."""
    auth = values["type"]
    needed, possible = SIGN_IN[auth]
    for key, reason in needed.items():
        if values[key] is None:
            problems.add(node, f"{path}.{key}", f"is missing: {auth} {reason}")
    for key in ALL_KEYS:
        if key not in needed and key not in possible and values[key] is not None:
            problems.add(node, f"{path}.{key}", f"does not go with {auth}")


def client_secret_encrypted(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Warn of a client secret that others on the way can read."""
    if values["type"] is AuthType.OAUTH2 and _open(values["token_url"]):
        problems.warn(node, f"{path}.token_url", "is not https: the client secret goes unencrypted")


def sign_in_encrypted(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Warn of a sign-in that others on the way can read."""
    auth = values["auth"].type
    if auth is not AuthType.NONE and _open(values["url"]):
        problems.warn(node, f"{path}.url", f"is not https: what {auth} signs in with goes unencrypted")


def _open(url: str | None) -> bool:
    """Return whether what is sent to an address can be read on the way: it is neither https nor on this machine."""
    return url is not None and url.startswith("http:") and not LOOPBACK.match(url)


def site(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Warn of links to tickets that lead nowhere: browsers do not find tickets at Atlassian's gateway."""
    if values["site"] is None and values["url"].startswith(GATEWAY):
        text = "is not named: links to tickets need the address of your site, such as https://example.atlassian.net"
        problems.warn(node, f"{path}.site", text)


def validity(values: Values, node: Node, path: str, problems: Problems) -> None:
    """Refuse a validity that a failed poll outlasts."""
    least = 2 * values["interval"]
    if values["valid_for"] < least:
        problems.add(
            node,
            f"{path}.valid_for",
            f"expected at least twice the interval ({least:g}s), got {values['valid_for']:g}s",
        )


def validity_of_boards(values: Values, node: Node, _path: str, problems: Problems) -> None:
    """Refuse an interval of a board for which a failed poll outlasts the validity."""
    poller = values["poller"]
    for at, board in enumerate(values["boards"]):
        if poller is not None and board.interval is not None and poller.valid_for < 2 * board.interval:
            text = (
                f"expected at most half of poller.valid_for ({poller.valid_for:g}s) for board {board.name!r},"
                f" got {board.interval:g}s"
            )
            problems.add(_node_of(node, "boards", at), f"boards[{at}].interval", text)


def due_leaves(values: Values, node: Node, _path: str, problems: Problems) -> None:
    """Warn of rules whose outcome is not published."""
    if values["poller"] is None or "due" in values["poller"].fields:
        return
    for at, board in enumerate(values["boards"]):
        if board.overdue_after or board.due_date or board.sla:
            text = "nothing becomes overdue: poller.fields does not have due"
            problems.warn(_node_of(node, "boards", at), f"boards[{at}]", text)


def names(part: str, word: str) -> Callable[[Values, Node, str, Problems], None]:
    """Make the rule that no name of a part comes twice; `word` is what the part has."""

    def check(values: Values, node: Node, _path: str, problems: Problems) -> None:
        names = [item.name for item in values[part]]
        for at in (at for at, name in enumerate(names) if name in names[:at]):
            problems.add(_node_of(node, part, at), f"{part}[{at}].name", f"a {word} {names[at]!r} is there already")

    return check


def strips_have_a_node(values: Values, node: Node, _path: str, problems: Problems) -> None:
    """Refuse strips without a node."""
    if values["strips"] and values["node"] is None:
        problems.add(node, "node", "is missing: strips need a node with an id")


def strips_have_looks(values: Values, node: Node, _path: str, problems: Problems) -> None:
    """Refuse strips without looks."""
    if values["strips"] and not values["looks"]:
        problems.add(node, "looks", "is missing: without looks no ticket is drawn")


def poller_has_boards(values: Values, node: Node, _path: str, problems: Problems) -> None:
    """Refuse a poller without boards."""
    if values["poller"] is not None and not values["boards"]:
        problems.add(node, "boards", "is missing: the poller has nothing to ask for")


def discovery_is_apart(values: Values, node: Node, _path: str, problems: Problems) -> None:
    """Keep our topics out of where Home Assistant looks for devices: it would try to read them as such."""
    base, home = values["mqtt"].base_topic, values["home_assistant"]
    if home.enabled and f"{base}/".startswith(f"{home.discovery_prefix}/"):
        text = f"expected another topic than mqtt.base_topic ({base}), and none above it, got {home.discovery_prefix!r}"
        parts = {key.value: key for key, _ in node.value}
        at = parts.get("home_assistant") or parts["mqtt"]
        problems.add(at, "home_assistant.discovery_prefix", text)


def _node_of(root: Node, part: str, at: int) -> Node:
    items = next(value for key, value in root.value if key.value == part)
    node: Node = items.value[at]
    return node
