// Owns what is wrong: found in all sections, in plain words with what to do, told by list, title and favicon.

import { attribute, byId, el, hide, keyed, put, said } from "./dom.js";
import { setTime, time } from "./clock.js";
import { ofKind } from "./feed.js";
import { count, list, POLLS } from "./words.js";

const SETTLE = 2000; // milliseconds in which faults may come and go before they are said aloud
const REPEATED = ["jira", "poller", "stale"]; // of a node: what pollers and boards say as well

let lost = false;
let current; // the faults, and the words for how it is
let saying; // the timer until they are said
let spoken = new Map(); // what was said, by the ids of the faults

/** Give all faults: {id, title, text, advice, since, next, boards}. What nodes repeat of a board is told once, by its source. */
export function find(sections) {
  const pollers = ofKind(sections, "poller").flatMap(ofPoller);
  const boards = ofKind(sections, "board").flatMap(ofBoard);
  const told = new Set([...pollers, ...boards].flatMap((fault) => fault.boards));
  return [
    ...(lost ? [SERVER] : []),
    ...ofBroker(sections.get("broker")),
    ...ofKind(sections, "node").flatMap((node) => ofNode(node, told)),
    ...pollers,
    ...boards,
  ];
}

const SERVER = {
  id: "server", title: "This page has lost its server", text: "What you see is old. It connects again by itself.",
  advice: "See that the program that serves it runs: apimon-node view, or the demo.",
};

function ofBroker(broker) {
  if (!broker) return [];
  const denied = (broker.denied ?? []).map((topic) => ({
    id: `denied/${topic}`, title: "The broker does not let this page read everything", text: topic,
    advice: "Let the user of this page read this topic: apimon-node acl --operator NAME prints how.",
  }));
  if (broker.state !== "lost") return denied;
  return [{ id: "broker", title: "The broker cannot be reached", text: broker.text, since: broker.since,
    advice: "What you see is from before. Nodes go on with what they know. See that the broker runs; all of them come back by themselves." }, ...denied];
}

function ofNode(node, told) {
  const repeats = (fault) => REPEATED.includes(fault.name) && told.has(fault.subject);
  if (node.online !== false) return node.faults.filter((fault) => !repeats(fault)).map(own(`node/${node.id}`, `Node ${node.id}`));
  return [{ id: `node/${node.id}`, title: `Node ${node.id} is offline`, text: "It was stopped, or has lost its power or its network.",
    advice: "Start it with apimon-node run, and ask apimon-node doctor there." }];
}

const own = (id, title) => (fault) => ({
  id: `${id}/${fault.name}/${fault.text}`, title, text: fault.text, advice: fault.advice,
  since: fault.since, next: fault.retry_at, boards: [],
});

function ofPoller(poller) {
  if (poller.online === false) {
    return [{ id: `poller/${poller.id}`, title: `Poller ${poller.id} is offline`, text: "Nobody asks Jira about its boards.",
      advice: "Start it with apimon-node poll.", boards: poller.boards.map((board) => board.name) }];
  }
  const failing = poller.boards.filter((board) => board.state && board.state !== "ok").map((board) => ({
    id: `poller/${poller.id}/${board.name}`, title: `${POLLS[board.state] ?? "Jira fails"}: board ${board.name}`,
    text: board.detail, advice: board.advice, since: board.checked_at, next: board.next_poll_at, boards: [board.name],
  }));
  return [...poller.faults.map(own(`poller/${poller.id}`, `Poller ${poller.id}`)), ...failing];
}

function ofBoard(board) {
  if (board.state !== "stale") return [];
  return [{ id: `board/${board.name}`, title: `Board ${board.name} is stale`, text: "Its last snapshot holds no longer.", since: board.valid_until,
    advice: `See that ${board.source ? `poller ${board.source}` : "whoever publishes it"} runs and reaches Jira.`,
    boards: [board.name] }];
}

/** Tell in title and favicon, which are seen when the page is not. */
export function signal(faults) {
  const title = faults.length ? `${count(faults.length, "fault")} · apimon` : "apimon";
  if (document.title !== title) document.title = title;
  attribute(byId("favicon"), "href", faults.length ? "/static/favicon-fault.svg" : "/static/favicon.svg");
}

/** Take in that our own server is lost, or is there again. */
export function serverLost(now, sections) {
  lost = now;
  signal(find(sections));
  draw(sections);
}

export function draw(sections) {
  const faults = find(sections);
  const [state, words] = verdict(sections, faults);
  put(byId("state-title"), words);
  attribute(byId("state-title"), "data-state", state);
  drawConnection(sections.get("broker"));
  keyed(byId("faults"), faults, (fault) => fault.id, item);
  announce(faults, words);
}

function verdict(sections, faults) {
  if (faults.length) return ["bad", `${count(faults.length, "thing")} to look at`];
  if (sections.get("broker")?.state !== "connected") return ["waiting", "Waiting for the broker"];
  const heard = ["node", "poller", "board"].some((kind) => ofKind(sections, kind).length);
  return heard ? ["good", "Everything works"] : ["waiting", "Nothing has been heard yet"];
}

function drawConnection(broker) {
  attribute(byId("connection"), "data-state", lost ? "lost" : broker?.state ?? "connecting");
  const words = { connected: broker?.text || "connected", lost: "broker lost" }[broker?.state] ?? "connecting to the broker";
  put(byId("connection-text"), lost ? "no connection" : words);
}

/** Say what is new, for those who do not see it; and how it is, once something is over. */
function announce(faults, words) {
  current = { faults, words };
  saying ??= setTimeout(() => {
    saying = undefined;
    const now = new Map(current.faults.map((fault) => [fault.id, `${fault.title}: ${fault.text}`]));
    const come = [...now].filter(([id]) => !spoken.has(id)).map(([, words]) => words);
    const over = [...spoken.keys()].some((id) => !now.has(id));
    const sentences = [...come, ...(over ? [current.words] : [])].map((one) => one.replace(/[^.?!]$/, "$&."));
    if (sentences.length) put(byId("say"), sentences.join(" "));
    spoken = now;
  }, SETTLE);
}

function item() {
  const title = said("", "h3");
  const text = said("", "p");
  const advice = el("p", { class: "advice" });
  const since = time("age");
  const next = time("next");
  const times = el("p", { class: "soft" }, el("span", {}, "for ", since), el("span", {}, " · next try ", next));
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
