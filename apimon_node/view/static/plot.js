// Owns the plot of a board's last hour: areas by status, one on the other, a line for what is overdue; and its table.

import { attribute, el, hide, keyed, put, said, svg } from "./dom.js";
import { color, duration, letters } from "./words.js";

const WIDTH = 600;
const HEIGHT = 120;
const LEAST = 60; // seconds that the axis has at the least
const ROWS = 12; // lines of the table at the most
const LINE = 11; // per cent of the height that a letter needs
const PALETTE = ["c2410c", "7c3aed", "0369a1", "4d7c0f", "be185d", "0f766e", "a16207", "475569"];

export function plot() {
  const areas = svg("g");
  const line = svg("path", { class: "late-line" });
  const halo = svg("path", { class: "late-halo" });
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" }, areas, halo, line);
  const marks = el("div", { class: "marks" });
  const top = el("span", { class: "soft top-value" });
  const from = el("span");
  const key = el("ul", { class: "key" });
  const head = el("tr");
  const body = el("tbody");
  const table = el("details", {}, el("summary", {}, "The last hour as a table"), el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "The last hour as a table" }, el("table", {}, el("thead", {}, head), body)));
  const root = el("figure", { class: "plot" },
    el("figcaption", { class: "soft" }, "The last hour, as this page has heard it"),
    el("div", { class: "frame", "aria-hidden": "true" }, picture, marks, top),
    el("p", { class: "axis soft", "aria-hidden": "true" }, from, el("span", {}, "now")), key, table);
  let drawn = null;
  table.addEventListener("toggle", () => table.open && drawn && tabulate(drawn));

  function update(history, looks) {
    hide(root, !history || history.at.length < 2);
    if (!history || history === drawn || history.at.length < 2) return;
    drawn = history;
    const names = Object.keys(history.statuses);
    const series = stack(history, names, looks);
    const end = history.at.at(-1);
    const begin = Math.min(history.at[0], end - LEAST);
    const most = Math.max(1, ...series.at(-1)?.upper ?? [], ...history.overdue);
    const x = (at) => ((history.at[at] - begin) / (end - begin)) * WIDTH;
    const y = (value) => HEIGHT - (value / most) * (HEIGHT - 4) - 2;
    put(top, most);
    put(from, `${duration(end - begin)} ago`);
    keyed(areas, series.map((one) => ({ ...one, d: outline(one, x, y) })), (one) => one.name, area);
    const late = `M${steps(history.overdue, x, y).join("L")}`;
    attribute(line, "d", late);
    attribute(halo, "d", late);
    keyed(marks, series.map((one) => ({ ...one, y })).filter((one) => fits(one, y)), (one) => one.name, mark);
    keyed(key, [...series].reverse().concat([{ name: "overdue (the line)", letter: "", late: true, color: "", now: history.overdue.at(-1) }]), (one) => one.name, keyEntry);
    if (table.open) tabulate(history);
  }

  function tabulate(history) {
    const names = Object.keys(history.statuses);
    cells(head, ["time", ...names, "overdue"], () => said("", "th"));
    const step = Math.max(1, Math.ceil(history.at.length / ROWS));
    const picked = history.at.map((_, at) => at).filter((at) => (history.at.length - 1 - at) % step === 0).reverse();
    const rows = picked.map((at) => [history.at[at], ...names.map((name) => history.statuses[name][at]), history.overdue[at]]);
    keyed(body, rows, ([when]) => when, tableRow);
  }

  return { root, update };
}

function area() {
  const root = svg("path", { class: "area" });
  return { root, update(one) { attribute(root, "d", one.d); root.style.setProperty("--c", `#${one.color}`); } };
}

const outline = (one, x, y) => `M${[...steps(one.upper, x, y), ...steps(one.lower, x, y).reverse()].join("L")}Z`;

function tableRow() {
  const root = el("tr");
  return {
    root,
    update([when, ...numbers]) {
      const clock = new Date(when * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
      cells(root, [clock, ...numbers], () => el("td"));
    },
  };
}

/** Let a row have a cell for each text. */
function cells(row, texts, make) {
  keyed(row, texts.map((text, column) => ({ text, column })), ({ column }) => column, () => {
    const root = make();
    return { root, update: ({ text }) => put(root, text) };
  });
}

/** Put the rows of numbers on each other. */
function stack(history, names, looks) {
  const marks = letters(names);
  let lower = history.at.map(() => 0);
  return names.map((name, at) => {
    const values = history.statuses[name];
    const upper = lower.map((value, index) => value + (values[index] ?? 0));
    const one = { name, letter: marks[at], lower, upper, now: values.at(-1), color: color(looks.get(name) ?? PALETTE[at % PALETTE.length]) };
    lower = upper;
    return one;
  });
}

/** Give the points of a line of steps: a number holds until there is another. */
function steps(values, x, y) {
  const points = [];
  for (const [at, value] of values.entries()) {
    if (at > 0 && value !== values[at - 1]) points.push(`${x(at).toFixed(1)},${y(values[at - 1]).toFixed(1)}`);
    if (at === 0 || value !== values[at - 1] || at === values.length - 1) points.push(`${x(at).toFixed(1)},${y(value).toFixed(1)}`);
  }
  return points;
}

const fits = (one, y) => ((y(one.lower.at(-1)) - y(one.upper.at(-1))) / HEIGHT) * 100 > LINE;

/** A letter at the right end of an area: it is known without its colour. */
function mark() {
  const root = el("span");
  return {
    root,
    update(one) {
      put(root, one.letter);
      root.style.setProperty("--y", `${(one.y((one.lower.at(-1) + one.upper.at(-1)) / 2) / HEIGHT) * 100}%`);
    },
  };
}

function keyEntry() {
  const swatch = el("span", { class: "swatch small", "aria-hidden": "true" });
  const name = said("", "span");
  const root = el("li", {}, swatch, name);
  return {
    root,
    update(one) {
      attribute(swatch, "data-late", Boolean(one.late));
      swatch.style.setProperty("--c", `#${one.color || "000000"}`);
      put(swatch, one.letter);
      put(name, `${one.name}: ${one.now}`);
    },
  };
}
