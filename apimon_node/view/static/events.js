// Owns the last events of tickets, and the messages that could not be read.

import { attribute, byId, el, hide, keyed, lead, put, said } from "./dom.js";
import { setTime, time } from "./clock.js";

const TYPES = { created: "created", status_changed: "changed", overdue: "overdue", closed: "closed" };

export function draw(sections) {
  const events = sections.get("events") ?? [];
  keyed(byId("event-list"), events, (event) => [event.at, event.board, event.key, event.type, event.status].join("|"), row);
  hide(byId("no-events"), events.length > 0);
  const troubles = sections.get("troubles") ?? [];
  keyed(byId("trouble-list"), troubles, (text) => text, () => {
    const root = said("", "li");
    return { root, update: (text) => put(root, text) };
  });
  hide(byId("troubles"), troubles.length === 0);
}

function row() {
  const type = el("span", { class: "badge" });
  const key = said("", "a");
  const change = said("", "span");
  const at = time("ago");
  const summary = said("", "span");
  const root = el("li", { class: "event" }, el("p", {}, type, key, change, at), el("p", { class: "soft line" }, summary));
  return {
    root,
    update(event) {
      put(type, TYPES[event.type] ?? "?");
      attribute(type, "data-type", event.type);
      put(key, event.key);
      lead(key, event.url);
      put(change, event.type === "status_changed" && event.from ? `${event.from} → ${event.status ?? "?"}` : event.status);
      setTime(at, event.at);
      put(summary, [event.summary, `board ${event.board}`].filter(Boolean).join(" · "));
    },
  };
}
