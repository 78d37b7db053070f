// Owns what is wrong: found in all sections, in plain words with what to do, told by list, title and favicon.

import { attribute, byId, el, hide, keyed, put, said } from "./dom.js";
import { setTime, time } from "./clock.js";
import { ofKind } from "./feed.js";
import { count, list, POLLS } from "./words.js";

let announced = new Map();
let lost = false;

/** Give all faults: {id, title, text, advice, since, next}. */
export function find(sections) {
  return [
    ...ofBroker(sections.get("broker")),
    ...ofKind(sections, "node").flatMap(ofNode),
    ...ofKind(sections, "poller").flatMap(ofPoller),
    ...ofKind(sections, "board").flatMap(ofBoard),
  ];
}

function ofBroker(broker) {
  if (!broker) return [];
  const denied = (broker.denied ?? []).map((topic) => ({
    id: `denied/${topic}`, title: "The broker does not let this page read everything", text: topic,
    advice: "Let the user of this page read this topic: apimon-node acl --operator NAME prints how.",
  }));
  if (broker.state !== "lost") return denied;
  return [{ id: "broker", title: "The broker cannot be reached", text: broker.text, since: broker.since,
    advice: "Nodes go on with what they know. See that the broker runs; everybody comes back by himself." }, ...denied];
}

function ofNode(node) {
  const own = node.faults.map((fault) => ({
    id: `node/${node.id}/${fault.name}/${fault.text}`, title: `Node ${node.id}`, text: fault.text, advice: fault.advice,
    since: fault.since, next: fault.retry_at,
  }));
  if (node.online !== false) return own;
  return [{ id: `node/${node.id}`, title: `Node ${node.id} is offline`, text: "It was stopped, or has lost its power or its network.",
    advice: "Start it with apimon-node run, and ask apimon-node doctor there." }];
}

function ofPoller(poller) {
  if (poller.online === false) {
    return [{ id: `poller/${poller.id}`, title: `Poller ${poller.id} is offline`, text: "Nobody asks Jira on its behalf.",
      advice: "Start it with apimon-node poll." }];
  }
  return poller.boards.filter((board) => board.state && board.state !== "ok").map((board) => ({
    id: `poller/${poller.id}/${board.name}`, title: `${POLLS[board.state] ?? "Jira fails"}: board ${board.name}`,
    text: board.detail, advice: board.advice, since: board.checked_at, next: board.next_poll_at,
  }));
}

function ofBoard(board) {
  if (board.state !== "stale") return [];
  return [{ id: `board/${board.name}`, title: `Board ${board.name} is stale`, text: "Its last snapshot holds no longer.", since: board.valid_until,
    advice: `See that ${board.source ? `poller ${board.source}` : "whoever publishes it"} runs and reaches Jira.` }];
}

/** Tell in title and favicon, which are seen when the page is not. */
export function signal(faults) {
  const bad = faults.length > 0 || lost;
  const title = lost ? "No connection · apimon" : bad ? `${count(faults.length, "fault")} · apimon` : "apimon";
  if (document.title !== title) document.title = title;
  attribute(byId("favicon"), "href", bad ? "/static/favicon-fault.svg" : "/static/favicon.svg");
}

/** Say that our own server is lost, or is there. */
export function feedLost(now, sections) {
  lost = now;
  banner(sections);
  signal(find(sections));
}

function banner(sections) {
  const broker = sections.get("broker");
  const away = broker && broker.state === "lost";
  put(byId("banner-title"), lost ? "This page has lost its server." : "The broker cannot be reached.");
  put(byId("banner-text"), lost ? "What you see is old. It connects again by itself; see that apimon-node view runs."
    : "What you see is what was known before. It connects again by itself.");
  hide(byId("banner"), !lost && !away);
  const state = lost ? "lost" : broker?.state ?? "connecting";
  attribute(byId("connection"), "data-state", state);
  put(byId("connection-text"), lost ? "no connection" : { connected: broker?.text || "connected", lost: "broker lost" }[state] ?? "connecting to the broker");
}

export function draw(sections) {
  const faults = find(sections);
  banner(sections);
  const waiting = sections.get("broker")?.state !== "connected" && faults.length === 0;
  put(byId("state-title"), waiting ? "Waiting for the broker" : faults.length ? `${count(faults.length, "thing")} to look at` : "Everything works");
  attribute(byId("state-title"), "data-state", waiting ? "waiting" : faults.length ? "bad" : "good");
  keyed(byId("faults"), faults, (fault) => fault.id, item);
  announce(faults);
}

/** Say what is new, for those who do not see it. */
function announce(faults) {
  const now = new Map(faults.map((fault) => [fault.id, fault]));
  const come = faults.filter((fault) => !announced.has(fault.id)).map((fault) => `${fault.title}: ${fault.text}`);
  const gone = [...announced.values()].filter((fault) => !now.has(fault.id)).map((fault) => fault.title);
  const words = [...come, ...(gone.length ? [`No longer: ${list(gone)}.`] : [])];
  if (words.length) put(byId("say"), words.join(" "));
  announced = now;
}

function item() {
  const title = said("", "h3");
  const text = said("", "p");
  const advice = el("p", { class: "advice" });
  const since = time("ago");
  const next = time("next");
  const times = el("p", { class: "soft" }, el("span", {}, "since ", since), el("span", {}, " · next try ", next));
  const root = el("li", {}, title, text, advice, times);
  return {
    root,
    update(fault) {
      put(title, fault.title);
      put(text, fault.text);
      put(advice, fault.advice);
      hide(text, !fault.text);
      hide(advice, !fault.advice);
      setTime(since, fault.since);
      setTime(next, fault.next);
      hide(since.parentNode, !fault.since);
      hide(next.parentNode, !fault.next);
      hide(times, !fault.since && !fault.next);
    },
  };
}
