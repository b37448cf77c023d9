// Small things that several parts of the page need.

export const $ = (id) => document.getElementById(id);

// A number with its noun: "1 head", "2,000 heads".
export const number = (value, noun) => `${value.toLocaleString("en")} ${noun}${value === 1 ? "" : "s"}`;
