// The picture on the screen: where it lies, how large, and everything drawn on it.
//
// A place (x, y) of the picture lies at ((x - left) * scale, (y - top) * scale) of the stage, in CSS pixels. Picture
// and marks are drawn with a margin around the stage; panning moves both as they are, by whole device pixels, and
// draws the strips that come into the margin, so that no frame has much to do.

import { Marks, REACH } from "./marks.js";

const MARGIN = 256;
const STRIP = 96;
const SETTLE_MS = 90;

export class View {
  constructor({ stage, layers, ground, marks, live }, tiles, source) {
    Object.assign(this, { stage, layers, ground, marks, live, tiles, source });
    this.margin = MARGIN;
    this.left = 0;
    this.top = 0;
    this.scale = 1;
    this.image = null;
    this.drawn = null;
    this.isDirty = { ground: true, marks: true, live: true };
    this.show = { boxes: true, marks: true };
    this.frames = { drawn: 0, longest_ms: 0 };
    this.painter = new Marks(this);
    new ResizeObserver(() => this.resize()).observe(stage);
    this.resize();
  }

  open(image) {
    this.image = image;
    this.fit();
  }

  resize() {
    const { width, height } = this.stage.getBoundingClientRect();
    const ratio = devicePixelRatio;
    if (this.width === width && this.height === height && this.ratio === ratio) return;
    // The middle stays the middle when a side is opened or the window changes.
    const wasFit = this.image && this.isFit;
    const middle = this.width ? this.place(this.width / 2, this.height / 2) : null;
    Object.assign(this, { width, height, ratio });
    this.painter.sprites.clear();
    for (const canvas of [this.ground, this.marks]) {
      canvas.width = Math.round((width + 2 * MARGIN) * ratio);
      canvas.height = Math.round((height + 2 * MARGIN) * ratio);
      Object.assign(canvas.style, {
        width: `${canvas.width / ratio}px`, height: `${canvas.height / ratio}px`,
        left: `${-MARGIN}px`, top: `${-MARGIN}px`,
      });
    }
    this.live.width = Math.round(width * ratio);
    this.live.height = Math.round(height * ratio);
    Object.assign(this.live.style, { width: `${width}px`, height: `${height}px` });
    if (wasFit) this.fit();
    else if (middle && this.image) this.centre(...middle);
    this.redraw();
  }

  fit() {
    if (!this.image?.size[0]) return;
    const [width, height] = this.image.size;
    this.scale = Math.min(this.width / width, this.height / height, 8);
    this.left = (width - this.width / this.scale) / 2;
    this.top = (height - this.height / this.scale) / 2;
    this.isFit = true;
    this.hold();
    this.redraw();
  }

  centre(x, y, scale = this.scale) {
    this.scale = this.bounded(scale);
    this.left = x - this.width / this.scale / 2;
    this.top = y - this.height / this.scale / 2;
    this.isFit = false;
    this.hold();
    this.redraw();
  }

  bounded(scale) {
    const [width, height] = this.image?.size ?? [1, 1];
    return Math.max(Math.min(this.width / width, this.height / height, 1) / 2, Math.min(64, scale));
  }

  // Bring a rectangle of the picture into view, as large as it goes.
  frame([x1, y1, x2, y2]) {
    this.centre((x1 + x2) / 2, (y1 + y2) / 2, Math.min(this.width / (x2 - x1), this.height / (y2 - y1)));
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const [px, py] = this.place(x, y);
    this.scale = this.bounded(this.scale * factor);
    this.left = px - x / this.scale;
    this.top = py - y / this.scale;
    this.isFit = false;
    this.hold();
    this.redraw();
  }

  pan(dx, dy) {
    this.left -= dx / this.scale;
    this.top -= dy / this.scale;
    this.isFit = false;
    this.hold();
    this.move();
  }

  // Some of the picture stays in view, and its corner lies on a device pixel's, so that its pixels do at whole zooms.
  hold() {
    const [width, height] = this.image?.size ?? [0, 0];
    const [w, h] = [this.width / this.scale, this.height / this.scale];
    const device = this.scale * this.ratio;
    const whole = (value) => Math.round(value * device) / device;
    this.left = whole(Math.min(Math.max(this.left, -w * 0.75), width - w * 0.25));
    this.top = whole(Math.min(Math.max(this.top, -h * 0.75), height - h * 0.25));
  }

  place(x, y) {
    return [this.left + x / this.scale, this.top + y / this.scale];
  }

  screen(x, y) {
    return [(x - this.left) * this.scale, (y - this.top) * this.scale];
  }

  // What is on the stage, (x1, y1, x2, y2) of the picture, with so many CSS pixels more on each side.
  seen(margin = 0) {
    return [...this.place(-margin, -margin), ...this.place(this.width + margin, this.height + margin)];
  }

  redraw() {
    this.isDirty = { ground: true, marks: true, live: true };
    this.request();
  }

  redrawMarks() {
    this.isDirty.marks = true;
    this.isDirty.live = true;
    this.request();
  }

  redrawGround() {
    this.isDirty.ground = true;
    this.request();
  }

  redrawLive() {
    this.isDirty.live = true;
    this.request();
  }

