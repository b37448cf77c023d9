// What a hand does on the picture, with a pointer or with keys: points, boxes, areas, and what is selected.

import { newId } from "./net.js";
import { Review } from "./review.js";

const NEAR_PX = 9;
const CLICK_PX = 4;
const LEAST_BOX_PX = 2;

export const HINTS = {
  point: "Click a head. Drag a point to move it, Delete removes it; a click on a suggestion accepts it.",
  box: "Drag a box around a head, far and near ones. Drag a corner of a selected box to change it.",
  select: "Click or drag a frame; Shift adds. Drag moves, Delete removes, Y accepts, N rejects suggestions.",
  area: "Click the corners of the region that counts; Enter or a click on the first corner closes it, Ctrl Z takes a corner back, Esc all.",
};

export class Tools {
  // app: { labels, view, canEdit(), changed(), boxes, tell(text) }
  constructor(surface, app) {
    Object.assign(this, { surface, app, labels: app.labels, view: app.view });
    this.tool = "point";
    this.review = new Review(this);
    this.selected = new Set();
    this.clear();
    const on = (name, handler, options) => surface.addEventListener(name, handler.bind(this), options);
    on("pointerdown", this.down);
    on("pointermove", this.moved);
    on("pointerup", this.up);
    on("pointercancel", this.cancelDrag);
    on("pointerleave", () => {
      this.pointer = null;
      this.app.told();
    });
    on("dblclick", () => this.tool === "area" && this.corners.length >= 3 && this.closeArea());
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", this.wheel, { passive: false });
  }

  clear() {
    this.selected.clear();
    this.drag = null;
    this.corners = [];
    this.cross = null;
    this.isCross = false;
    this.pointer = null;
    this.walked = null;
  }

  use(tool) {
    this.cancel();
    this.tool = tool;
    this.app.changed();
  }

  // Where the hand is: the pointer, or the cross that the arrow keys move.
  get hand() {
    if (this.isCross && this.cross) return this.cross;
    return this.pointer ? this.view.place(...this.pointer) : this.cross;
  }

