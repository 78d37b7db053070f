// Owns the words: durations, colours, effects, states, for people who read rather than see.

const COLORS = {
  red: "ff0000", orange: "ff8000", amber: "ffbf00", yellow: "ffff00", lime: "00ff00", green: "008000",
  turquoise: "40e0d0", cyan: "00ffff", azure: "0080ff", blue: "0000ff", violet: "8000ff", purple: "800080",
  magenta: "ff00ff", pink: "ff80c0", white: "ffffff", grey: "808080", brown: "8b4513",
};
const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];
const FEW = 10; // of a larger number of units the smaller unit does not matter

export const EFFECTS = { steady: "steady", pulse: "pulses", blink: "blinks" };

export const POLLS = {
  ok: "Jira answers", offline: "Jira cannot be reached", auth: "Jira refuses the sign-in",
  query: "Jira refuses the query", rate_limited: "Jira asks us to wait", error: "Jira fails",
};

export const channels = (hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Give six hex digits, or black. */
export const color = (value) => (/^[0-9a-f]{6}$/i.test(value) ? value.toLowerCase() : "000000");

const named = new Map(); // the colours of a fleet are few, its pixels many

/** Name a colour: by its name, or by its digits and the nearest name. */
export function colorName(value) {
  const hex = color(value);
  if (!named.has(hex)) named.set(hex, nameOf(hex));
  return named.get(hex);
}

function nameOf(hex) {
  const distance = (other) => channels(other).reduce((sum, one, at) => sum + (one - channels(hex)[at]) ** 2, 0);
  const [name, nearest] = Object.entries(COLORS).reduce((a, b) => (distance(b[1]) < distance(a[1]) ? b : a));
  return nearest === hex ? name : `#${hex}, near ${name}`;
}

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** Write a duration of seconds: 40 s, 3 min, 2 h 5 min, 3 d. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  for (const [at, [unit, size]] of UNITS.entries()) {
    if (whole < size) continue;
    const [next, smaller] = UNITS[at + 1] ?? ["", size];
    const rest = Math.floor((whole % size) / smaller);
    const units = Math.floor(whole / size);
    return rest && next && units < FEW ? `${units} ${unit} ${rest} ${next}` : `${units} ${unit}`;
  }
  return `${whole} s`;
}

export const list = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

/** Give each name a letter of its own, one that it contains where that is free. */
export function letters(names) {
  const taken = new Set();
  return names.map((name) => {
    const wanted = [...name.toUpperCase(), ..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"];
    const letter = wanted.find((one) => /[A-Z0-9]/.test(one) && !taken.has(one)) ?? "+";
    taken.add(letter);
    return letter;
  });
}
