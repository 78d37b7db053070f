// Owns the connection to the server, and what it has said: the sections by id.

const SILENCE = 30000; // milliseconds: three heartbeats of the server (feed.py)
const AGAIN = 2000; // milliseconds until another try, where the browser gives up

/**
 * Listen for ever. `changed(sections, ids)` is called with all sections and the ids of those that are others now,
 * `tell(lost)` when the server is gone or there again.
 */
export function listen(changed, tell) {
  const sections = new Map();
  let gone = false;
  let source;
  let silence;

  function open() {
    source = new EventSource("/feed");
    source.addEventListener("open", alive);
    source.addEventListener("beat", alive);
    source.addEventListener("message", (message) => {
      alive();
      take(JSON.parse(message.data));
    });
    source.addEventListener("error", () => {
      lost(true);
      if (source.readyState === EventSource.CLOSED) later(AGAIN); // the browser itself does not try again
    });
  }

  function alive() {
    lost(false);
    later(SILENCE);
  }

  function lost(now) {
    if (now !== gone) tell(now);
    gone = now;
  }

  function later(milliseconds) {
    clearTimeout(silence);
    silence = setTimeout(() => {
      lost(true);
      source.close();
      open();
    }, milliseconds);
  }

  function take(event) {
    const ids = new Set(Object.keys(event.sections));
    if (event.all) for (const id of sections.keys()) if (!ids.has(id)) ids.add(id);
    for (const id of ids) {
      const section = event.sections[id] ?? null;
      if (section === null) sections.delete(id);
      else sections.set(id, section);
    }
    changed(sections, ids);
  }

  open();
  later(SILENCE);
}

/** Give the sections of a kind (the part of their id before the slash), in the order of their ids. */
export function ofKind(sections, kind) {
  return [...sections].filter(([id]) => id.startsWith(`${kind}/`)).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, section]) => section);
}
