// One canvas over the stage and a margin around it. It is panned as it is, by whole device pixels; when it has moved by
// a strip's width, what is drawn is kept and only the strips that are missing are drawn.

export const MARGIN = 256;
const STRIP = 96;
// How far a mark reaches around its place, in CSS pixels.
export const REACH = 12;

export class Layer {
  // paint(context, strip, layer) draws what lies in a strip (x, y, width, height) of the canvas; no more can be drawn.
  constructor(canvas, view, paint, alpha) {
    Object.assign(this, { canvas, view, paint });
    this.context = canvas.getContext("2d", { alpha });
    this.at = null;
    this.isDirty = true;
  }

  resize() {
    const { width, height, ratio } = this.view;
    this.canvas.width = Math.round((width + 2 * MARGIN) * ratio);
    this.canvas.height = Math.round((height + 2 * MARGIN) * ratio);
    Object.assign(this.canvas.style, {
      width: `${this.canvas.width / ratio}px`, height: `${this.canvas.height / ratio}px`,
      left: `${-MARGIN}px`, top: `${-MARGIN}px`,
    });
    this.isDirty = true;
  }

  // How many device pixels there are to one of the picture.
  get device() {
    return this.view.scale * this.view.ratio;
  }

  get isSameScale() {
    return this.at?.scale === this.view.scale;
  }

  get whole() {
    return [0, 0, this.canvas.width, this.canvas.height];
  }

  // Where a place of the picture is on the canvas.
  x(value) {
    return (value - this.at.left) * this.device + MARGIN * this.view.ratio;
  }

  y(value) {
    return (value - this.at.top) * this.device + MARGIN * this.view.ratio;
  }

  // The part of the picture (x1, y1, x2, y2) under a strip, and so many device pixels around it.
  under([x, y, width, height], reach = 0) {
    const place = (value, start) => start + (value - MARGIN * this.view.ratio) / this.device;
    const { left, top } = this.at;
    return [
      place(x - reach, left), place(y - reach, top), place(x + width + reach, left), place(y + height + reach, top),
    ];
  }

  // Draw all of it where the view is now.
  draw() {
    const { left, top, scale } = this.view;
    this.at = { left, top, scale };
    this.isDirty = false;
    this.canvas.style.transform = "none";
    this.fill(this.whole);
  }

  // Draw the part of the picture (x1, y1, x2, y2) anew.
  patch([x1, y1, x2, y2]) {
    const [x, y] = [Math.floor(this.x(x1)), Math.floor(this.y(y1))];
    this.fill([x, y, Math.ceil(this.x(x2)) - x, Math.ceil(this.y(y2)) - y]);
  }

  fill(strip) {
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.save();
    this.context.beginPath();
    this.context.rect(...strip);
    this.context.clip();
    this.paint(this.context, strip, this);
    this.context.restore();
  }

  // By how many device pixels it must be moved to lie where the view is.
  get offset() {
    return [(this.at.left - this.view.left) * this.device, (this.at.top - this.view.top) * this.device];
  }

  get farthest() {
    return Math.max(...this.offset.map((value) => Math.abs(value) / this.view.ratio));
  }

  // Whether it has moved so far that it should be drawn further, and whether that cannot wait for the next frame.
  get isFar() {
    return this.farthest > STRIP;
  }

  get isTooFar() {
    return this.farthest > MARGIN - STRIP / 2;
  }

  move() {
    const [dx, dy] = this.offset.map((value) => Math.round(value) / this.view.ratio);
    this.canvas.style.transform = `translate(${dx}px, ${dy}px)`;
  }

  // Keep what is drawn, moved, and draw the strips that are missing.
  shift() {
    const [dx, dy] = this.offset.map(Math.round);
    const { width, height } = this.canvas;
    if (Math.abs(dx) >= width || Math.abs(dy) >= height) {
      this.draw();
      return;
    }
    this.at.left -= dx / this.device;
    this.at.top -= dy / this.device;
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.globalCompositeOperation = "copy";
    this.context.drawImage(this.canvas, dx, dy);
    this.context.globalCompositeOperation = "source-over";
    // A little wider than what is missing: the mark at its edge was cut.
    const edge = Math.ceil(REACH * this.view.ratio);
    if (dx) this.fill([dx > 0 ? 0 : width + dx - edge, 0, Math.abs(dx) + edge, height]);
    if (dy) this.fill([0, dy > 0 ? 0 : height + dy - edge, width, Math.abs(dy) + edge]);
    this.move();
  }
}
