"""The preview: one picture of what a configuration will look like, and that it is what the node shows."""

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from apimon_node.commands.cli import main
from apimon_node.commands.example import crowd, examples, mix
from apimon_node.commands.preview import preview
from apimon_node.config import schema
from apimon_node.config.settings import Settings
from apimon_node.picture import svg
from apimon_node.picture.effects import PULSE_FLOOR, Effect
from apimon_node.picture.layout import Pixel
from apimon_node.picture.looks import Look, Match, group

SVG = "{http://www.w3.org/2000/svg}"
RED, GREEN = (255, 0, 0), (0, 255, 0)
LOOKS = "[{match: {status: Open}, color: red}, {color: blue, effect: blink}]"


def settings(strip: str = "", *, node: str = "id: hall", looks: str = LOOKS) -> Settings:
    return schema.parse(
        f"node: {{{node}}}\nstrips: [{{name: ops, driver: memory, pixels: 10, boards: [ops]{strip}}}]\nlooks: {looks}\n"
    )[0]


def drawn(settings: Settings) -> ET.Element:
    return ET.fromstring(preview(settings))


def texts(root: ET.Element) -> list[str]:
    """Give all that is written to be seen, a line each."""
    return [
        "".join(part.text or "" for part in text.iter() if "title" not in part.tag) for text in root.iter(f"{SVG}text")
    ]


def states(root: ET.Element) -> dict[str, list[str]]:
    """Give the strip below each state, and the lines that follow: what tells in words what is drawn comes first."""
    found: dict[str, list[str]] = {}
    for block in root.findall(f"{SVG}g"):
        name = block.find(f"{SVG}text/{SVG}tspan[@class='name']")
        if name is not None:
            lines = found[name.text or ""] = []
        elif found:
            lights = block.find(f"{SVG}g[@role='img']")
            lines.append("".join(block.itertext()) if lights is None else lights.attrib["aria-label"])
    return found


def seen(strip: str = "", **parts: str) -> dict[str, str]:
    """Give what is on the strip in each state."""
    return {name: lines[0] for name, lines in states(drawn(settings(strip, **parts))).items()}


def captions(strip: str = "", **parts: str) -> str:
    return "\n".join(texts(drawn(settings(strip, **parts))))


# The states


def test_each_state_shows_what_a_node_would() -> None:
    assert seen() == {
        "All well": "pixels 0 to 1: #ff0000 steady; pixel 2: #ff0000 pulse; pixels 3 to 4: #0000ff blink;"
        " pixel 5: #0000ff pulse; pixels 6 to 9: dark",
        "Broker or Jira away": "pixel 0: #ff6e00 pulse; pixel 1: #ff0000 steady; pixel 2: #ff0000 pulse;"
        " pixels 3 to 4: #0000ff blink; pixel 5: #0000ff pulse; pixels 6 to 9: dark",
        "Board stale": "pixel 0: #ff6e00 pulse; pixel 1: #590000 steady; pixel 2: #590000 pulse;"
        " pixels 3 to 4: #000059 blink; pixel 5: #000059 pulse; pixels 6 to 9: dark",
        "Board unknown": "pixel 0: #ff6e00 pulse; pixels 1 to 9: dark",
        "Strip fault": "pixel 0: #ff0000 pulse; pixel 1: #ff0000 steady; pixel 2: #ff0000 pulse;"
        " pixels 3 to 4: #0000ff blink; pixel 5: #0000ff pulse; pixels 6 to 9: dark",
        "Too many tickets": "pixels 0 to 2: #ff0000 steady; pixels 3 to 4: #ff0000 pulse;"
        " pixels 5 to 7: #0000ff blink; pixel 8: #0000ff pulse; pixel 9: #ffffff pulse",
        "Light at night": "pixel 0: #260000 pulse; pixel 1: #000026 pulse; pixels 2 to 9: dark",
        "Light off": "pixels 0 to 9: dark",
    }


@pytest.mark.parametrize(("place", "pixel"), [("first", "pixel 0: #ff6e00 pulse"), ("last", "pixel 9: #ff6e00 pulse")])
def test_trouble_is_told_where_the_status_pixel_is(place: str, pixel: str) -> None:
    assert pixel in seen(f", status_pixel: {place}")["Broker or Jira away"]
    assert f"the last known tickets stay; the {place} pixel pulses orange" in captions(f", status_pixel: {place}")


