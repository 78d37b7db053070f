// Owns the buttons that break and mend things. They exist in the demo alone.

import { attribute, byId, el, hide, keyed, put } from "./dom.js";

const AGAIN = 1500; // milliseconds until a button that shows nothing new may be pressed again

export function draw(sections) {
  const buttons = sections.get("tour") ?? [];
  keyed(byId("tour-list"), buttons, (button) => button.name, item);
  hide(byId("tour"), buttons.length === 0);
}

function item() {
  const button = el("button", { type: "button" });
  const text = el("span", { class: "soft" });
  let shown = {};
  let waiting; // the timer while it does not show yet what it was pressed for: a second press would undo the first
  const ready = () => {
    clearTimeout(waiting);
    waiting = undefined;
    attribute(button, "aria-busy", null);
  };
  button.addEventListener("click", async () => {
    if (waiting) return;
    waiting = setTimeout(ready, AGAIN);
    attribute(button, "aria-busy", "true");
    put(byId("tour-error"), await press(shown.name));
  });
  return {
    root: el("li", {}, button, text),
    update(next) {
      if (next.broken !== shown.broken) ready();
      shown = next;
      put(button, next.broken ? next.mend : next.label);
      attribute(button, "data-broken", Boolean(next.broken));
      attribute(button, "data-name", next.name);
      attribute(text, "id", `tour-${next.name}`);
      attribute(button, "aria-describedby", text.id);
      put(text, next.text);
    },
  };
}

/** Press it; give what is wrong, or nothing. */
async function press(name) {
  try {
    const answer = await fetch(`/tour/${encodeURIComponent(name)}`, { method: "POST" });
    return answer.ok ? "" : await answer.text();
  } catch {
    return "The server of this page does not answer.";
  }
}
