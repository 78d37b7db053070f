// Owns the making of elements. What comes from outside becomes text, never markup, and is cut.

const LONGEST = 300; // characters of a text that are shown
const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function cut(value) {
  const text = String(value ?? "");
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}

/** Make an element with attributes; children are elements or texts. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) attribute(node, name, value);
  node.append(...children.map((child) => (child instanceof Node ? child : cut(child))));
  return node;
}

/** Show a text, where it is another. */
export function put(node, text) {
  const shown = cut(text);
  if (node.textContent !== shown) node.textContent = shown;
}

/** Set an attribute, where it is another; null takes it away. */
export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? "" : value);
}

export function hide(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/** Make an element for what others have said: its direction does not reach beyond it. */
export const said = (text = "", tag = "bdi") => el(tag, { dir: "auto", class: "said" }, text);

/** Let an anchor lead to a web address, or nowhere. */
export function lead(anchor, url) {
  const safe = typeof url === "string" && /^https?:\/\//.test(url) ? url : null;
  attribute(anchor, "href", safe);
  attribute(anchor, "target", safe && "_blank");
  attribute(anchor, "rel", safe && "noopener noreferrer");
}

const parts = new WeakMap(); // parent → its parts by key

/**
 * Let `parent` have one part for each item, in their order. A part is {root, update(item)}; those whose key stays
 * stay in the document, with the focus that they have.
 */
export function keyed(parent, items, keyOf, make) {
  const old = parts.get(parent) ?? new Map();
  const next = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!next.has(key)) next.set(key, [old.get(key) ?? make(item), item]);
  }
  for (const [key, part] of old) if (!next.has(key)) part.root.remove();
  let at = parent.firstElementChild;
  for (const [part, item] of next.values()) {
    part.update(item);
    if (part.root === at) at = at.nextElementSibling;
    else parent.insertBefore(part.root, at);
  }
  parts.set(parent, new Map([...next].map(([key, [part]]) => [key, part])));
}
