// Owns the row of LEDs of a strip: where each one is, how it shines, and how the keyboard goes from one to another.
//
// What pulses or blinks lies on a sheet of its own, which moves as a whole: one animation for each effect and strip,
// however many LEDs take part, and all of them in phase.

import { attribute, el } from "./dom.js";
import { keyOf } from "./tickets.js";
import { channels, color, colorName, count, EFFECTS } from "./words.js";

const SMALLEST = 24; // CSS pixels of a cell: what a finger can still hit (WCAG 2.2)
const LARGEST = 38;
const EYE = 0.45; // exponent: a tenth of the light looks a third as bright

const SHOWS = { status: "status pixel", overflow: "overflow pixel: more tickets than pixels", dark: "dark, no ticket" };

/** Make a row. `show(index, led)` is called for the LED that is pointed at, `leave()` when none is. */
export function ledRow({ show, pin, leave, close }) {
  const grid = el("div", { class: "grid" });
  const sheets = { pulse: el("div", { class: "sheet pulse" }), blink: el("div", { class: "sheet blink" }) };
  const lights = el("div", { class: "lights", "aria-hidden": "true" }, sheets.pulse, sheets.blink);
  const root = el("div", { class: "channel", role: "group" }, el("div", { class: "bed" }, grid, lights));
  const leds = []; // in the order in which they are drawn
  const moving = new Map(); // place → its light on a sheet
  let strip = null;
  let letters = [];
  let columns = 1;
  let width = 0;

  // An animation begins when its sheet gets its first light; all shall look as if they had begun together.
  root.addEventListener("animationstart", (event) => {
    for (const animation of event.target.getAnimations()) animation.startTime = 0;
  });

  const pixelAt = (place) => (strip.reverse ? strip.pixels.length - 1 - place : place);

  new ResizeObserver(([entry]) => {
    width = entry.contentRect.width;
    layOut();
  }).observe(root);

  /** Give every LED the same room, and every line as many of them. */
  function layOut() {
    const pixels = leds.length;
    if (!pixels || !width) return;
    const cell = Math.min(LARGEST, Math.max(SMALLEST, Math.floor(width / pixels)));
    const rows = Math.ceil(pixels / Math.max(1, Math.floor(width / cell)));
    columns = Math.ceil(pixels / rows);
    const size = Math.min(LARGEST, Math.floor(width / columns));
    for (const [name, value] of [["--cols", columns], ["--rows", rows], ["--cell", `${size}px`]]) {
      root.style.setProperty(name, value);
    }
  }

  function update(next, names) {
    const before = strip;
    strip = next;
    letters = names;
    attribute(root, "aria-label", `${count(strip.pixels.length, "LED")} of strip ${strip.name} on node ${strip.node}; arrow keys go from one to the next`);
    root.style.setProperty("--period", `${Number(strip.period) || 2}s`);
    root.style.setProperty("--level", (Number(strip.brightness) || 0) ** EYE);
    attribute(root, "data-live", strip.live);
    if (before === null || before.pixels.length !== strip.pixels.length) resize(strip.pixels.length);
    for (const [place, led] of leds.entries()) draw(led, place);
  }

  function resize(pixels) {
    while (leds.length > pixels) {
      unlight(leds.length - 1);
      leds.pop().root.remove();
    }
    const made = [];
    while (leds.length < pixels) {
      const led = el("span", { class: "led", role: "button", tabindex: "-1", "data-place": leds.length });
      leds.push({ root: led, drawn: "", told: "" });
      made.push(led);
    }
    grid.append(...made);
    if (leds.length && !grid.querySelector("[tabindex='0']")) leds[0].root.tabIndex = 0;
    layOut();
  }

  function draw(led, place) {
    const pixel = strip.pixels[pixelAt(place)];
    const look = strip.legend[pixel.look]?.name ?? "";
    call(led, pixel, pixelAt(place), look);
    const letter = letters[pixel.look] ?? { status: "!", overflow: "+" }[pixel.shows] ?? "";
    const drawn = `${pixel.color}|${pixel.effect}|${pixel.shows}|${pixel.overdue}|${letter}`;
    if (drawn === led.drawn) return;
    led.drawn = drawn;
    const node = led.root;
    const hex = color(pixel.color);
    const lit = hex !== "000000";
    attribute(node, "data-color", hex);
    attribute(node, "data-effect", lit ? pixel.effect : "dark");
    attribute(node, "data-shows", pixel.shows);
    attribute(node, "data-overdue", Boolean(pixel.overdue));
    attribute(node, "data-letter", lit ? letter : "");
    const glow = `rgb(${seen(hex).join(" ")})`;
    node.style.setProperty("--c", glow);
    if (lit && pixel.effect in sheets) light(place, sheets[pixel.effect], glow);
    else unlight(place);
  }

  /** Name a LED. Where a ticket comes or goes, all behind it get another name and most of them keep their looks. */
  function call(led, pixel, index, look) {
    const told = `${pixel.color}|${pixel.effect}|${pixel.shows}|${pixel.overdue}|${pixel.tickets}|${pixel.first[0]}|${look}|${strip.reverse}`;
    if (told === led.told) return;
    led.told = told;
    led.root.setAttribute("aria-label", name(pixel, index, look));
  }

  function light(place, sheet, glow) {
    const node = moving.get(place) ?? el("i");
    moving.set(place, node);
    node.style.setProperty("--at", place);
    node.style.setProperty("--c", glow);
    if (node.parentNode !== sheet) sheet.append(node);
  }

  function unlight(place) {
    moving.get(place)?.remove();
    moving.delete(place);
  }

  function name(pixel, index, look) {
    const shines = color(pixel.color) === "000000" ? [] : [colorName(pixel.color), EFFECTS[pixel.effect] ?? "steady"];
    const key = pixel.first[0] && keyOf(pixel.first[0]);
    const what = pixel.shows === "ticket"
      ? [look, pixel.tickets > 1 ? count(pixel.tickets, "ticket") : key, pixel.overdue ? "overdue" : ""]
      : [SHOWS[pixel.shows]];
    return [`Pixel ${index + 1}`, ...what, ...shines].filter(Boolean).join(", ");
  }

  function focus(place) {
    const led = leds[Math.min(leds.length - 1, Math.max(0, place))]?.root;
    if (!led) return;
    for (const other of grid.querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    led.tabIndex = 0;
    led.focus();
  }

  const STEPS = {
    ArrowRight: (place) => place + 1,
    ArrowLeft: (place) => place - 1,
    ArrowDown: (place) => (place + columns < leds.length ? place + columns : place),
    ArrowUp: (place) => (place - columns >= 0 ? place - columns : place),
    Home: () => 0,
    End: () => leds.length - 1,
  };
  const placeOf = (event) => (event.target.dataset?.place === undefined ? null : Number(event.target.dataset.place));
  const reach = (event, then) => {
    const place = placeOf(event);
    if (place !== null) then(pixelAt(place), event.target, place);
  };

  grid.addEventListener("keydown", (event) => {
    const place = placeOf(event);
    if (place === null || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in STEPS) {
      event.preventDefault();
      focus(STEPS[event.key](place));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      pin(pixelAt(place), event.target);
    } else if (event.key === "Escape") close();
  });
  grid.addEventListener("focusin", (event) => reach(event, show));
  grid.addEventListener("pointerover", (event) => reach(event, show));
  grid.addEventListener("pointerleave", leave);
  grid.addEventListener("click", (event) => reach(event, (index, led, place) => {
    focus(place);
    show(index, led);
  }));

  /** Give where the LED of a pixel lies in the row, in CSS pixels, without asking the layout. */
  function position(index) {
    const place = pixelAt(index);
    const cell = parseFloat(root.style.getPropertyValue("--cell"));
    return { x: (width - columns * cell) / 2 + ((place % columns) + 0.5) * cell, y: (Math.floor(place / columns) + 1) * cell };
  }

  return { root, update, position };
}

/** Give a colour as the eye sees such a light on dark ground: dim ones are not as dark as their numbers. */
function seen(hex) {
  const rgb = channels(hex);
  const level = Math.max(...rgb) / 255;
  return level ? rgb.map((value) => Math.round(value * level ** (EYE - 1))) : rgb;
}
