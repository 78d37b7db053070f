// Owns the boards: a card for each, with its numbers by status, and its last hour; and the sums over all of them.

import { attribute, byId, el, hide, keyed, put, said } from "./dom.js";
import { setTime, time } from "./clock.js";
import { ofKind } from "./feed.js";
import { plot } from "./plot.js";

const STATES = { ok: "", stale: "stale: these numbers may be old", unknown: "nothing is known of it" };

export function draw(sections) {
  const boards = ofKind(sections, "board");
  const looks = new Map(ofKind(sections, "strip").flatMap((strip) => strip.legend).map((look) => [look.name, look.color]));
  const items = boards.map((board) => ({ board, history: sections.get(`history/${board.name}`) ?? null, looks }));
  keyed(byId("board-list"), items, ({ board }) => board.name, card);
  hide(byId("no-boards"), boards.length > 0);
  drawTiles(sections, boards);
}

function drawTiles(sections, boards) {
  const sum = (key) => boards.reduce((total, board) => total + (board[key] ?? 0), 0);
  const there = (kind) => {
    const all = ofKind(sections, kind);
    return `${all.filter((one) => one.online).length} of ${all.length}`;
  };
  const tiles = [
    { name: "tickets", value: sum("total") },
    { name: "overdue", value: sum("overdue"), warn: sum("overdue") > 0 },
    { name: "nodes online", value: there("node") },
    { name: "pollers online", value: there("poller") },
  ];
  keyed(byId("tiles"), tiles, (tile) => tile.name, () => {
    const value = el("strong");
    const name = el("span");
    const root = el("li", {}, value, name);
    return { root, update(tile) { put(value, tile.value); put(name, tile.name); attribute(root, "data-warn", tile.warn); } };
  });
}

function card() {
  const name = said("", "h3");
  const state = el("span", { class: "soft" });
  const total = el("strong", { class: "big" });
  const overdue = el("span", { class: "overdue" });
  const statuses = el("ul", { class: "bars" });
  const at = time("ago");
  const source = said("", "span");
  const foot = el("p", { class: "soft" }, "as of ", at, source);
  const sums = el("p", { class: "sums" }, total, el("span", {}, " tickets "), overdue);
  const picture = plot();
  const root = el("article", { class: "card board" }, el("header", {}, name, state),
    el("div", { class: "sides" },
      el("div", {}, sums, statuses, foot), picture.root));
  return {
    root,
    update({ board, history, looks }) {
      put(name, board.name);
      put(state, STATES[board.state] ?? "");
      attribute(root, "data-state", board.state);
      put(total, board.total);
      put(overdue, board.overdue ? `${board.overdue} overdue` : "none overdue");
      attribute(overdue, "data-none", board.overdue === 0);
      const most = Math.max(1, ...board.statuses.map((status) => status.total));
      keyed(statuses, board.statuses.map((status) => ({ ...status, most })), (status) => status.name, bar);
      setTime(at, board.at);
      put(source, board.source ? ` · from poller ${board.source}` : "");
      hide(foot, !board.at);
      hide(sums, board.state === "unknown");
      picture.update(history, looks);
    },
  };
}

function bar() {
  const name = said("", "span");
  const track = el("span", { class: "track", "aria-hidden": "true" }, el("i"), el("b"));
  const numbers = el("span", { class: "numbers" });
  const root = el("li", {}, name, track, numbers);
  return {
    root,
    update({ name: status, total, overdue, most }) {
      put(name, status);
      put(numbers, overdue ? `${total}, ${overdue} overdue` : total);
      root.style.setProperty("--share", total / most);
      root.style.setProperty("--overdue-share", overdue / most);
    },
  };
}
