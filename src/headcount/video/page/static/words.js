// Small things that several parts of the page need.

export const $ = (id) => document.getElementById(id);

export const metres = (value) => `${value.toFixed(2)} m`;

// A number that was typed, with a point or a comma; null where it is none.
export function typed(text) {
  const plain = String(text ?? "").trim().replace(",", ".");
  const value = Number(plain);
  return plain !== "" && Number.isFinite(value) ? value : null;
}

// An element with what is in it.
export function made(tag, settings = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(settings)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...inside);
  return element;
}
