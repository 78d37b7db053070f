"""What a configuration means, in words: the output of `apimon-node check`. Pure."""

from collections.abc import Iterator

from apimon_node.config.settings import (
    ALL_SLA,
    AuthSettings,
    BoardSettings,
    HomeAssistantSettings,
    MqttSettings,
    OverdueSince,
    PollerSettings,
    QuietHours,
    Settings,
    StripSettings,
    TlsSettings,
    Transport,
)
from apimon_node.picture.looks import Look, Match
from apimon_node.picture.wording import clauses, in_units, quantity
from apimon_node.tickets.snapshot import MAX_TICKETS, Ticket


def explain(settings: Settings) -> Iterator[str]:
    """Tell, a line for each thing, what the programs will do."""
    mqtt = settings.mqtt
    user = f", as user {mqtt.username}" if mqtt.username else ""
    yield f"broker    {_broker(mqtt)}, MQTT {mqtt.protocol}, topics below {mqtt.base_topic}/{user}"
    if settings.node is not None:
        yield (
            f"node      {settings.node.id}: at most a frame every {seconds(settings.node.render_interval)},"
            f" at least one every {seconds(settings.node.refresh_interval)}"
        )
        if settings.node.quiet_hours is not None:
            yield f"quiet     {quiet(settings.node.quiet_hours)}"
    for strip in settings.strips:
        yield f"strip     {strip.name}: {describe(strip)}"
    for number, look in enumerate(settings.looks, 1):
        yield f"look {number:<4} {_look(look)}"
    if settings.poller is not None:
        yield f"poller    {_poller(settings.poller)}"
    for board in settings.boards:
        yield f"board     {board.name}: {_board(board)}"
    if settings.node is not None or settings.poller is not None:
        yield f"discovery {_discovery(settings.home_assistant)}"


def seconds(value: float) -> str:
    """Write a duration as config.yaml has it."""
    number, unit = in_units(value)
    return f"{number:.10g}{unit[0]}"


def _discovery(home: HomeAssistantSettings) -> str:
    if not home.enabled:
        return "off: Home Assistant is told nothing"
    return f"as devices below {home.discovery_prefix}/, and again when {home.birth_topic} says online"


def _broker(mqtt: MqttSettings) -> str:
    """Return where the broker is, and how it is reached."""
    web = mqtt.transport is Transport.WEBSOCKETS
    where = f"{mqtt.address}{mqtt.path} by websockets" if web else mqtt.address
    if mqtt.transport is Transport.UNIX:
        where += " (unix)"
    return where if mqtt.tls is None else f"{where} {'over' if web else 'by'} TLS ({_known(mqtt.tls)})"


def _known(tls: TlsSettings) -> str:
    """Return how the broker is known, and how we are."""
    parts = [f"signed by {tls.ca_file or 'an authority that this system knows'}"]
    parts += [f"as {tls.server_name}"] if tls.server_name else []
    parts += [f"showing it {tls.cert_file}"] if tls.cert_file else []
    return ", ".join(parts)


def describe(strip: StripSettings) -> str:
    """Return what a strip is, and how it is driven."""
    parts = [f"{quantity(strip.pixels, 'pixel')} on {strip.driver}", f"boards {', '.join(strip.boards)}"]
    parts.append(f"brightness {strip.brightness:.0%}")
    parts.append(f"status pixel {strip.status_pixel}")
    if strip.max_milliamps:
        parts.append(f"at most {strip.max_milliamps} mA")
    if strip.reverse:
        parts.append("drawn from its far end")
    return "; ".join(parts)


def quiet(hours: QuietHours) -> str:
    """Return when the light is quiet, and what it does then."""
    zone = "this machine's time" if hours.time_zone is None else str(hours.time_zone)
    return f"from {hours.begin:%H:%M} to {hours.end:%H:%M} by {zone}: {hours.effect}"


def _look(look: Look) -> str:
    red, green, blue = look.color
    always = ", also in quiet hours" if look.always else ""
    return f"#{red:02x}{green:02x}{blue:02x} {look.effect or 'steady'}{always}: {_match(look.match)}"


def _match(match: Match) -> str:
    return ", ".join(f"{kind} {words}".strip() for kind, words in clauses(match, seconds)) or "every other ticket"


def _poller(poller: PollerSettings) -> str:
    asks = f"{poller.id}: asks {poller.jira.url} every {seconds(poller.interval)} ({_auth(poller.jira.auth)})"
    parts = [f"{asks}, what it publishes holds {seconds(poller.valid_for)}"]
    if poller.jira.site is not None:
        parts.append(f"links lead to {poller.jira.site}")
    if poller.time_zone is not None:
        parts.append(f"days end by {poller.time_zone}")
    leaving = [name for name in Ticket._fields if name in {"key", "status", *poller.fields}]
    parts.append(f"of a ticket leave Jira {', '.join(leaving)}")
    return "; ".join(parts)


def _auth(auth: AuthSettings) -> str:
    if auth.token_url is None:
        return auth.type
    host = auth.token_url.split("/")[2]
    return f"{auth.type} as client {auth.client_id} at token host {host}"


def _board(board: BoardSettings) -> str:
    rules = "; ".join(_overdue(board))
    parts = [board.jql, f"overdue {rules}" if rules else "nothing becomes overdue"]
    if board.interval is not None:
        parts.append(f"asked every {seconds(board.interval)}")
    if board.max_tickets < MAX_TICKETS:
        parts.append(f"at most {board.max_tickets} tickets")
    return "; ".join(parts)


def _overdue(board: BoardSettings) -> Iterator[str]:
    if board.overdue_after:
        after = ", ".join(f"{seconds(time)} in {status}" for status, time in board.overdue_after.items())
        since = " since it came into it" if board.overdue_since is OverdueSince.STATUS else ""
        yield f"after {after}{since}"
    if board.due_date:
        yield "at its due date"
    if board.sla:
        yield "by any SLA" if set(ALL_SLA) <= set(board.sla) else f"by SLA {' or '.join(board.sla)}"
