// The boxes of heads without one: the server works them out from the drawn ones, by headcount's own interpolation.

import { ask } from "./net.js";

const WAIT_MS = 60;

export class Boxes {
  // changed() is called when boxes came; failed(error) where they could not be asked for, with null once they could.
  constructor(labels, view, changed, failed) {
    Object.assign(this, { labels, view, changed, failed });
    this.clear();
  }

  open(image) {
    this.clear();
    this.image = image;
    this.ask();
  }

  clear() {
    this.found = new Map();
    this.image = null;
    this.wanted = null;
    this.area = null;
    clearTimeout(this.timer);
  }

  get isNeeded() {
    return this.labels.presets > 0 || this.labels.things.get("sizes")?.share === "folder";
  }

  // Ask for the boxes in view; `changes` are as if they were made, as while a box is dragged: then at once.
  ask(changes = {}) {
    if (!this.image) return;
    if (!this.isNeeded && !Object.keys(changes).length) {
      if (this.found.size) {
        this.found.clear();
        this.changed();
      }
      return;
    }
    this.wanted = changes;
    clearTimeout(this.timer);
    if (Object.keys(changes).length) this.run();
    else this.timer = setTimeout(() => this.run(), WAIT_MS);
  }

  // The view moved: ask again only where it shows what was not asked for.
  moved() {
    const [x1, y1, x2, y2] = this.view.seen();
    const held = this.area;
    if (!held || x1 < held[0] || y1 < held[1] || x2 > held[2] || y2 > held[3]) this.ask();
  }

  async run() {
    if (this.isAsking || !this.wanted) return;
    const [changes, image] = [this.wanted, this.image];
    this.wanted = null;
    this.isAsking = true;
    const reach = Math.max(this.view.width, this.view.height) / 2;
    const within = this.view.seen(reach);
    try {
      const { ids, boxes } = await ask(`images/${image.id}/boxes`, { changes, within });
      this.failed(null);
      if (this.image === image) {
        this.found = new Map(ids.map((id, at) => [id, boxes.slice(4 * at, 4 * at + 4)]));
        this.area = within;
        this.changed();
      }
    } catch (error) {
      this.failed(error); // asked for again with the next stroke
    }
    this.isAsking = false;
    if (this.wanted) this.run();
  }
}
