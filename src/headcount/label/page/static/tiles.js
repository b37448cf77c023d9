// The picture's tiles: those in view at the zoom's own level, and coarser ones where these are not there yet. However
// large the picture, no more than a few dozen are held.

import { address } from "./net.js";

const HELD = 96;
const AT_ONCE = 6;

export class Tiles {
  // came(part) is called when one has come, with the part of the picture that it shows; failed(reason) when the image
  // cannot be shown; replaced() when its file is another one now.
  constructor(size_px, { came, failed, replaced }) {
    this.size_px = size_px;
    this.came = came;
    this.failed = failed;
    this.replaced = replaced;
    this.held = new Map();
    this.loading = new Map();
    this.wanted = [];
    this.image = null;
  }

  open(image) {
    this.close();
    this.image = image;
  }

  close() {
    this.loading.forEach((control) => control.abort());
    this.loading.clear();
    this.held.forEach((bitmap) => bitmap.close());
    this.held.clear();
    this.wanted = [];
    this.image = null;
  }

  level(scale) {
    return Math.max(0, Math.min(this.image.levels - 1, Math.floor(Math.log2(1 / scale))));
  }

  // What to draw for a part of the picture (x1, y1, x2, y2), at so many device pixels a pixel: [bitmap, x, y, side of
  // one of its pixels], coarse first. Asks for what is missing.
  shown([x1, y1, x2, y2], scale) {
    const level = this.level(scale);
    const coarsest = this.image.levels - 1;
    const found = [];
    const missing = [];
    // What is coarser shows through only where something of the level itself is missing.
    const isWhole = this.isWhole([x1, y1, x2, y2], level);
    for (let each = coarsest; each >= level; each -= 1) {
      if (each !== level && each !== coarsest && isWhole) continue;
      const side = this.size_px * 2 ** each;
      const [width, height] = this.image.size;
      const right = Math.min(Math.ceil(x2 / side), Math.ceil(width / side));
      const bottom = Math.min(Math.ceil(y2 / side), Math.ceil(height / side));
      for (let row = Math.max(0, Math.floor(y1 / side)); row < bottom; row += 1) {
        for (let column = Math.max(0, Math.floor(x1 / side)); column < right; column += 1) {
          const key = `${each}/${column}/${row}`;
          const bitmap = this.held.get(key);
          if (bitmap) {
            this.held.delete(key);
            this.held.set(key, bitmap);
            found.push([bitmap, column * side, row * side, 2 ** each]);
          } else if (each === level || each === coarsest) {
            const off = Math.hypot((column + 0.5) * side - (x1 + x2) / 2, (row + 0.5) * side - (y1 + y2) / 2);
            missing.push([each === level ? off : -1, key]);
          }
        }
      }
    }
    this.wanted = missing.sort((a, b) => a[0] - b[0]).map(([, key]) => key);
    // What went out of view is not waited for any more: a slow connection has enough to do.
    for (const [key, control] of this.loading) if (!this.wanted.includes(key)) control.abort();
    this.fill();
    return found;
  }

  isWhole([x1, y1, x2, y2], level) {
    const side = this.size_px * 2 ** level;
    const [width, height] = this.image.size;
    const [right, bottom] = [Math.ceil(Math.min(x2, width) / side), Math.ceil(Math.min(y2, height) / side)];
    for (let row = Math.max(0, Math.floor(y1 / side)); row < bottom; row += 1) {
      for (let column = Math.max(0, Math.floor(x1 / side)); column < right; column += 1) {
        if (!this.held.has(`${level}/${column}/${row}`)) return false;
      }
    }
    return true;
  }

  fill() {
    while (this.loading.size < AT_ONCE) {
      const key = this.wanted.find((each) => !this.held.has(each) && !this.loading.has(each));
      if (!key) return;
      this.load(key, this.image);
    }
  }

  async load(key, image) {
    const control = new AbortController();
    this.loading.set(key, control);
    let wait_ms = 0;
    try {
      const where = address(`images/${image.id}/tiles/${key}`, { v: image.version });
      const response = await fetch(where, { signal: control.signal });
      if (response.status === 410) {
        if (this.image === image) this.replaced();
        return;
      }
      if (response.status === 400) {
        const { detail } = await response.json();
        if (this.image === image) this.failed(detail);
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      const bitmap = await createImageBitmap(await response.blob());
      if (this.image !== image) {
        bitmap.close();
        return;
      }
      this.held.set(key, bitmap);
      while (this.held.size > HELD) {
        const [oldest, old] = this.held.entries().next().value;
        this.held.delete(oldest);
        old.close();
      }
      const [level, column, row] = key.split("/").map(Number);
      const side = this.size_px * 2 ** level;
      this.came([column * side, row * side, (column + 1) * side, (row + 1) * side]);
    } catch (error) {
      if (error.name !== "AbortError") wait_ms = 1000; // the server is away: asked again a little later
    } finally {
      if (this.loading.get(key) === control) this.loading.delete(key);
      if (this.image === image) setTimeout(() => this.image === image && this.fill(), wait_ms);
    }
  }
}