def test_without_a_status_pixel_it_is_said_that_mqtt_alone_tells() -> None:
    strips = seen(", status_pixel: none, heartbeat: true")

    assert strips["Strip fault"] == strips["All well"]
    assert "without a status pixel, MQTT alone tells" in captions(", status_pixel: none, heartbeat: true")
    assert "heartbeat" not in captions(", status_pixel: none, heartbeat: true")


def test_a_heartbeat_is_drawn_and_told_where_it_is_configured() -> None:
    assert seen(", heartbeat: true")["All well"].startswith("pixel 0: #ffffff pulse; pixel 1: #ff0000 steady")
    assert "6 tickets, 2 overdue; the first pixel pulses white (heartbeat)" in captions(", heartbeat: true")
    assert "heartbeat" not in captions()


def test_quiet_hours_of_night_stand_for_the_light_at_night() -> None:
    node = "id: hall, quiet_hours: {from: '22:00', to: '06:30'}"
    strips = seen(node=node)

    assert strips["Quiet hours"] == seen()["Light at night"]
    assert "Light at night" not in strips
    assert "from 22:00 to 06:30 by this machine's time: night: overdue tickets alone, dim" in captions(node=node)


def test_quiet_hours_that_switch_off_leave_what_always_shines() -> None:
    node = "id: hall, quiet_hours: {from: '22:00', to: '06:30', effect: off}"
    strips = seen(node=node, looks="[{match: {status: Open}, color: red}, {color: blue, always: true}]")

    assert strips["Quiet hours"] == "pixels 0 to 1: #0000ff steady; pixel 2: #0000ff pulse; pixels 3 to 9: dark"
    assert "Light at night" in strips


def test_a_limit_on_the_current_is_told_where_it_bites_and_nowhere_else() -> None:
    strips = states(drawn(settings(", max_milliamps: 130")))
    limited = {name: line for name, lines in strips.items() for line in lines if "limit" in line}

    assert limited == {"Too many tickets": "about 230 mA, were it not for its limit of 130 mA: all of it is dimmed"}
    assert "were it not" not in captions()


def test_a_reversed_strip_is_drawn_from_its_far_end_and_described_from_pixel_0() -> None:
    plain, turned = (
        re.findall(r'stroke="#ff6e00"[^>]* d="M([\d.]+)', preview(settings(strip))) for strip in ("", ", reverse: true")
    )

    assert seen(", reverse: true") == seen()
    assert (plain[0], turned[0]) == ("14", "266")  # the status pixel: the first of ten, and the last


@pytest.mark.parametrize(("number", "words"), [(10, "all looks in proportion"), (11, "the last looks go without")])
def test_it_is_told_where_there_are_more_looks_than_pixels(number: int, words: str) -> None:
    looks = ", ".join(f"{{match: {{status: S{at}}}, color: red}}" for at in range(number))

    assert f"on 10 pixels: {words}; the last pixel" in captions(looks=f"[{looks}]")


def test_every_strip_of_the_node_is_drawn() -> None:
    strip = settings().strips[0]
    two = settings()._replace(strips=(strip._replace(name="left"), strip._replace(name="right")))
    lines = texts(drawn(two))

    assert [line for line in lines if line in {"Strip left", "Strip right"}] == ["Strip left", "Strip right"]
    assert sum(line.startswith("All well") for line in lines) == 2


