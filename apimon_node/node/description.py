"""The description of a strip: what its node says of how it is configured, so that others can read its pixels. Pure."""

from apimon_node.config.settings import Settings, StripSettings
from apimon_node.picture.effects import period
from apimon_node.picture.looks import Look, Match
from apimon_node.picture.wording import name


def description(strip: StripSettings, settings: Settings) -> dict[str, object]:
    """Return the message of a strip's configuration: how tickets become its pixels, and nothing of how it is wired."""
    node = settings.node
    assert node is not None
    return {
        "boards": strip.boards,
        "pixels": strip.pixels,
        "reverse": strip.reverse,
        "status_pixel": strip.status_pixel,
        "heartbeat": strip.heartbeat,
        "brightness": strip.brightness,
        "period": period(node.render_interval),
        "overdue_effect": settings.overdue_effect,
        "quiet_effect": node.quiet_hours and node.quiet_hours.effect,
        "looks": [_look(look) for look in settings.looks],
    }


def _look(look: Look) -> dict[str, object]:
    return {
        "name": name(look.match),
        "match": _match(look.match),
        "color": bytes(look.color).hex(),
        "effect": look.effect,
        "always": look.always,
    }


def _match(match: Match) -> dict[str, object]:
    """Return what is asked for by the keys of config.yaml, ages in seconds; what asks for nothing is left out."""
    return {key: value for key, value in match._asdict().items() if value not in ((), None)}
