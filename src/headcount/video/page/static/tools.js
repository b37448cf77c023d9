// What hands do on the picture: mark, draw, move, zoom; by mouse, fingers or keys.

const NEAR_PX = 12;
const MOVED_PX = 4;
const HINTS = {
  point: "Click a place on the ground that you know, then type where it is.",
  zone: "Click the corners of the zone, one after the other.",
  line: "Click the line's first end, then its second.",
  move: "Drag a point or a corner; click an edge for a corner more. A drag beside them moves the picture.",
};

export class Tools {
  constructor(surface, { view, draft, changed, told }) {
    Object.assign(this, { surface, view, draft, changed, told });
    this.tool = "point";
    this.drawing = []; // the corners so far of what is being drawn
    this.hand = null; // where the pointer or the cross is, in the picture
    this.selected = null; // [list, index, corner]
    this.fingers = new Map();
    this.steps = 0;
    const on = (kind, does) => surface.addEventListener(kind, (event) => does.call(this, event));
    on("pointerdown", this.down);
    on("pointermove", this.moved);
    on("pointerup", this.up);
    on("pointercancel", this.lost);
    on("contextmenu", (event) => event.preventDefault());
    on("pointerleave", () => {
      if (!this.fingers.size && !this.isByKeys) this.hand = null;
      view.redraw();
    });
    surface.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  use(tool) {
    this.tool = tool;
    this.drawing = [];
    this.tell();
  }

  // ---- pointers

  where(event) {
    const { left, top } = this.surface.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  held(place) {
    const [width, height] = this.view.size;
    const [x, y] = place;
    return [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)].map((value) => Math.round(value * 10) / 10);
  }

  // The handle nearest to a place of the screen, where one is near.
  near([sx, sy], reach = NEAR_PX) {
    let found = null;
    let least = reach;
    for (const handle of this.draft.handles()) {
      const [x, y] = this.view.screen(handle[3], handle[4]);
      const distance = Math.hypot(x - sx, y - sy);
      if (distance <= least) [found, least] = [handle, distance];
    }
    return found;
  }

  down(event) {
    this.surface.focus({ preventScroll: true });
    this.surface.setPointerCapture(event.pointerId);
    this.isByKeys = false;
    const place = this.where(event);
    this.fingers.set(event.pointerId, place);
    if (this.fingers.size > 1) {
      this.press = null;
      return;
    }
    const reach = event.pointerType === "touch" ? 2 * NEAR_PX : NEAR_PX;
    const handle = event.button === 0 && !this.drawing.length ? this.near(place, reach) : null;
    this.press = { place, handle, isDrag: false, button: event.button, reach };
    if (handle) this.select(handle);
  }

  moved(event) {
    const place = this.where(event);
    this.hand = this.held(this.view.place(...place));
    const before = this.fingers.get(event.pointerId);
    if (before) this.drag(event, place, before);
    const isOver = !before && this.near(place);
    this.surface.dataset.cursor = isOver ? "move" : this.press?.isDrag && !this.press.handle ? "grabbing" : "";
    this.told();
    this.view.redraw();
  }

  drag(event, place, before) {
    if (this.fingers.size === 2) {
      const [other] = [...this.fingers].filter(([id]) => id !== event.pointerId).map(([, where]) => where);
      const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
      const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
      this.view.pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
      this.view.zoom(apart(place) / apart(before), ...middle);
    } else if (this.press) {
      const { press } = this;
      const far = Math.hypot(place[0] - press.place[0], place[1] - press.place[1]);
      if (!press.isDrag && far > MOVED_PX) {
        press.isDrag = true;
        this.steps++;
      }
      if (press.isDrag && press.handle) this.draft.move(press.handle, this.hand, `drag ${this.steps}`);
      else if (press.isDrag) this.view.pan(place[0] - before[0], place[1] - before[1]);
    }
    this.fingers.set(event.pointerId, place);
  }

  up(event) {
    const { press } = this;
    this.fingers.delete(event.pointerId);
    if (!press || this.fingers.size) return;
    this.press = null;
    // A click on a corner begins a zone or line there; otherwise it has selected it.
    const isChosen = press.handle && !["zone", "line"].includes(this.tool);
    if (press.isDrag || isChosen || press.button !== 0) {
      this.view.redraw();
      return;
    }
    this.mark(this.held(this.view.place(...press.place)), press.place, press.reach);
    if (event.pointerType === "touch") this.hand = null;
  }

  lost(event) {
    this.fingers.delete(event.pointerId);
    this.press = null;
  }

  wheel(event) {
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY * 20 : event.deltaY;
    this.view.zoom(Math.exp(-Math.max(-300, Math.min(300, step)) / 400), ...this.where(event));
  }

  // ---- marking

  // Mark a place, by the tool: a corner that is near is taken for it, so that zones can share their corners.
  mark(place, screen, reach = NEAR_PX) {
    const near = this.near(screen, reach);
    const exact = near ? [near[3], near[4]] : place;
    if (this.tool === "point") this.add("points", { pixel: place, x: "", y: "" });
    else if (this.tool === "zone") this.corner(exact, screen, reach);
    else if (this.tool === "line") {
      this.drawing.push(exact);
      if (this.drawing.length === 2) this.finish();
    } else if (near) this.selected = near.slice(0, 3);
    else this.insert(place, screen);
    this.tell();
  }

  // A corner more, where an edge of a zone is near; elsewhere nothing is selected any more.
  insert(place, [sx, sy]) {
    this.selected = null;
    for (const [at, zone] of this.draft.now.zones.entries()) {
      if (zone.unit === "metres") continue;
      const places = zone.corners.map(([x, y]) => this.view.screen(x, y));
      for (const [corner, [x1, y1]] of places.entries()) {
        const [x2, y2] = places[(corner + 1) % places.length];
        const length = Math.hypot(x2 - x1, y2 - y1) || 1;
        const along = ((sx - x1) * (x2 - x1) + (sy - y1) * (y2 - y1)) / length ** 2;
        const aside = Math.abs((sx - x1) * (y2 - y1) - (sy - y1) * (x2 - x1)) / length;
        if (along <= 0 || along >= 1 || aside > NEAR_PX / 2) continue;
        this.draft.do((next) => next.zones[at].corners.splice(corner + 1, 0, place));
        this.select(["zones", at, corner + 1]);
        return;
      }
    }
    this.changed();
  }

  corner(place, screen, reach) {
    const first = this.drawing[0];
    const [x, y] = first ? this.view.screen(...first) : [0, 0];
    const isFirst = first && Math.hypot(x - screen[0], y - screen[1]) <= reach;
    const last = this.drawing.at(-1);
    const isLast = last && last[0] === place[0] && last[1] === place[1];
    if ((isFirst || isLast) && this.drawing.length >= 3) this.finish();
    else if (!isFirst && !isLast) this.drawing.push(place);
  }

  // What was being drawn is whole.
  finish() {
    const corners = this.drawing;
    const isZone = this.tool === "zone";
    if (corners.length < (isZone ? 3 : 2)) {
      this.tell(`A zone needs three corners, and ${corners.length} are drawn: click more.`);
      return;
    }
    this.drawing = [];
    const list = isZone ? "zones" : "lines";
    this.add(list, { name: this.draft.freeName(list, isZone ? "zone" : "line"), corners, drawn: "", unit: "pixels", was: "" });
  }

  add(list, one) {
    this.draft.do((next) => next[list].push(one));
    this.select([list, this.draft.now[list].length - 1, 0], true);
  }

  select(handle, isNew = false) {
    this.selected = handle ? handle.slice(0, 3) : null;
    this.changed(isNew);
    this.tell();
  }

  // ---- keys

  // Move the cross by so many CSS pixels, or the selected by Alt.
  step(dx, dy, { isFine = false, isSelected = false } = {}) {
    const { view } = this;
    const by = isFine ? Math.max(1, view.scale) : 14;
    if (isSelected) {
      const handle = this.chosen();
      if (!handle) return;
      const [x, y] = view.screen(handle[3], handle[4]);
      const place = this.held(view.place(x + dx * by, y + dy * by));
      this.draft.move(handle, place, `keys ${handle.slice(0, 3)}`);
      view.reveal(...place);
      return;
    }
    this.isByKeys = true;
    this.hand ??= this.held(view.place(view.width / 2, view.height / 2));
    const [x, y] = view.screen(...this.hand);
    this.hand = this.held(view.place(x + dx * by, y + dy * by));
    view.reveal(...this.hand);
    this.told();
    view.redraw();
  }

  act() {
    this.isByKeys = true;
    this.hand ??= this.held(this.view.place(this.view.width / 2, this.view.height / 2));
    this.mark(this.hand, this.view.screen(...this.hand));
  }

  // All there is of the selected handle; null where it is gone.
  chosen() {
    if (!this.selected) return null;
    return [...this.draft.handles()].find((one) => one.slice(0, 3).join() === this.selected.join()) ?? null;
  }

  walk(step) {
    const all = [...this.draft.handles()];
    if (!all.length) return;
    const at = all.findIndex((one) => one.slice(0, 3).join() === this.selected?.join());
    const next = all[(at + step + all.length + (at < 0 && step < 0 ? 1 : 0)) % all.length];
    this.select(next);
    this.view.reveal(next[3], next[4]);
  }

  remove() {
    if (this.drawing.length) this.drawing.pop();
    else if (this.selected) {
      const handle = this.selected;
      this.selected = null;
      this.draft.remove(handle);
    }
    this.tell();
  }

  cancel() {
    if (this.drawing.length) this.drawing = [];
    else this.selected = null;
    this.changed();
    this.tell();
  }

  tell(text = "") {
    const count = this.drawing.length;
    let hint = HINTS[this.tool];
    if (this.tool === "zone" && count >= 3) hint = "Click the first corner again to close the zone, or press C.";
    else if (this.tool === "zone" && count) hint = `Corner ${count + 1}: click where it is. Esc gives the zone up.`;
    else if (this.tool === "line" && count) hint = "Click the line's second end.";
    this.told(text || hint);
    this.view.redraw();
  }
}
