// The fields beside the picture: what is drawn, in words and numbers.

import { $, made, metres, typed } from "./words.js";

const DRAWN = [
  ["", "ground, if points are marked"],
  ["ground", "ground that people stand on"],
  ["heads", "people's heads"],
];

export class Panel {
  constructor({ draft, tools, chosen }) {
    Object.assign(this, { draft, tools, chosen, rows: "" });
    const field = (id, key) => {
      $(id).addEventListener("input", () => draft.do((next) => (next[key] = $(id).value), id));
      $(id).addEventListener("keydown", (event) => event.key === "Enter" && $("surface").focus());
    };
    field("site", "site");
    field("name", "name");
    field("person", "person");
    field("fov", "fov");
    field("height", "height");
  }

  // Show the draft, and what the server makes of it.
  tell(looked, about) {
    const { now } = this.draft;
    for (const id of ["site", "name", "person", "fov", "height"]) {
      if ($(id).value !== String(now[id] ?? "") && document.activeElement !== $(id)) $(id).value = now[id] ?? "";
    }
    $("site-part").hidden = about.mode !== "new";
    $("name-problem").hidden = !looked.name_problem;
    $("name-problem").textContent = looked.name_problem;
    $("name").setAttribute("aria-invalid", String(Boolean(looked.name_problem)));
    $("fit").textContent = looked.fit.text;
    $("fit").dataset.state = looked.fit.state;
    if (now.fov || now.height) $("lens").open = true;
    this.build();
    now.points.forEach((point, at) => this.tellPoint(at, point, looked.points[at]));
    for (const list of ["zones", "lines"]) {
      now[list].forEach((shape, at) => this.tellShape(list, at, shape, looked[list][at]));
    }
  }

  // The rows are made anew only when there are others: whoever types in one keeps his place.
  build() {
    const { now } = this.draft;
    const rows = [now.points.length, now.zones.length, now.lines.length].join();
    if (rows === this.rows) return;
    this.rows = rows;
    $("points").hidden = !now.points.length;
    $("points").tBodies[0].replaceChildren(...now.points.map((point, at) => this.pointRow(at)));
    for (const list of ["zones", "lines"]) {
      $(list).replaceChildren(...now[list].map((shape, at) => this.shapeRow(list, at)));
    }
  }

  pointRow(at) {
    const input = (axis) => {
      const field = made("input", { id: `point-${at}-${axis}`, inputMode: "decimal", autocomplete: "off" });
      field.setAttribute("aria-label", `Point ${at + 1}, ${axis} in metres`);
      field.addEventListener("input", () => {
        this.draft.do((next) => (next.points[at][axis] = field.value), field.id);
      });
      field.addEventListener("focus", () => this.tools.select(["points", at, 0]));
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        if (axis === "x") $(`point-${at}-y`).focus();
        else $("surface").focus();
      });
      return field;
    };
    const remove = made("button", { className: "quiet", onclick: () => this.draft.remove(["points", at, 0]) }, "✕");
    remove.setAttribute("aria-label", `Remove point ${at + 1}`);
    return made(
      "tr",
      { id: `point-${at}` },
      made("th", { scope: "row" }, String(at + 1)),
      made("td", {}, input("x")),
      made("td", {}, input("y")),
      made("td", { className: "off" }),
      made("td", {}, remove),
    );
  }

  tellPoint(at, point, looked) {
    const row = $(`point-${at}`);
    for (const axis of ["x", "y"]) {
      const field = $(`point-${at}-${axis}`);
      if (document.activeElement !== field) field.value = point[axis];
      field.setAttribute("aria-invalid", String(point[axis] !== "" && typed(point[axis]) === null));
    }
    const off = row.querySelector(".off");
    const value = looked?.off_m;
    off.textContent = value === null || value === undefined ? "–" : metres(value) + (looked.is_bad ? " !" : "");
    row.classList.toggle("bad", Boolean(looked?.is_bad));
    row.classList.toggle("chosen", this.tools.selected?.[0] === "points" && this.tools.selected[1] === at);
  }

  shapeRow(list, at) {
    const word = list === "zones" ? "zone" : "line";
    const name = made("input", { id: `${list}-${at}-name`, maxLength: 64, autocomplete: "off", spellcheck: false });
    name.setAttribute("aria-label", `Name of ${word} ${at + 1}`);
    name.addEventListener("input", () => this.draft.do((next) => (next[list][at].name = name.value), name.id));
    name.addEventListener("focus", () => this.tools.select([list, at, 0]));
    name.addEventListener("keydown", (event) => event.key === "Enter" && $("surface").focus());
    const drawn = made("select", { id: `${list}-${at}-drawn` });
    drawn.append(...DRAWN.map(([value, text]) => made("option", { value }, text)));
    drawn.addEventListener("change", () => this.draft.do((next) => (next[list][at].drawn = drawn.value)));
    const remove = made("button", { className: "quiet", onclick: () => this.draft.remove([list, at, 0], true) }, "✕");
    remove.setAttribute("aria-label", `Remove ${word} ${at + 1}`);
    const turn = made("button", {
      onclick: () => this.draft.do((next) => next[list][at].corners.reverse()),
    }, "Turn the arrow");
    return made(
      "li",
      { id: `${list}-${at}` },
      made("div", { className: "row" }, name, remove),
      made("p", { className: "said" }),
      made("label", { className: "small drawn" }, "Drawn around ", drawn),
      ...(list === "lines" ? [turn] : []),
    );
  }

  tellShape(list, at, shape, looked) {
    const row = $(`${list}-${at}`);
    const name = $(`${list}-${at}-name`);
    if (document.activeElement !== name) name.value = shape.name;
    $(`${list}-${at}-drawn`).value = shape.drawn;
    row.querySelector(".drawn").hidden = shape.unit === "metres";
    const turn = row.querySelector("li > button");
    if (turn) turn.hidden = shape.unit === "metres";
    const said = row.querySelector(".said");
    said.textContent = looked ? looked.problem || looked.text : "";
    said.className = looked?.problem ? "said problem" : "said small";
    row.classList.toggle("chosen", this.tools.selected?.[0] === list && this.tools.selected[1] === at);
  }

  // Go to the field of what was just drawn.
  enter([list, at]) {
    this.build();
    const field = $(list === "points" ? `point-${at}-x` : `${list}-${at}-name`);
    field?.focus();
    field?.select();
  }
}
