// The picture on the screen: where it lies, how large, and everything drawn on it.
//
// A place (x, y) of the picture lies at ((x - left) * scale, (y - top) * scale) of the stage, in CSS pixels. Picture and
// marks are drawn with a margin around the stage; panning moves both as they are, by whole device pixels, and draws anew
// the strips that come into the margin, so that no frame has much to do.

const MARGIN = 256;
const STRIP = 96;
const SETTLE_MS = 90;
export const COLOURS = {
  head: "#4cc9f0", suggestion: "#ff9f43", annotated: "#ffd166", interpolated: "#8fd3ea", pseudo: "#c7a6ff",
  selected: "#ffffff", area: "#7bd88f", block: "#ffffff",
};

export class View {
  constructor({ stage, layers, ground, marks, live }, tiles, source) {
    Object.assign(this, { stage, layers, ground, marks, live, tiles, source });
    this.left = 0;
    this.top = 0;
    this.scale = 1;
    this.image = null;
    this.drawn = null;
    this.isDirty = { ground: true, marks: true, live: true };
    this.show = { boxes: true, marks: true };
    this.frames = { drawn: 0, longest_ms: 0 };
    this.sprites = new Map();
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
    const middle = this.width ? [this.left + this.width / this.scale / 2, this.top + this.height / this.scale / 2] : null;
    Object.assign(this, { width, height, ratio });
    this.sprites.clear();
    for (const canvas of [this.ground, this.marks]) {
      canvas.width = Math.round((width + 2 * MARGIN) * ratio);
      canvas.height = Math.round((height + 2 * MARGIN) * ratio);
      Object.assign(canvas.style, {
        width: `${canvas.width / ratio}px`, height: `${canvas.height / ratio}px`, left: `${-MARGIN}px`, top: `${-MARGIN}px`,
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
    const edge = Math.ceil(12 * this.ratio);
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
    for (const [bitmap, left, top, side] of this.tiles.shown(this.under([0, 0, this.ground.width, this.ground.height]), device)) {
      const [x1, y1] = [x(left), y(top)];
      const [x2, y2] = [x(left + bitmap.width * side), y(top + bitmap.height * side)];
      if (x1 > right || y1 > bottom || x2 < strip[0] || y2 < strip[1]) continue;
      context.drawImage(bitmap, x1, y1, x2 - x1, y2 - y1);
    }
  }

  // A mark's picture, drawn once and stamped: its middle is the middle of the canvas. Smaller where all is small: in a
  // dense crowd seen whole, marks would hide it.
  sprite(kind) {
    const size = Math.round(2 * Math.min(4.5, Math.max(2.5, 6.4 * Math.sqrt(this.scale)))) / 2;
    const known = this.sprites.get(`${kind}${size}`);
    if (known) return known;
    const radius = size * this.ratio;
    const side = 2 * Math.ceil(radius + 2 * this.ratio) + 1;
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext("2d");
    const middle = side / 2;
    context.beginPath();
    if (kind.startsWith("suggestion")) {
      const reach = radius * 1.15;
      context.moveTo(middle, middle - reach);
      context.lineTo(middle + reach, middle);
      context.lineTo(middle, middle + reach);
      context.lineTo(middle - reach, middle);
      context.closePath();
    } else context.arc(middle, middle, radius * 0.8, 0, 7);
    context.lineWidth = (1.4 + size * 0.4) * this.ratio;
    context.strokeStyle = "#000c";
    context.stroke();
    context.lineWidth = 1.6 * this.ratio;
    context.strokeStyle = kind.endsWith("!") ? COLOURS.selected : COLOURS[kind.replace("!", "")];
    context.stroke();
    context.fillStyle = context.strokeStyle;
    const dot = size > 3 ? this.ratio : this.ratio / 2;
    context.fillRect(middle - dot, middle - dot, 2 * dot, 2 * dot);
    this.sprites.set(`${kind}${size}`, canvas);
    return canvas;
  }

  drawMarks(strip = [0, 0, this.marks.width, this.marks.height]) {
    const context = this.marks.getContext("2d");
    this.clipped(context, strip);
    context.clearRect(...strip);
    if (this.image?.size[0] && this.show.marks) this.paintMarks(context, strip);
    context.restore();
  }

  paintMarks(context, strip) {
    const ratio = this.ratio;
    const device = this.scale * ratio;
    const offset = MARGIN * ratio;
    const { left: l, top: t } = this.drawn;
    const x = (value) => (value - l) * device + offset;
    const y = (value) => (value - t) * device + offset;
    this.drawBlocks(context, x, y);
    this.drawAreas(context, x, y);
    const [x1, y1, x2, y2] = this.under(strip, 12 * ratio);
    const boxes = { annotated: [], interpolated: [], pseudo: [], suggestion: [] };
    const marks = { head: [], suggestion: [], "head!": [], "suggestion!": [] };
    const { things, selected, interpolated } = this.source;
    for (const [id, thing] of things) {
      if (thing.x === undefined) continue;
      if (thing.x >= x1 && thing.y >= y1 && thing.x <= x2 && thing.y <= y2) {
        marks[selected.has(id) ? `${thing.t}!` : thing.t].push(thing);
      }
      if (!this.show.boxes) continue;
      const box = thing.box ?? (thing.t === "head" ? interpolated.get(id) : undefined);
      if (box && box[0] <= x2 && box[1] <= y2 && box[2] >= x1 && box[3] >= y1) boxes[thing.t === "suggestion" ? "suggestion" : thing.box ? thing.made ?? "annotated" : "interpolated"].push(box);
    }
    for (const [kind, list] of Object.entries(boxes)) {
      if (!list.length) continue;
      // Four thin rectangles each: one path of thousands of outlines takes many times as long.
      context.fillStyle = COLOURS[kind];
      const line = Math.max(1, Math.round((kind === "annotated" ? 2 : 1) * ratio));
      for (const box of list) {
        const [left, top] = [Math.round(x(box[0])), Math.round(y(box[1]))];
        const [width, height] = [Math.round(x(box[2])) - left, Math.round(y(box[3])) - top];
        if (width < 4 || height < 4) continue;
        context.fillRect(left, top, width, line);
        context.fillRect(left, top + height - line, width, line);
        context.fillRect(left, top + line, line, height - 2 * line);
        context.fillRect(left + width - line, top + line, line, height - 2 * line);
      }
    }
    for (const [kind, list] of Object.entries(marks)) {
      if (!list.length) continue;
      const sprite = this.sprite(kind);
      const half = sprite.width / 2;
      for (const thing of list) context.drawImage(sprite, Math.round(x(thing.x) - half), Math.round(y(thing.y) - half));
    }
  }

  drawBlocks(context, x, y) {
    const [columns, rows] = this.source.blocks;
    if (columns * rows <= 1) return;
    const [width, height] = [this.image.size[0] / columns, this.image.size[1] / rows];
    context.lineWidth = this.ratio;
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const [x1, y1, x2, y2] = [x(column * width), y(row * height), x((column + 1) * width), y((row + 1) * height)];
        if (this.source.things.has(`block:${column}:${row}`)) {
          context.fillStyle = "#7bd88f22";
          context.fillRect(x1, y1, x2 - x1, y2 - y1);
          context.fillStyle = COLOURS.area;
          context.font = `${14 * this.ratio}px system-ui, sans-serif`;
          context.fillText("✓ done", x1 + 8 * this.ratio, y1 + 20 * this.ratio);
        }
        context.strokeStyle = "#ffffff55";
        context.strokeRect(x1, y1, x2 - x1, y2 - y1);
      }
    }
  }

  drawAreas(context, x, y) {
    const areas = [...this.source.things].filter(([, thing]) => thing.t === "area");
    if (!areas.length) return;
    const [width, height] = this.image.size;
    // Outside is darkened on a layer of its own: areas that overlap are one region.
    const shade = new OffscreenCanvas(this.marks.width, this.marks.height);
    const dark = shade.getContext("2d");
    dark.fillStyle = "#0009";
    dark.fillRect(x(0), y(0), x(width) - x(0), y(height) - y(0));
    dark.globalCompositeOperation = "destination-out";
    dark.fillStyle = "#000";
    context.lineJoin = "round";
    const paths = areas.map(([id, area]) => {
      const path = new Path2D();
      for (const ring of area.rings) {
        ring.forEach(([cx, cy], at) => (at ? path.lineTo(x(cx), y(cy)) : path.moveTo(x(cx), y(cy))));
        path.closePath();
      }
      dark.fill(path, "evenodd");
      return [id, path];
    });
    context.drawImage(shade, 0, 0);
    for (const [id, path] of paths) {
      context.strokeStyle = this.source.selected.has(id) ? COLOURS.selected : COLOURS.area;
      context.lineWidth = 2 * this.ratio;
      context.stroke(path);
    }
  }

  drawLive() {
    const context = this.live.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (this.image?.size[0]) this.source.live?.(context, this);
  }
}