  // Places lie within the picture, to a hundredth of a pixel.
  within([x, y]) {
    const [width, height] = this.view.image.size;
    const round = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 100) / 100;
    return [round(x, width), round(y, height)];
  }

  isInside([x, y]) {
    const [width, height] = this.view.image.size;
    return x >= 0 && y >= 0 && x <= width && y <= height;
  }

  // The head or suggestion whose mark, or else whose box, is at a place; marks and small boxes first.
  at([x, y], kinds = ["head", "suggestion"]) {
    const reach = NEAR_PX / this.view.scale;
    let best = null;
    let least = Infinity;
    for (const [id, thing] of this.labels.things) {
      if (!kinds.includes(thing.t)) continue;
      const far = Math.hypot(thing.x - x, thing.y - y);
      if (far <= reach && far < least) [best, least] = [id, far];
    }
    return best;
  }

  handleAt([x, y]) {
    if (this.selected.size !== 1) return null;
    const [id] = this.selected;
    const thing = this.labels.things.get(id);
    const reach = NEAR_PX / this.view.scale;
    const near = ([cx, cy]) => Math.hypot(cx - x, cy - y) <= reach;
    if (thing?.t === "area") {
      for (const [ring, corners] of thing.rings.entries()) {
        const at = corners.findIndex(near);
        if (at >= 0) return { id, ring, at };
      }
      return null;
    }
    const box = thing && this.boxOf(id, thing);
    if (!box || thing.t !== "head") return null;
    const corners = cornersOf(box);
    const at = corners.findIndex(near);
    return at < 0 ? null : { id, at, fixed: corners[(at + 2) % 4] };
  }

  boxOf(id, thing) {
    return thing.box ?? (thing.t === "head" ? this.app.boxes.found.get(id) : undefined);
  }

  areaAt([x, y]) {
    const reach = NEAR_PX / this.view.scale;
    for (const [id, area] of this.labels.of("area")) {
      for (const ring of area.rings) {
        for (const [at, [x1, y1]] of ring.entries()) {
          const [x2, y2] = ring[(at + 1) % ring.length];
          const [dx, dy] = [x2 - x1, y2 - y1];
          const along = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
          if (Math.hypot(x1 + along * dx - x, y1 + along * dy - y) <= reach) return id;
        }
      }
    }
    return null;
  }

  // ---- pointer

  place(event) {
    const { left, top } = this.surface.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  down(event) {
    if (!this.view.image?.size[0]) return;
    this.surface.focus({ preventScroll: true });
    this.isCross = false;
    const at = this.place(event);
    this.pointer = at;
    this.surface.setPointerCapture(event.pointerId);
    if (event.button === 1 || event.button === 2 || this.isSpace) {
      this.drag = { kind: "pan", last: at };
      this.surface.dataset.cursor = "grabbing";
      event.preventDefault();
      return;
    }
    if (event.button === 0) this.begin(this.view.place(...at), { add: event.shiftKey });
  }

  begin(start, { add = false } = {}) {
    const base = { start, now: start, add };
    if (!this.app.canEdit()) {
      this.drag = { ...base, kind: "frame" };
      return;
    }
    if (this.tool === "area") {
      this.addCorner(start);
      return;
    }
    const handle = this.tool === "point" ? null : this.handleAt(start);
    if (handle) {
      this.drag = { ...base, kind: "handle", handle };
      return;
    }
    const hit = this.at(start);
    if (hit && this.tool !== "box") {
      if (!this.selected.has(hit) || add) this.select(hit, add);
      this.drag = { ...base, kind: "move", hit };
    } else if (this.tool === "point") this.drag = this.isInside(start) ? { ...base, kind: "point" } : null;
    else if (this.tool === "box") this.drag = { ...base, kind: "box", hit };
    else {
      const area = this.areaAt(start);
      if (area) {
        this.select(area, add);
        this.drag = null;
      } else this.drag = { ...base, kind: "frame" };
    }
    this.app.changed();
  }

  moved(event) {
    const at = this.place(event);
    this.pointer = at;
    if (this.drag?.kind === "pan") {
      this.view.pan(at[0] - this.drag.last[0], at[1] - this.drag.last[1]);
      this.drag.last = at;
      return;
    }
    this.isCross = false;
    if (this.view.image?.size[0]) {
      this.aim(this.view.place(...at));
      if (!this.drag) this.surface.dataset.cursor = this.cursor(this.view.place(...at));
    }
    this.app.told();
  }

  cursor(place) {
    if (this.isSpace) return "grab";
    const handle = this.tool === "select" || this.tool === "box" ? this.handleAt(place) : null;
    if (handle) return handle.fixed ? ["nwse-resize", "nesw-resize"][handle.at % 2] : "move";
    if (this.tool === "select") return this.at(place) || this.areaAt(place) ? "move" : "default";
    return this.tool === "point" && this.at(place) ? "move" : "crosshair";
  }

  // The hand is now there: what it drags follows.
  aim(place) {
    if (!this.drag || this.drag.kind === "pan") {
      if (this.corners.length) this.view.redrawLive();
      return;
    }
    this.drag.now = place;
    const far = Math.hypot(place[0] - this.drag.start[0], place[1] - this.drag.start[1]) * this.view.scale;
    if (far > CLICK_PX) this.drag.isFar = true;
    if (this.drag.isFar && ["handle", "box"].includes(this.drag.kind)) {
      const changes = this.outcome();
      if (changes) this.app.boxes.ask(changes);
    }
    this.view.redrawLive();
  }

  up(event) {
    if (this.drag?.kind === "pan") {
      this.drag = null;
      this.surface.dataset.cursor = this.isSpace ? "grab" : "crosshair";
      return;
    }
    if (!this.drag) return;
    this.aim(this.view.place(...this.place(event)));
    this.end();
  }

  // What is being drawn is meant so.
  end() {
    const { drag } = this;
    if (!drag) return;
    const changes = this.outcome();
    this.drag = null;
    if (drag.kind === "frame") this.selectFrame(drag);
    else if (drag.kind === "move" && !drag.isFar) this.clicked(drag.hit);
    else if (drag.kind === "box" && !drag.isFar) this.select(drag.hit, drag.add);
    else if (changes) {
      this.labels.do(this.withPresets(changes));
      if (drag.kind !== "handle") {
        this.selected.clear();
        if (drag.kind !== "point") Object.keys(changes).forEach((id) => changes[id] && this.selected.add(id));
      }
      if (drag.kind === "move") drag.ids.forEach((id) => this.selected.add(id));
    }
    this.app.changed();
    this.app.boxes.ask();
  }

  clicked(hit) {
    if (this.tool === "point" && this.labels.things.get(hit)?.t === "suggestion") this.review.accept([hit]);
  }

  // The changes that what is being dragged would make if it ended now; null for none.
  outcome() {
    const { drag } = this;
    const things = this.labels.things;
    if (drag.kind === "point") {
      const [x, y] = this.within(drag.now);
      return { [newId(12)]: { t: "head", x, y } };
    }
    if (drag.kind === "move") {
      if (!drag.isFar) return null;
      const [dx, dy] = [drag.now[0] - drag.start[0], drag.now[1] - drag.start[1]];
      drag.ids = [...this.selected].filter((id) => things.get(id)?.x !== undefined);
      return Object.fromEntries(drag.ids.map((id) => [id, this.shifted(things.get(id), dx, dy)]));
    }
    if (drag.kind === "handle") {
      const thing = things.get(drag.handle.id);
      if (!thing || !drag.isFar) return null;
      if (thing.t === "area") {
        const rings = thing.rings.map((ring) => [...ring]);
        rings[drag.handle.ring][drag.handle.at] = this.within(drag.now);
        return { [drag.handle.id]: { ...thing, rings } };
      }
      const box = this.boxed(drag.handle.fixed, drag.now);
      return box && { [drag.handle.id]: { ...thing, box, made: "annotated", ...middleIn(thing, box) } };
    }
    if (drag.kind === "box" && drag.isFar) {
      const box = this.boxed(drag.start, drag.now);
      if (!box) return null;
      const owner = this.ownerOf(box);
      drag.owner ??= newId(12);
      const id = owner ?? drag.owner;
      const head = owner ? things.get(owner) : { t: "head", ...middleOf(box) };
      return { [id]: { t: "head", x: head.x, y: head.y, box, made: "annotated" } };
    }
    return null;
  }

  boxed(one, other) {
    const [[x1, y1], [x2, y2]] = [this.within(one), this.within(other)];
    const box = [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
    return box[2] - box[0] >= LEAST_BOX_PX && box[3] - box[1] >= LEAST_BOX_PX ? box : null;
  }

  shifted(thing, dx, dy) {
    // A box at the border is not made smaller by a move: the whole move is held back.
    const [width, height] = this.view.image.size;
    const box = thing.box ?? [thing.x, thing.y, thing.x, thing.y];
    const x = Math.min(Math.max(dx, -Math.min(box[0], thing.x)), width - Math.max(box[2], thing.x));
    const y = Math.min(Math.max(dy, -Math.min(box[1], thing.y)), height - Math.max(box[3], thing.y));
    const [nx, ny] = this.within([thing.x + x, thing.y + y]);
    if (!thing.box) return { ...thing, x: nx, y: ny };
    const corners = [this.within([box[0] + x, box[1] + y]), this.within([box[2] + x, box[3] + y])];
    return { ...thing, x: nx, y: ny, box: corners.flat() };
  }

  // The head that a drawn box is of: that without a drawn box whose point in it is nearest to its middle.
  ownerOf(box) {
    const [mx, my] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    let [best, least] = [null, Infinity];
    for (const [id, { x, y, made }] of this.labels.of("head")) {
      if (made === "annotated" || x < box[0] || y < box[1] || x > box[2] || y > box[3]) continue;
      const far = Math.hypot((x - mx) / (box[2] - box[0]), (y - my) / (box[3] - box[1]));
      if (far < least) [best, least] = [id, far];
    }
    return best;
  }

  // Boxes that came from a file as interpolated give way once a box is drawn: they follow from the drawn ones now.
  withPresets(changes) {
    if (!Object.values(changes).some((thing) => thing?.made === "annotated")) return changes;
    const all = { ...changes };
    for (const [id, thing] of this.labels.of("head")) {
      if (thing.made === "interpolated" && !(id in all)) all[id] = { t: "head", x: thing.x, y: thing.y };
    }
    return all;
  }

  cancelDrag() {
    this.drag = null;
    this.app.boxes.ask();
    this.view.redrawMarks();
  }

  cancel() {
    if (this.drag || this.corners.length) {
      this.drag = null;
      this.corners = [];
    } else this.selected.clear();
    this.app.boxes.ask();
    this.app.changed();
  }

  wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode ? 20 : 1;
    if (event.shiftKey) this.view.pan(-(event.deltaY || event.deltaX) * unit, 0);
    else this.view.zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY * unit)) / 180), ...this.place(event));
  }

  // ---- selection

  select(id, add = false) {
    if (!add) this.selected.clear();
    if (id && add && this.selected.has(id)) this.selected.delete(id);
    else if (id) this.selected.add(id);
    this.app.changed();
  }

  selectFrame({ start, now, add, isFar }) {
    if (!add) this.selected.clear();
    if (!isFar) return;
    const [x1, x2] = [start[0], now[0]].sort((a, b) => a - b);
    const [y1, y2] = [start[1], now[1]].sort((a, b) => a - b);
    for (const [id, { x, y }] of this.labels.things) {
      if (x >= x1 && x <= x2 && y >= y1 && y <= y2) this.selected.add(id);
    }
  }

  remove() {
    if (this.corners.length) {
      this.dropCorner();
      return;
    }
    const ids = this.selected.size ? [...this.selected] : this.hand ? [this.at(this.hand)].filter(Boolean) : [];
    if (ids.length && this.app.canEdit()) this.labels.do(Object.fromEntries(ids.map((id) => [id, null])));
    this.selected.clear();
    this.app.changed();
  }

  selectAll() {
    const [x1, y1, x2, y2] = this.view.seen();
    this.selectFrame({ start: [x1, y1], now: [x2, y2], add: false, isFar: true });
    this.app.changed();
  }

  // ---- areas

  dropCorner() {
    this.corners.pop();
    this.app.changed();
  }

  addCorner(place) {
    if (this.corners.length >= 3) {
      const [x, y] = this.view.screen(...this.corners[0]);
      const [px, py] = this.view.screen(...place);
      if (Math.hypot(x - px, y - py) <= NEAR_PX) {
        this.closeArea();
        return;
      }
    }
    const corner = this.within(place);
    const last = this.corners.at(-1);
    if (!last || last[0] !== corner[0] || last[1] !== corner[1]) this.corners.push(corner);
    this.app.changed();
  }

  closeArea() {
    if (this.corners.length < 3) return;
    const id = newId(12);
    this.labels.do({ [id]: { t: "area", rings: [this.corners] } });
    this.corners = [];
    this.select(id);
  }

  // ---- keys

  // Move the cross by CSS pixels; what is being drawn follows it.
  step(dx, dy) {
    if (!this.cross || !this.isCross) {
      this.cross = this.pointer && !this.isCross ? this.view.place(...this.pointer) : this.cross ?? this.middle();
      this.isCross = true;
    }
    this.cross = this.within([this.cross[0] + dx / this.view.scale, this.cross[1] + dy / this.view.scale]);
    this.keepInView();
    this.aim(this.cross);
    this.view.redrawLive();
    this.app.told();
  }

  middle() {
    return this.within(this.view.place(this.view.width / 2, this.view.height / 2));
  }

  keepInView() {
    const [x, y] = this.view.screen(...this.cross);
    const edge = Math.min(60, this.view.width / 4, this.view.height / 4);
    const dx = x < edge ? edge - x : x > this.view.width - edge ? this.view.width - edge - x : 0;
    const dy = y < edge ? edge - y : y > this.view.height - edge ? this.view.height - edge - y : 0;
    if (dx || dy) this.view.pan(dx, dy);
  }

  // Enter: what a press and a release do; a second one ends what the first began.
  act({ add = false } = {}) {
    if (!this.view.image?.size[0]) return;
    if (!this.isCross || !this.cross) {
      // The mouse draws: Enter ends the area that it clicked, and else only shows where the cross is.
      if (this.corners.length >= 3) this.closeArea();
      else this.step(0, 0);
      return;
    }
    if (this.tool === "area" && this.corners.length >= 3) {
      const last = this.corners.at(-1);
      const first = this.view.screen(...this.corners[0]);
      const here = this.view.screen(...this.cross);
      if (Math.hypot(first[0] - here[0], first[1] - here[1]) <= NEAR_PX || same(last, this.within(this.cross))) {
        this.closeArea();
        return;
      }
    }
    if (this.drag) {
      this.drag.isFar ||= this.drag.kind === "frame";
      this.end();
      return;
    }
    this.begin(this.cross, { add });
    const isAccepted = this.drag?.kind === "move" && this.tool === "point" && this.isSuggestion();
    if (this.drag?.kind === "point" || isAccepted) this.end();
    else if (this.drag) this.app.tell("Move with the arrow keys; Enter ends, Esc gives up.");
    this.view.redrawLive();
  }

  isSuggestion() {
    return this.labels.things.get(this.drag.hit)?.t === "suggestion";
  }

  // Make the selected head's box wider, narrower, taller or lower about its middle.
  resize(dw, dh) {
    if (!this.app.canEdit() || this.selected.size !== 1) return;
    const [id] = this.selected;
    const thing = this.labels.things.get(id);
    if (thing?.t !== "head") return;
    const box = this.boxOf(id, thing) ?? [thing.x - 8, thing.y - 10, thing.x + 8, thing.y + 10];
    const made = this.boxed([box[0] - dw, box[1] - dh], [box[2] + dw, box[3] + dh]);
    if (made) this.labels.do(this.withPresets({ [id]: { ...thing, box: made, made: "annotated" } }));
    this.app.boxes.ask();
  }

}

const same = (a, b) => a[0] === b[0] && a[1] === b[1];
// Clockwise from the upper left.
export const cornersOf = ([x1, y1, x2, y2]) => [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];
const middleOf = (box) => ({ x: (box[0] + box[2]) / 2, y: (box[1] + box[3]) / 2 });
// A head's point stays in its box.
const middleIn = ({ x, y }, box) => (x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3] ? {} : middleOf(box));
