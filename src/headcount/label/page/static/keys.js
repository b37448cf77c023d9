// Every key in one table: what the page shows of keys and what they do cannot differ.

// [heading, [[keys, words, action], …]]; an action may be empty where something else listens.
export const KEYS = [
  ["Draw", [
    [["p"], "Point: a click marks a head", "tool:point"],
    [["b"], "Box: drag it around a head", "tool:box"],
    [["s"], "Select, move, frame", "tool:select"],
    [["g"], "Region that counts, corner by corner", "tool:area"],
    [["Delete", "Backspace"], "Remove the selected, or what is under the pointer", "remove"],
    [["Ctrl+z"], "Undo", "undo"],
    [["Ctrl+y", "Ctrl+Shift+z"], "Redo", "redo"],
    [["Ctrl+a"], "Select all in view", "all"],
    [["Escape"], "Give up, select nothing", "cancel"],
  ]],
  ["Without a mouse", [
    [["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], "Move the cross (Shift: a pixel at a time)", ""],
    [["Enter"], "Mark, begin or end there", "act"],
    [["Shift+Enter"], "Begin there, and keep what is selected", "act-add"],
    [["Alt+Arrows"], "Make the selected box wider, narrower, taller, lower", ""],
    [["h", "Shift+h"], "Select the next or previous head", "walk-head"],
    [["Tab"], "From the picture to the buttons and back", ""],
  ]],
  ["Model", [
    [["a"], "Suggest heads", "suggest"],
    [["y"], "Accept the selected suggestions", "accept"],
    [["n"], "Reject them", "reject"],
    [["Shift+y"], "Accept all in view", "accept-view"],
    [["."], "Next suggestion", "next"],
    [[","], "Previous suggestion", "previous"],
  ]],
  ["View", [
    [["Wheel"], "Zoom at the pointer", ""],
    [["+", "-"], "Zoom", "zoom"],
    [["Space+drag", "Right+drag"], "Move the picture", ""],
    [["Ctrl+Arrows"], "Move the picture", ""],
    [["0"], "Fit the picture", "fit"],
    [["1"], "One pixel a pixel", "full"],
    [["k"], "Show boxes or not", "boxes"],
    [["u"], "Show marks or not", "marks"],
    [["l"], "List of images", "list"],
    [["t"], "Tools", "panel"],
    [["?"], "This list", "help"],
  ]],
  ["Progress", [
    [["d"], "Block is done (or not)", "block-done"],
    [["j"], "Next block to do", "block-next"],
    [["Shift+d"], "Image is done (or not)", "done"],
    [["PageDown"], "Next image to do", "image-next"],
    [["PageUp"], "Previous image", "image-previous"],
  ]],
];

const SHOWN = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc",
  PageDown: "PgDn", PageUp: "PgUp",
};
const ROWS = KEYS.flatMap(([, rows]) => rows);
const ACTIONS = new Map(ROWS.flatMap(([keys, , action]) => keys.map((key) => [key, action])));

// The action of a key that was pressed; empty where there is none.
export function actionOf(event) {
  const isSign = !/^[a-z]$/i.test(event.key) && event.key.length === 1;
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) return "";
  if (event.shiftKey && !isSign) parts.push("Shift");
  parts.push(event.key.length === 1 ? event.key.toLowerCase() : event.key);
  const name = parts.join("+");
  return name === "=" ? "zoom" : ACTIONS.get(name) ?? "";
}

export function showKeys(place) {
  for (const [heading, rows] of KEYS) {
    const section = document.createElement("section");
    const title = document.createElement("h3");
    title.textContent = heading;
    const list = document.createElement("dl");
    for (const [keys, words] of rows) {
      const term = document.createElement("dt");
      keys.forEach((key, at) => {
        const name = (part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part);
        const shown = key.split("+").filter(Boolean).map(name);
        const sign = document.createElement("kbd");
        sign.textContent = key === "+" ? "+" : shown.join(" ");
        if (at) term.append(" ");
        term.append(sign);
      });
      const text = document.createElement("dd");
      text.textContent = words;
      list.append(term, text);
    }
    section.append(title, list);
    place.append(section);
  }
}