@pytest.mark.parametrize("pixels", [1, 2, 7, 80, 81, 2000])
def test_strips_of_any_length_fit_into_the_picture(pixels: int) -> None:
    found = settings()
    root = drawn(found._replace(strips=(found.strips[0]._replace(pixels=pixels),)))
    widths = [float(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect") if rect.get("class") == "strip"]
    bodies = [path.attrib["d"].count("h0") for path in root.iter(f"{SVG}path") if path.get("class") == "body"]

    assert max(widths) <= svg.WIDTH - 2 * svg.MARGIN
    assert bodies[len(found.looks) :] == [pixels] * 8


# The looks


def test_the_legend_tells_of_each_look_in_words() -> None:
    looks = (
        "[{match: {priority: High, overdue: true}, color: red, effect: blink}, {match: {overdue: false}, color: lime},"
        " {match: {status: Open}, color: blue, always: true}]"
    )
    lines = texts(drawn(settings(looks=looks)))
    at = lines.index("on time, overdue")

    assert lines[at + 1 : at + 7] == [
        "priority High, overdue",
        "#ff0000, overdue: blink",
        "not overdue",
        "#00ff00, steady",
        "Open",
        "#0000ff, steady, overdue: pulse, always shines",
    ]


def test_a_look_that_no_ticket_gets_to_is_told() -> None:
    assert "#ff0000, never seen: earlier looks take all" in captions(
        looks="[{color: blue}, {match: {status: Open}, color: red}]"
    )


def test_it_is_told_whether_some_tickets_are_not_drawn() -> None:
    note = "Tickets that no look matches are not drawn."

    assert note in captions(looks="[{match: {status: Open}, color: red}]")
    assert note not in captions()


# The example tickets


LISTED = (
    Look(Match(status=("Open", "New")), RED),
    Look(Match(status=("New", "Done"), priority=("High",)), RED),
    Look(Match(category=("done",), overdue=True), RED),
    Look(Match(label=("later",), assignee=("me",), older_than=60.0), RED),
    Look(Match(younger_than=30.0), RED),
    Look(Match(), GREEN),
)


@pytest.mark.parametrize("at", range(len(LISTED)))
def test_an_example_takes_its_look_and_none_before_it(at: int) -> None:
    found = [ticket for ticket in examples(LISTED)[at] if ticket]
    groups, unmatched = group(LISTED, found)

    assert found
    assert [each.tickets for each in groups] == [len(found) if each is groups[at] else 0 for each in groups]
    assert unmatched == 0


def test_a_look_for_overdue_tickets_has_no_example_that_is_on_time() -> None:
    assert examples(LISTED)[2].on_time is None
    assert examples(LISTED)[2].overdue is not None


def test_the_mix_leaves_room_however_many_looks_there_are() -> None:
    looks = [Look(Match(status=(str(number),)), RED) for number in range(50)]
    found = examples(looks)

    assert [len(mix(found, pixels)) for pixels in (1, 10, 50, 300)] == [1, 10, 50, 200]


def test_a_crowd_is_more_than_there_are_pixels() -> None:
    tickets = mix(examples(LISTED), 40)

    assert len(crowd(tickets, 40)) > 40
    assert crowd([], 40) == []


def test_long_lists_of_words_do_not_take_forever() -> None:
    words = tuple(map(str, range(300)))
    everything = [Look(Match(), RED), Look(Match(status=words, priority=words, assignee=words), GREEN)]

    assert not any(examples(everything)[1])


# The drawing


def test_effects_move_as_on_a_strip_and_stand_still_for_those_who_want_that() -> None:
    style = svg.document("", "", [svg.gap(1)], 0.5)

    assert (
        f"@keyframes pulse{{0%{{opacity:1}}25%{{opacity:0.56}}50%{{opacity:{PULSE_FLOOR}}}75%{{opacity:0.56}}}}"
        in style
    )
    assert "@keyframes blink{0%{opacity:1}25%{opacity:1}50%{opacity:0}75%{opacity:0}}" in style
    assert ".pulse{animation:pulse 2s step-end infinite}" in style
    assert "@media (prefers-reduced-motion:reduce){.pulse,.blink{animation:none}}" in style


@pytest.mark.parametrize(("interval", "whole", "steps"), [(0.01, "2", svg.MOST_STEPS), (1.0, "4", 4), (60.0, "240", 4)])
def test_effects_keep_the_pace_of_the_node(interval: float, whole: str, steps: int) -> None:
    style = svg.document("", "", [svg.gap(1)], interval)

    assert f"animation:pulse {whole}s step-end" in style
    assert style.count("opacity:") == 2 * steps


def test_what_moves_and_what_is_dark_can_be_told_without_colour() -> None:
    block = svg.strip([Pixel(RED), Pixel(RED, Effect.PULSE), Pixel(RED, Effect.BLINK), Pixel()])
    shapes = [path.attrib["class"] for path in ET.fromstring(block.markup).iter("path")]

    assert shapes == ["frame", "within", "frame square", "within square", "body", "hollow", "steady", "pulse", "blink"]


def test_the_picture_tells_itself_to_those_who_do_not_see_it() -> None:
    root = drawn(settings())

    assert root.attrib["aria-labelledby"] == "title description"
    assert root[0].text == "What node hall will show"
    assert "2 looks" in (root[1].text or "")
    assert all("aria-label" in group.attrib for group in root.iter(f"{SVG}g") if group.get("role") == "img")


HOSTILE = (
    "<script>alert(1)</script>",
    "]]></style><image href='https://example.com/x'/>",
    '" onload="alert(1)',
    "\x00\x07\x1b[31m\x7f\r\n",
    "\u202eturned\u2066 around\u200f",
    "\ud800\ufffe half a character",
    "&amp;&lt;&#0;&unknown;",
    "W" * 100_000,
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_whatever_stands_in_it(name: str) -> None:
    found = settings()
    strip = found.strips[0]._replace(name=name, boards=(name,), driver=name)
    assert found.node is not None
    hostile = found._replace(
        node=found.node._replace(id=name),
        strips=(strip,),
        looks=(Look(Match(status=(name,), assignee=(name,), label=(name,)), RED), *found.looks),
    )
    root, plain = drawn(hostile), drawn(found)
    kinds = {(part.tag, *sorted(part.attrib)) for part in plain.iter()}

    assert {(part.tag, *sorted(part.attrib)) for part in root.iter()} == kinds
    assert all((text.text or "").isprintable() for text in root.iter(f"{SVG}title"))
    assert all(line.isprintable() and len(line) <= 200 for line in texts(root))
    assert len(preview(hostile)) < 2 * len(preview(found)) + 20 * svg.LONG


def test_a_text_that_is_cut_says_so() -> None:
    assert svg.escaped("abcdef", 6) == "abcdef"
    assert svg.escaped("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize("file", ["docs/strip.svg", "docs/preview.svg"])
def test_a_picture_asks_for_nothing_and_runs_nothing(file: str) -> None:
    picture = Path(file).read_text(encoding="ascii")
    root = ET.fromstring(picture)

    assert {part.tag.removeprefix(SVG) for part in root.iter()}.isdisjoint(
        {"script", "image", "use", "foreignObject", "a"}
    )
    assert not any("href" in name or name.startswith("on") for part in root.iter() for name in part.attrib)
    assert set(re.findall(r"url\(([^)]*)\)", picture)) == {"#halo"}
    assert re.findall(r"https?://[^\"]*", picture) == ["http://www.w3.org/2000/svg"]
    assert "@import" not in picture


# The command and the documentation


def test_the_picture_in_the_howto_is_what_the_program_draws_today(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "config.yaml"]) == 0

    assert capsys.readouterr().out == Path("docs/preview.svg").read_text(encoding="utf-8"), (
        "draw it anew: apimon-node preview config.yaml --output docs/preview.svg"
    )


def test_the_picture_in_the_readme_is_what_the_program_draws_today(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path("docs/strip.py", run_name="__main__")

    assert capsys.readouterr().out == Path("docs/strip.svg").read_text(encoding="utf-8"), (
        "draw it anew: python docs/strip.py > docs/strip.svg"
    )


def test_the_configuration_may_be_named_either_way_and_the_picture_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "--config", "config.yaml", "--output", str(tmp_path / "p.svg")]) == 0

    assert capsys.readouterr().out == ""
    assert (tmp_path / "p.svg").read_bytes() == Path("docs/preview.svg").read_bytes()


def test_two_configurations_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["preview", "config.yaml", "--config", "config.yaml"])

    assert end.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere" / "p.svg"

    assert main(["preview", "config.yaml", "--output", str(missing)]) == 1
    assert capsys.readouterr().err == (
        f"apimon-node: {missing}: cannot be written: No such file or directory; name a file with --output\n"
    )


def test_a_configuration_without_strips_has_nothing_to_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mqtt: {host: localhost}\n", encoding="utf-8")

    assert main(["preview", str(path)]) == 2
    assert capsys.readouterr().err == "strips: is missing: without a strip there is nothing to draw\n"