  move() {
    this.isMoved = true;
    this.isDirty.live = true;
    this.request();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLE_MS);
  }

  // After a move by parts of a pixel, all is drawn once more, exactly where it belongs.
  settle() {
    if (!this.drawn) return;
    const off = (value) => Math.abs(value - Math.round(value));
    const device = this.scale * this.ratio;
    const dx = (this.drawn.left - this.left) * device;
    const dy = (this.drawn.top - this.top) * device;
    if (Math.max(off(dx), off(dy)) > 0.02) this.redraw();
  }

  request() {
    this.requested ??= requestAnimationFrame(() => {
      this.requested = null;
      this.render();
    });
  }

  render() {
    const began = performance.now();
    const isSameScale = this.drawn?.scale === this.scale;
    if (this.isMoved && isSameScale && !this.isDirty.ground && !this.isDirty.marks) this.scroll();
    this.isMoved = false;
    if (this.isDirty.ground || this.isDirty.marks) {
      const isElsewhere = !isSameScale || this.drawn.left !== this.left || this.drawn.top !== this.top;
      this.layers.style.transform = "none";
      this.drawn = { left: this.left, top: this.top, scale: this.scale };
      if (this.isDirty.ground || isElsewhere) this.drawGround();
      if (this.isDirty.marks || isElsewhere) this.drawMarks();
      if (isElsewhere) this.source.moved?.();
    }
    if (this.isDirty.live) this.drawLive();
    this.isDirty = { ground: false, marks: false, live: false };
    this.frames.drawn += 1;
    this.frames.longest_ms = Math.max(this.frames.longest_ms, performance.now() - began);
  }

  // Move what is drawn; once it has moved by a strip's width, keep it so and draw the strips that are missing.
  scroll() {
    const device = this.scale * this.ratio;
    const dx = Math.round((this.drawn.left - this.left) * device);
    const dy = Math.round((this.drawn.top - this.top) * device);
    const strip = STRIP * this.ratio;
    if (Math.abs(dx) <= strip && Math.abs(dy) <= strip) {
      this.layers.style.transform = `translate(${dx / this.ratio}px, ${dy / this.ratio}px)`;
      return;
    }
    const { width, height } = this.ground;
    if (Math.abs(dx) >= width || Math.abs(dy) >= height) {
      this.isDirty.ground = this.isDirty.marks = true;
      return;
    }
    this.drawn.left -= dx / device;
    this.drawn.top -= dy / device;
    this.layers.style.transform = "none";
    for (const canvas of [this.ground, this.marks]) {
      const context = canvas.getContext("2d", { alpha: canvas !== this.ground });
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.globalCompositeOperation = "copy";
      context.drawImage(canvas, dx, dy);
      context.globalCompositeOperation = "source-over";
    }
    // A little wider than what is missing: the mark at its edge was cut.
    const edge = Math.ceil(REACH * this.ratio);
    const strips = [];
    if (dx) strips.push([dx > 0 ? 0 : width + dx - edge, 0, Math.abs(dx) + edge, height]);
    if (dy) strips.push([0, dy > 0 ? 0 : height + dy - edge, width, Math.abs(dy) + edge]);
    for (const each of strips) {
      this.drawGround(each);
      this.drawMarks(each);
    }
    this.source.moved?.();
  }

  // The part of the picture under a strip of the canvases (x, y, width, height), or under all of them.
  under(strip, reach = 0) {
    const device = this.scale * this.ratio;
    const [x, y, width, height] = strip;
    const place = (value, start) => start + (value - MARGIN * this.ratio) / device;
    return [
      place(x - reach, this.drawn.left), place(y - reach, this.drawn.top),
      place(x + width + reach, this.drawn.left), place(y + height + reach, this.drawn.top),
    ];
  }

  clipped(context, strip) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.save();
    context.beginPath();
    context.rect(...strip);
    context.clip();
  }

  drawGround(strip = [0, 0, this.ground.width, this.ground.height]) {
    const context = this.ground.getContext("2d", { alpha: false });
    this.clipped(context, strip);
    this.paintGround(context, strip);
    context.restore();
  }

  paintGround(context, strip) {
    context.fillStyle = "#07090b";
    context.fillRect(...strip);
    if (!this.image?.size[0] || !this.tiles.image) return;
    const [width, height] = this.image.size;
    const device = this.scale * this.ratio;
    const { left: l, top: t } = this.drawn;
    const x = (value) => Math.round(((value - l) * this.scale + MARGIN) * this.ratio);
    const y = (value) => Math.round(((value - t) * this.scale + MARGIN) * this.ratio);
    context.beginPath();
    context.rect(x(0), y(0), x(width) - x(0), y(height) - y(0));
    context.clip();
    context.imageSmoothingEnabled = device < 3; // larger, pixels are shown as they are
    context.imageSmoothingQuality = device < 1 ? "medium" : "low";
    const [right, bottom] = [strip[0] + strip[2], strip[1] + strip[3]];
    const whole = this.under([0, 0, this.ground.width, this.ground.height]);
    for (const [bitmap, left, top, side] of this.tiles.shown(whole, device)) {
      const [x1, y1] = [x(left), y(top)];
      const [x2, y2] = [x(left + bitmap.width * side), y(top + bitmap.height * side)];
      if (x1 > right || y1 > bottom || x2 < strip[0] || y2 < strip[1]) continue;
      context.drawImage(bitmap, x1, y1, x2 - x1, y2 - y1);
    }
  }

  drawMarks(strip = [0, 0, this.marks.width, this.marks.height]) {
    const context = this.marks.getContext("2d");
    this.clipped(context, strip);
    context.clearRect(...strip);
    if (this.image?.size[0] && this.show.marks) this.painter.paint(context, strip);
    context.restore();
  }

  drawLive() {
    const context = this.live.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (this.image?.size[0]) this.source.live?.(context, this);
  }
}
