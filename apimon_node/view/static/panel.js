// Owns the panel with the tickets behind a pixel. There is one; it belongs to the strip that is looked at.

import { attribute, el, hide, keyed, lead, put, said } from "./dom.js";
import { setTime, time } from "./clock.js";
import { find } from "./tickets.js";
import { color, colorName, count, EFFECTS } from "./words.js";

const LINGER = 250; // milliseconds in which the pointer can reach the panel
const WIDTH = 340; // CSS pixels (page.css)

const OTHERS = {
  status: "The status pixel: it pulses orange when tickets may be old, red when something is broken, white for a heartbeat.",
  overflow: "More tickets than pixels: the last one pulses white.",
  dark: "Dark: no ticket is shown here.",
};

const title = el("h4");
const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
const note = el("p");
const tickets = el("ul");
const root = el("div", { class: "panel", role: "region", "aria-label": "Tickets of the pixel", tabindex: "-1", hidden: true },
  el("div", { class: "panel-head" }, swatch, title), note, tickets);
let shown = null; // {strip, index, led, place}
let pinned = false;
let leaving;

root.addEventListener("pointerenter", () => clearTimeout(leaving));
root.addEventListener("pointerleave", leave);
root.addEventListener("keydown", (event) => event.key === "Escape" && close());
root.addEventListener("focusout", (event) => !within(event.relatedTarget) && leave());
document.addEventListener("pointerdown", (event) => within(event.target) || close({ back: false }));
document.addEventListener("focusin", (event) => within(event.target) || leave());

const within = (node) => node instanceof Node && (root.contains(node) || node === shown?.led);

/** Show a pixel of a strip, unless somebody reads another one in the panel. */
export function show(strip, index, led, host, place) {
  clearTimeout(leaving);
  if (root.contains(document.activeElement) && led !== shown?.led) return;
  if (shown?.led !== led) pinned = false;
  shown = { strip, index, led, place };
  if (root.parentNode !== host) host.append(root);
  write();
  hide(root, false);
}

/** Keep it, and go in: to its first link, or where it has none, to itself. */
export function pin(...args) {
  show(...args);
  pinned = true;
  (root.querySelector("a[href]") ?? root).focus();
}

/** Write it anew where it shows this strip. */
export function refresh(strip) {
  if (shown === null || shown.strip.node !== strip.node || shown.strip.name !== strip.name) return;
  if (shown.index >= strip.pixels.length) close({ back: false });
  else {
    shown.strip = strip;
    write();
  }
}

export function leave() {
  clearTimeout(leaving);
  leaving = setTimeout(() => {
    const busy = pinned || root.contains(document.activeElement) || shown?.led === document.activeElement;
    if (!busy) close({ back: false });
  }, LINGER);
}

/** Close it; give the focus back where it was inside. */
export function close({ back = true } = {}) {
  if (back && root.contains(document.activeElement)) shown?.led.focus();
  shown = null;
  pinned = false;
  hide(root, true);
}

function write() {
  const { strip, index, place } = shown;
  const pixel = strip.pixels[index];
  const look = strip.legend[pixel.look];
  const hex = color(pixel.color);
  const lit = hex !== "000000";
  const { x, y } = place(index);
  const left = Math.max(0, Math.min(x - WIDTH / 2, root.parentNode.clientWidth - WIDTH));
  root.style.setProperty("--left", `${left}px`);
  root.style.setProperty("--top", `${y}px`);
  swatch.style.setProperty("--c", `#${hex}`);
  const shines = lit ? `${colorName(hex)}, ${EFFECTS[pixel.effect] ?? "steady"}` : "dark";
  put(title, look ? `${look.name} · ${shines}` : `Pixel ${index + 1} · ${shines}`);
  put(note, words(strip, pixel));
  hide(note, note.textContent === "");
  keyed(tickets, find(pixel.first), (ticket) => `${ticket.board}/${ticket.key}`, ticketRow);
}

function words(strip, pixel) {
  if (pixel.shows !== "ticket") return OTHERS[pixel.shows] ?? "";
  if (!strip.matched) return "Which tickets these are is not known just now: the node shows something else than the boards say.";
  const more = pixel.tickets - pixel.first.length;
  if (pixel.first.every((name) => name === null)) return `${count(pixel.tickets, "ticket")}, published as numbers: nothing more is known of them.`;
  return more > 0 ? `${count(pixel.tickets, "ticket")} behind this pixel; the first ${pixel.first.length}:` : "";
}

function ticketRow() {
  const key = said("", "a");
  const summary = said("", "span");
  const facts = said("", "span");
  const age = time("age");
  const due = time("due");
  const root = el("li", { class: "ticket" },
    el("div", { class: "ticket-head" }, key, due), summary,
    el("div", { class: "facts" }, facts, el("span", { class: "age" }, " · ", age, " old")));
  return {
    root,
    update(ticket) {
      put(key, ticket.key);
      lead(key, ticket.url);
      attribute(key, "title", ticket.url && "opens Jira in a new tab");
      put(summary, ticket.summary);
      hide(summary, !ticket.summary);
      put(facts, [ticket.status, ticket.priority, ticket.assignee ?? "nobody assigned", `board ${ticket.board}`].filter(Boolean).join(" · "));
      setTime(age, ticket.created);
      hide(age.parentNode, !ticket.created);
      setTime(due, ticket.due);
      attribute(root, "data-overdue", Boolean(ticket.overdue));
    },
  };
}
