// The picture on the screen: where it lies, how large, and everything drawn on it.
//
// A place (x, y) of the picture lies at ((x - left) * scale, (y - top) * scale) of the stage, in CSS pixels.

import { Layer } from "./layer.js";
import { Marks } from "./marks.js";

const SETTLE_MS = 90;

export class View {
  constructor({ stage, ground, marks, live }, tiles, source) {
    Object.assign(this, { stage, live, tiles, source });
    this.left = 0;
    this.top = 0;
    this.scale = 1;
    this.image = null;
    this.show = { boxes: true, marks: true };
    this.painter = new Marks(this);
    this.ground = new Layer(ground, this, (...where) => this.paintGround(...where), false);
    this.marks = new Layer(marks, this, (...where) => this.paintMarks(...where), true);
    this.layers = [this.ground, this.marks];
    this.isLiveDirty = true;
    this.patches = [];
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
    this.layers.forEach((layer) => layer.resize());
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
    this.layers.forEach((layer) => (layer.isDirty = true));
    this.redrawLive();
  }

  redrawMarks() {
    this.marks.isDirty = true;
    this.redrawLive();
  }

  // Draw a part of the picture (x1, y1, x2, y2) anew, whose tile has come.
  patch(part) {
    this.patches.push(part);
    this.request();
  }

  redrawLive() {
    this.isLiveDirty = true;
    this.request();
  }

  move() {
    this.redrawLive();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLE_MS);
  }

  // After a move by parts of a pixel, all is drawn once more, exactly where it belongs.
  settle() {
    const isOff = (value) => Math.abs(value - Math.round(value)) > 0.02;
    if (this.layers.some((layer) => layer.at && layer.offset.some(isOff))) this.redraw();
  }

  request() {
    this.requested ??= requestAnimationFrame(() => {
      this.requested = null;
      this.render();
    });
  }

  render() {
    const drawn = this.layers.filter((layer) => layer.isDirty || !layer.isSameScale);
    const kept = this.layers.filter((layer) => !drawn.includes(layer));
    drawn.forEach((layer) => layer.draw());
    // One layer a frame is drawn further: both would take too long for one.
    const far = kept.filter((layer) => layer.isFar).sort((one, other) => other.farthest - one.farthest);
    const shifted = far.filter((layer, at) => (at === 0 && !drawn.length) || layer.isTooFar);
    kept.forEach((layer) => (shifted.includes(layer) ? layer.shift() : layer.move()));
    if (kept.includes(this.ground)) this.patches.forEach((part) => this.ground.patch(part));
    this.patches = [];
    if (drawn.length || shifted.length) this.source.moved?.();
    if (far.length > shifted.length) this.request();
    if (this.isLiveDirty) this.drawLive();
    this.isLiveDirty = false;
  }

  paintGround(context, strip, layer) {
    context.fillStyle = "#07090b";
    context.fillRect(...strip);
    if (!this.image?.size[0] || !this.tiles.image) return;
    const [width, height] = this.image.size;
    const device = layer.device;
    const x = (value) => Math.round(layer.x(value));
    const y = (value) => Math.round(layer.y(value));
    context.beginPath();
    context.rect(x(0), y(0), x(width) - x(0), y(height) - y(0));
    context.clip();
    context.imageSmoothingEnabled = device < 3; // larger, pixels are shown as they are
    context.imageSmoothingQuality = device < 1 ? "medium" : "low";
    const [right, bottom] = [strip[0] + strip[2], strip[1] + strip[3]];
    for (const [bitmap, left, top, side] of this.tiles.shown(layer.under(layer.whole), device)) {
      const [x1, y1] = [x(left), y(top)];
      const [x2, y2] = [x(left + bitmap.width * side), y(top + bitmap.height * side)];
      if (x1 > right || y1 > bottom || x2 < strip[0] || y2 < strip[1]) continue;
      context.drawImage(bitmap, x1, y1, x2 - x1, y2 - y1);
    }
  }

  paintMarks(context, strip, layer) {
    context.clearRect(...strip);
    if (this.image?.size[0] && this.show.marks) this.painter.paint(context, strip, layer);
  }

  drawLive() {
    const context = this.live.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (this.image?.size[0]) this.source.live?.(context, this);
  }
}
