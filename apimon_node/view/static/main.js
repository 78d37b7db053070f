// Owns the wiring: what the feed says goes to the parts of the page, once a frame, and only to those that it concerns.

import { attribute, byId } from "./dom.js";
import * as boards from "./boards.js";
import * as events from "./events.js";
import * as faults from "./faults.js";
import { listen } from "./feed.js";
import * as machines from "./machines.js";
import * as strips from "./strips.js";
import * as tour from "./tour.js";

const PARTS = [
  [strips, ["strip", "tickets"]],
  [boards, ["board", "history", "strip", "node", "poller"]],
  [faults, ["broker", "node", "poller", "board"]],
  [machines, ["node", "poller"]],
  [events, ["events", "troubles"]],
  [tour, ["tour"]],
];

const waiting = new Set(); // kinds of sections that have changed and are not drawn yet
let known = new Map();

listen(
  (sections, ids) => {
    known = sections;
    faults.signal(faults.find(sections)); // at once: frames rest while nobody looks
    if (waiting.size === 0) requestAnimationFrame(draw);
    for (const id of ids) waiting.add(id.split("/")[0]);
  },
  (lost) => faults.serverLost(lost, known),
);

function draw() {
  const kinds = new Set(waiting);
  waiting.clear();
  for (const [part, cares] of PARTS) if (cares.some((kind) => kinds.has(kind))) part.draw(known);
  attribute(document.documentElement, "data-drawn", true);
}

const letters = byId("letters");
function showLetters(on) {
  attribute(letters, "aria-pressed", String(on));
  attribute(document.documentElement, "data-letters", on);
}
letters.addEventListener("click", () => {
  const on = letters.getAttribute("aria-pressed") !== "true";
  showLetters(on);
  localStorage.setItem("letters", on ? "yes" : "no");
});
showLetters((localStorage.getItem("letters") ?? (matchMedia("(prefers-contrast: more)").matches ? "yes" : "no")) === "yes");
