// Owns the times on the page: each is the text of a <time> that is written anew as it passes.

import { attribute, el, put } from "./dom.js";
import { duration } from "./words.js";

const EVERY = 5000; // milliseconds

const FORMS = {
  ago: (seconds) => `${duration(-seconds)} ago`,
  age: (seconds) => duration(-seconds),
  due: (seconds) => (Math.round(seconds) > 0 ? `due in ${duration(seconds)}` : `overdue for ${duration(-seconds)}`),
  next: (seconds) => (Math.round(seconds) > 0 ? `in ${duration(seconds)}` : "now"),
};

/** Make a time of one of the forms above. */
export const time = (form) => el("time", { "data-form": form });

/** Let it tell of a moment (RFC 3339), or of none. */
export function setTime(node, moment) {
  attribute(node, "datetime", moment);
  attribute(node, "title", moment && new Date(moment).toLocaleString());
  write(node);
}

function write(node) {
  const moment = Date.parse(node.getAttribute("datetime"));
  put(node, Number.isNaN(moment) ? "" : FORMS[node.dataset.form]((moment - Date.now()) / 1000));
}

setInterval(() => {
  if (!document.hidden) document.querySelectorAll("time[datetime]").forEach(write);
}, EVERY);
document.addEventListener("visibilitychange", () => document.querySelectorAll("time[datetime]").forEach(write));
