// Every key in one table: what the page shows of keys and what they do cannot differ.

// [keys, words, action]; an action is empty where something else listens.
export const KEYS = [
  [["p"], "Mark a point of the ground", "tool:point"],
  [["z"], "Draw a zone", "tool:zone"],
  [["l"], "Draw a line", "tool:line"],
  [["m"], "Move what is drawn", "tool:move"],
  [["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], "Move the cross (Shift: by one pixel)", ""],
  [["Enter"], "Mark a place where the cross is; at the first corner it closes the zone", "act"],
  [["c"], "Close the zone that is being drawn", "close"],
  [[".", ","], "Select the next or the one before of all points and corners", "walk"],
  [["Alt+Arrows"], "Move the selected point or corner (Shift: by one pixel)", ""],
  [["Delete", "Backspace"], "Remove the selected; while drawing, the last corner", "remove"],
  [["Ctrl+z"], "Undo", "undo"],
  [["Ctrl+y", "Ctrl+Shift+z"], "Redo", "redo"],
  [["Escape"], "Give up what is being drawn, select nothing", "cancel"],
  [["+", "-"], "Zoom", "zoom"],
  [["0"], "Show all of the picture", "fit"],
  [["Wheel"], "Zoom at the pointer; a drag beside everything moves the picture", ""],
  [["g"], "Show the grid of metres or not", "grid"],
  [["Ctrl+s"], "Save", "save"],
  [["Tab"], "From the picture to the fields and back", ""],
  [["?"], "This list", "help"],
];

const SHOWN = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Delete: "Del" };
const ACTIONS = new Map(KEYS.flatMap(([keys, , action]) => keys.map((key) => [key, action])));

// The action of a key that was pressed; empty where there is none.
export function actionOf(event) {
  if (event.altKey) return "";
  const isSign = !/^[a-z]$/i.test(event.key) && event.key.length === 1;
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.shiftKey && !isSign && event.key.length === 1) parts.push("Shift");
  parts.push(event.key.length === 1 ? event.key.toLowerCase() : event.key);
  const name = parts.join("+");
  return name === "=" ? "zoom" : (ACTIONS.get(name) ?? "");
}

export function showKeys(place) {
  for (const [keys, words] of KEYS) {
    const term = document.createElement("dt");
    keys.forEach((key, at) => {
      const name = (part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part);
      const sign = document.createElement("kbd");
      sign.textContent = key === "+" ? "+" : key.split("+").filter(Boolean).map(name).join(" ");
      if (at) term.append(" ");
      term.append(sign);
    });
    const text = document.createElement("dd");
    text.textContent = words;
    place.append(term, text);
  }
}
