// Owns the buttons that break and mend things. They exist in the demo alone.

import { attribute, byId, el, hide, keyed, put } from "./dom.js";

export function draw(sections) {
  const buttons = sections.get("tour") ?? [];
  keyed(byId("tour-list"), buttons, (button) => button.name, item);
  hide(byId("tour"), buttons.length === 0);
}

function item() {
  const button = el("button", { type: "button" });
  const text = el("span", { class: "soft" });
  let name = "";
  button.addEventListener("click", async () => {
    attribute(button, "aria-busy", "true");
    put(byId("tour-error"), await press(name));
    attribute(button, "aria-busy", null);
  });
  return {
    root: el("li", {}, button, text),
    update(next) {
      name = next.name;
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
