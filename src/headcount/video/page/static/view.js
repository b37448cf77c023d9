// Where the picture lies on the screen: a place (x, y) of it at ((x - left) * scale, (y - top) * scale), in CSS pixels.

export class View {
  constructor(stage, canvas, paint) {
    Object.assign(this, { stage, canvas, paint, left: 0, top: 0, scale: 1, size: [1, 1], isFit: true });
    new ResizeObserver(() => this.resize()).observe(stage);
    this.resize();
  }

  open(size) {
    this.size = size;
    this.fit();
  }

  resize() {
    const { width, height } = this.stage.getBoundingClientRect();
    Object.assign(this, { width, height, ratio: devicePixelRatio });
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    if (this.isFit) this.fit();
    this.redraw();
  }

  get least() {
    return Math.min(this.width / this.size[0], this.height / this.size[1]);
  }

  fit() {
    this.scale = Math.max(1e-3, this.least * 0.97);
    this.left = (this.size[0] - this.width / this.scale) / 2;
    this.top = (this.size[1] - this.height / this.scale) / 2;
    this.isFit = true;
    this.redraw();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const [px, py] = this.place(x, y);
    this.scale = Math.max(this.least / 2, Math.min(40, this.scale * factor));
    this.left = px - x / this.scale;
    this.top = py - y / this.scale;
    this.isFit = false;
    this.hold();
  }

  pan(dx, dy) {
    this.left -= dx / this.scale;
    this.top -= dy / this.scale;
    this.isFit = false;
    this.hold();
  }

  // Some of the picture stays in view.
  hold() {
    const [w, h] = [this.width / this.scale, this.height / this.scale];
    this.left = Math.min(Math.max(this.left, -w * 0.75), this.size[0] - w * 0.25);
    this.top = Math.min(Math.max(this.top, -h * 0.75), this.size[1] - h * 0.25);
    this.redraw();
  }

  // Bring a place of the picture into view, as little as that takes.
  reveal(x, y) {
    const [sx, sy] = this.screen(x, y);
    const edge = 24;
    const over = (value, most) => (value < edge ? edge - value : value > most - edge ? most - edge - value : 0);
    const [dx, dy] = [over(sx, this.width), over(sy, this.height)];
    if (dx || dy) this.pan(dx, dy);
  }

  place(x, y) {
    return [this.left + x / this.scale, this.top + y / this.scale];
  }

  screen(x, y) {
    return [(x - this.left) * this.scale, (y - this.top) * this.scale];
  }

  redraw() {
    this.requested ??= requestAnimationFrame(() => {
      this.requested = null;
      const context = this.canvas.getContext("2d");
      context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      context.clearRect(0, 0, this.width, this.height);
      this.paint(context, this);
    });
  }
}
