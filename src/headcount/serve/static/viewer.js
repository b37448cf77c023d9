// A photograph on a canvas, with marks over it; zoomed and moved by wheel, fingers, mouse and keys.
import { heatCanvas } from "./colours.js";

const MARK = "#ff2d55";
const MOST_ZOOM = 40;

export class Viewer {
  constructor(canvas) {
    this.canvas = canvas;
    this.image = null;
    this.layer = "points";
    this.pointers = new Map();
    new ResizeObserver(() => this.resize()).observe(canvas);
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, event.offsetX, event.offsetY));
  }

  show(image, found = null) {
    this.image?.close?.();
    this.image = image;
    this.mark(found);
    this.fit();
  }

  mark(found) {
    this.found = found;
    this.heat = found?.heat ? heatCanvas(found.heat.people) : null;
    this.paint();
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    const isFitted = this.isFitted;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    if (isFitted) this.fit();
    else this.paint();
  }

  get fitted() {
    return Math.min(this.canvas.clientWidth / this.image.width, this.canvas.clientHeight / this.image.height);
  }

  fit() {
    this.isFitted = true;
    if (!this.image) {
      this.paint();
      return;
    }
    this.scale = this.fitted;
    this.x = (this.canvas.clientWidth - this.image.width * this.scale) / 2;
    this.y = (this.canvas.clientHeight - this.image.height * this.scale) / 2;
    this.paint();
  }

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    if (!this.image) return;
    const scale = Math.min(Math.max(this.scale * factor, this.fitted), Math.max(MOST_ZOOM, this.fitted));
    if (scale <= this.fitted * 1.001) {
      this.fit();
      return;
    }
    this.isFitted = false;
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.move(0, 0);
  }

  move(dx, dy) {
    if (!this.image) return;
    const { clientWidth, clientHeight } = this.canvas;
    const within = (value, size, room) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, value)));
    this.x = within(this.x + dx, this.image.width * this.scale, clientWidth);
    this.y = within(this.y + dy, this.image.height * this.scale, clientHeight);
    this.paint();
  }

  onWheel(event) {
    if (!this.image) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.offsetX, event.offsetY);
  }

  onDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.offsetX, y: event.offsetY };
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = (a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
      this.zoom(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else {
      this.move(now.x - before.x, now.y - before.y);
    }
    this.pointers.set(event.pointerId, now);
  }

  onKey(event) {
    const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (event.ctrlKey || event.metaKey || event.altKey || !this.image) return;
    if (event.key in steps && !this.isFitted) this.move(...steps[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  paint() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.paintNow();
    });
  }

  paintNow() {
    const ratio = devicePixelRatio || 1;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.image) return;
    pen.setTransform(ratio * this.scale, 0, 0, ratio * this.scale, ratio * this.x, ratio * this.y);
    pen.imageSmoothingEnabled = this.scale < 4;
    pen.filter = this.layer === "heat" && this.heat ? "grayscale(1) brightness(0.75)" : "none";
    pen.drawImage(this.image, 0, 0);
    pen.filter = "none";
    if (!this.found) return;
    // The picture that was counted may be shown smaller.
    const factor = this.image.width / this.found.size_wh[0];
    if (this.layer === "heat" && this.heat) this.paintHeat(pen, factor);
    else if (this.layer === "points") this.paintPoints(pen, ratio, factor);
    else if (this.layer === "boxes" && this.found.boxes_xyxy) this.paintBoxes(pen, ratio, factor);
  }

  paintHeat(pen, factor) {
    pen.imageSmoothingEnabled = true;
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, this.image.width, this.image.height);
    pen.clip();
    const cell = this.found.heat.cell_px * factor;
    pen.drawImage(this.heat, 0, 0, this.heat.width * cell, this.heat.height * cell);
    pen.restore();
  }

  paintPoints(pen, ratio, factor) {
    const points = this.found.points_xy;
    const radius = Math.min(6, Math.max(1.5, radiusOf(points, factor) * this.scale));
    pen.setTransform(ratio, 0, 0, ratio, ratio * this.x, ratio * this.y);
    for (const [colour, size] of [["#fff", radius + Math.max(0.6, radius / 3)], [MARK, radius]]) {
      pen.fillStyle = colour;
      pen.beginPath();
      for (const [x, y] of points) {
        const [px, py] = [x * factor * this.scale, y * factor * this.scale];
        pen.moveTo(px + size, py);
        pen.arc(px, py, size, 0, 7);
      }
      pen.fill();
    }
  }

  paintBoxes(pen, ratio, factor) {
    pen.setTransform(ratio, 0, 0, ratio, ratio * this.x, ratio * this.y);
    const scale = factor * this.scale;
    for (const [colour, width] of [["#fff", 3.5], [MARK, 1.75]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.beginPath();
      for (const [x1, y1, x2, y2] of this.found.boxes_xyxy) pen.rect(x1 * scale, y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale);
      pen.stroke();
    }
  }
}

// A dot's radius in pixels of the picture: a fifth of how far apart close heads are, looked up on a coarse grid.
function radiusOf(points, factor) {
  if (points.length < 2) return 8;
  const sorted = [...points].sort((a, b) => a[0] - b[0]);
  const nearest = sorted.map(([x, y], index) => {
    let best = 1e9;
    for (const step of [-1, 1]) {
      for (let other = index + step; other >= 0 && other < sorted.length; other += step) {
        const dx = sorted[other][0] - x;
        if (Math.abs(dx) > best) break;
        best = Math.min(best, Math.hypot(dx, sorted[other][1] - y));
      }
    }
    return best;
  });
  nearest.sort((a, b) => a - b);
  return 0.2 * nearest[Math.floor(nearest.length / 4)] * factor;
}
