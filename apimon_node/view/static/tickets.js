// Owns the tickets behind the pixels: strips name them by board and key, and each is told once, whoever shows it.

let known = new Map();

/** Take in all sections. */
export function take(sections) {
  known = sections;
}

/** Give the key in a name, which has its board before the first slash. */
export const keyOf = (name) => name.slice(name.indexOf("/") + 1);

/** Give the tickets with some names, as far as they are known. One that is only counted has none: null. */
export const find = (names) => names.filter((name) => name !== null).map(one).filter(Boolean);

function one(name) {
  const board = known.get(`tickets/${name.slice(0, name.indexOf("/"))}`) ?? {};
  return Object.hasOwn(board, keyOf(name)) ? board[keyOf(name)] : null;
}
