// Small things that several parts of the page need.

export const $ = (id) => document.getElementById(id);

// An element with its properties and what is in it.
export function make(tag, properties = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...inside.filter((each) => each !== null && each !== undefined));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
export function draw(tag, attributes = {}, ...inside) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

// Changes a text only where it is another one: what is told to screen readers is told once.
export function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

export const whole = (value) => Math.floor(Math.round(value * 1000) / 1000 + 0.5).toLocaleString("en");
export const plural = (value, noun) => `${value.toLocaleString("en")} ${noun}${value === 1 ? "" : "s"}`;

export const decimal = (value, digits = 1) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// "between 26 and 42 with a chance of 90 %"; empty for what has no range.
export function rangeOf(low, high, level) {
  if (low === null || low === undefined || high === null) return "";
  const chance = level ? ` with a chance of ${Math.round(level * 1000) / 10}\u00a0%` : "";
  return `between ${Math.floor(low).toLocaleString("en")} and ${Math.ceil(high).toLocaleString("en")}${chance}`;
}

export const amountRange = (amount) => (amount ? rangeOf(amount.low, amount.high, amount.level) : "");

export const clock = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

// "21:04:05" of today, with the day of others.
export function moment(at) {
  const then = new Date(at);
  const isToday = then.toDateString() === new Date().toDateString();
  return isToday ? clock(at) : `${then.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${clock(at)}`;
}

export function ago(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

// Said by screen readers; the same text again is said again.
export function say(text, id = "said") {
  const place = $(id);
  place.textContent = "";
  requestAnimationFrame(() => (place.textContent = text));
}

export const kept = {
  get(key, otherwise = "") {
    try {
      return localStorage.getItem(`headcount-${key}`) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`headcount-${key}`, value);
    } catch {
      // A browser that keeps nothing: it is asked again next time.
    }
  },
};
