// Owns the strips: a card for each, with its LEDs, its state in words, and the legend of its looks.

import { attribute, byId, el, hide, keyed, put, said } from "./dom.js";
import { ofKind } from "./feed.js";
import { ledRow } from "./leds.js";
import * as panel from "./panel.js";
import * as tickets from "./tickets.js";
import { color, colorName, count, EFFECTS, letters, list } from "./words.js";

/** Draw all strips. One whose section is the same object as before is left alone. */
export function draw(sections) {
  tickets.take(sections);
  const strips = ofKind(sections, "strip");
  keyed(byId("strip-list"), strips, (strip) => `${strip.node}/${strip.name}`, card);
  hide(byId("no-strips"), strips.length > 0);
  hide(byId("strips-hint"), strips.length === 0);
}

function card() {
  const name = said("", "h3");
  const place = said("", "span");
  const state = el("p", { class: "notes" });
  const legend = el("ul", { class: "legend" });
  let section = null;
  let strip = null;
  const row = ledRow({
    show: (index, led) => panel.show(strip, index, led, host, row.position),
    pin: (index, led) => panel.pin(strip, index, led, host, row.position),
    leave: panel.leave,
    close: panel.close,
  });
  const host = el("div", { class: "host" }, row.root);
  const root = el("article", { class: "card strip" }, el("header", {}, name, place), host, state, legend);
  return {
    root,
    update(next) {
      if (next !== section) redraw(next);
      panel.refresh(strip);
    },
  };

  function redraw(next) {
    section = next;
    strip = { ...next, pixels: unpacked(next) };
    const marks = letters(strip.legend.map((look) => look.name));
    put(name, strip.name);
    put(place, placeOf(strip));
    row.update(strip, marks);
    put(state, notes(strip).join(" "));
    attribute(state, "data-bad", strip.status !== "ok" || !strip.live);
    keyed(legend, strip.legend.map((look, at) => ({ ...look, at, letter: marks[at] })), (look) => look.at, entry);
  }
}

/** Give each pixel of its own, with the names of its tickets; they come as runs of like ones. */
function unpacked({ pixels, first }) {
  const alike = pixels.flatMap(([number, pixel]) => Array(number).fill(pixel));
  return alike.map((pixel, at) => ({ ...pixel, first: first[at] }));
}

function placeOf(strip) {
  const boards = strip.boards.length ? [`shows ${list(strip.boards)}`] : [];
  const end = `first ticket at the ${strip.reverse ? "far end (right)" : "left"}`;
  return [`on ${strip.node}`, ...boards, count(strip.pixels.length, "pixel"), end].join(" · ");
}

/** Tell in sentences what cannot be seen of it, or not by everybody. */
function notes(strip) {
  const told = [];
  if (!strip.live) told.push("The node is away: this is what it showed last.");
  if (strip.status === "connection") told.push("The tickets may be old: the node cannot reach the broker or Jira, or a board is stale.");
  if (strip.status === "error") told.push("The node has a fault of its own: the strip itself may be dark.");
  if (strip.dark) told.push("The light is off: no ticket is shown.");
  else told.push(`Brightness ${Math.round(strip.brightness * 100)} %.`);
  if (strip.overflow) told.push("There are more tickets than pixels: numbers are scaled, and the last pixel pulses white.");
  if (strip.limited) told.push("It is dimmed to stay within its current.");
  if (strip.milliamps > 0) told.push(`It draws about ${strip.milliamps} mA.`);
  if (!strip.matched) told.push("What it shows differs just now from what the boards say, so that no tickets are known behind its pixels.");
  return told;
}

function entry() {
  const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
  const name = said("", "span");
  const numbers = el("strong");
  const looks = el("span", { class: "soft" });
  const root = el("li", {}, swatch, el("span", { class: "entry" }, el("span", { class: "entry-head" }, name, numbers), looks));
  return {
    root,
    update(look) {
      const hex = color(look.color);
      swatch.style.setProperty("--c", `#${hex}`);
      put(swatch, look.letter);
      put(name, look.name);
      put(numbers, look.overdue ? `${look.tickets}, ${look.overdue} overdue` : look.tickets);
      put(looks, `${colorName(hex)}, ${EFFECTS[look.effect] ?? "steady"}`);
      attribute(root, "data-none", look.tickets === 0);
    },
  };
}
