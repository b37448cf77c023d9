// What is being set up: plain data, every change of which can be undone, kept in this browser until it is saved.

const MOST_STEPS = 300;

export class Draft {
  constructor(id, begin, changed) {
    this.key = `headcount:draft:${id}`;
    this.changed = changed;
    this.undone = [];
    this.done = [];
    this.begin = JSON.stringify(begin);
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(this.key));
    } catch {
      // a browser that keeps nothing, or something else under this name
    }
    this.isKept = Array.isArray(kept?.points) && JSON.stringify(kept) !== this.begin;
    this.now = this.isKept ? kept : begin;
  }

  // Change it. Changes of one field that follow each other are one step.
  do(change, field = "") {
    const before = JSON.stringify(this.now);
    const next = structuredClone(this.now);
    change(next);
    if (JSON.stringify(next) === before) return;
    if (!field || this.field !== field) this.done.push(before);
    if (this.done.length > MOST_STEPS) this.done.shift();
    this.field = field;
    this.undone = [];
    this.now = next;
    this.keep();
  }

  undo() {
    this.step(this.done, this.undone);
  }

  redo() {
    this.step(this.undone, this.done);
  }

  step(from, to) {
    if (!from.length) return;
    to.push(JSON.stringify(this.now));
    this.now = JSON.parse(from.pop());
    this.field = "";
    this.keep();
  }

  // As it was before anything was drawn; that, too, can be undone.
  clear() {
    this.do((next) => Object.assign(next, JSON.parse(this.begin)));
  }

  keep() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.now));
    } catch {
      // it is kept as long as the page is open
    }
    this.changed();
  }

  // It is in the file now, and this is where the next one begins.
  saved() {
    this.begin = JSON.stringify(this.now);
    try {
      localStorage.removeItem(this.key);
    } catch {
      // nothing was kept
    }
  }

  get isSaved() {
    return JSON.stringify(this.now) === this.begin;
  }

  // Every place that can be moved: [list, index of what, index of its corner, x, y].
  *handles() {
    for (const [at, point] of this.now.points.entries()) yield ["points", at, 0, ...point.pixel];
    for (const list of ["zones", "lines"]) {
      for (const [at, shape] of this.now[list].entries()) {
        if (shape.unit === "metres") continue;
        for (const [corner, place] of shape.corners.entries()) yield [list, at, corner, ...place];
      }
    }
  }

  move([list, at, corner], place, field) {
    this.do((next) => {
      const one = next[list][at];
      if (list === "points") one.pixel = place;
      else one.corners[corner] = place;
    }, field);
  }

  // Take away a point, a line or a corner; of a zone of three corners all of it.
  remove([list, at, corner], isWhole = false) {
    this.do((next) => {
      const one = next[list][at];
      if (list === "zones" && !isWhole && one.corners.length > 3) one.corners.splice(corner, 1);
      else next[list].splice(at, 1);
    });
  }

  freeName(list, word) {
    const names = new Set(this.now[list].map((one) => one.name));
    for (let number = 1; ; number++) if (!names.has(`${word} ${number}`)) return `${word} ${number}`;
  }
}
