// Owns the list of nodes and pollers, and how each of them is.

import { attribute, byId, el, hide, keyed, put, said } from "./dom.js";
import { setTime, time } from "./clock.js";
import { ofKind } from "./feed.js";
import { list, POLLS } from "./words.js";

const STATES = { starting: "starting", ok: "well", degraded: "goes on with a fault", error: "its strip fails" };

export function draw(sections) {
  const nodes = ofKind(sections, "node").map((node) => ({ ...node, kind: "node", ...ofNode(node) }));
  const pollers = ofKind(sections, "poller").map((poller) => ({ ...poller, kind: "poller", ...ofPoller(poller) }));
  const all = [...nodes, ...pollers];
  keyed(byId("machine-list"), all, (one) => `${one.kind}/${one.id}`, row);
  hide(byId("no-machines"), all.length > 0);
}

function ofNode(node) {
  const state = node.online === false ? "offline" : node.online === null ? "not heard" : STATES[node.state] ?? "online";
  const light = node.light && (node.light.state === "ON" ? lit(node.light) : "light off");
  const parts = [node.strips.length && `strips ${list(node.strips)}`, light, node.quiet && "quiet hours"];
  return { state, good: node.online === true && ["ok", null].includes(node.state), told: parts.filter(Boolean).join(" · ") };
}

function lit(light) {
  const effect = { steady: ", nothing moves", night: ", night: only what is overdue, dim" }[light.effect] ?? "";
  return `light on at ${Math.round((light.brightness / 255) * 100)} %${effect}`;
}

function ofPoller(poller) {
  const state = poller.online === false ? "offline" : poller.online === null ? "not heard" : poller.faults.length ? STATES.degraded : "online";
  const good = poller.online === true && !poller.faults.length && poller.boards.every((board) => board.state === "ok");
  const told = poller.boards.map((board) => `${board.name}: ${POLLS[board.state] ?? board.state}`).join(" · ");
  const checked = poller.boards.map((board) => board.checked_at).filter(Boolean).sort().at(-1) ?? null;
  return { state, good, told, checked };
}

function row() {
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  const name = said("", "strong");
  const kind = el("span", { class: "soft" });
  const state = el("span", { class: "state" });
  const told = said("", "span");
  const started = time("ago");
  const checked = time("ago");
  const version = said("", "span");
  const root = el("li", { class: "machine" }, mark,
    el("div", {}, el("p", {}, kind, " ", name, " ", state), el("p", { class: "soft" }, told),
      el("p", { class: "soft" }, version, el("span", {}, " · started ", started), el("span", {}, " · asked ", checked))));
  return {
    root,
    update(one) {
      put(name, one.id);
      put(kind, one.kind === "node" ? "Node" : "Poller");
      put(state, one.state);
      attribute(root, "data-good", one.good);
      put(told, one.told);
      hide(told.parentNode, !one.told);
      put(version, one.version ? `version ${one.version}` : "version unknown");
      setTime(started, one.started_at);
      hide(started.parentNode, !one.started_at);
      setTime(checked, one.checked);
      hide(checked.parentNode, !one.checked);
    },
  };
}
