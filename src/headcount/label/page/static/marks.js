// Everything that is marked on the picture: points, boxes, areas, blocks.

import { REACH } from "./layer.js";

export const COLOURS = {
  head: "#4cc9f0", suggestion: "#ff9f43", annotated: "#ffd166", interpolated: "#8fd3ea", pseudo: "#c7a6ff",
  selected: "#ffffff", area: "#7bd88f", block: "#ffffff",
};

export class Marks {
  constructor(view) {
    this.view = view;
    this.sprites = new Map();
  }

  // A mark's picture, drawn once and stamped: its middle is the middle of the canvas. Smaller where all is small: in a
  // dense crowd seen whole, marks would hide it.
  sprite(kind) {
    const size = Math.round(2 * Math.min(4.5, Math.max(2.5, 6.4 * Math.sqrt(this.view.scale)))) / 2;
    const known = this.sprites.get(`${kind}${size}`);
    if (known) return known;
    const radius = size * this.view.ratio;
    const side = 2 * Math.ceil(radius + 2 * this.view.ratio) + 1;
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
    context.lineWidth = (1.4 + size * 0.4) * this.view.ratio;
    context.strokeStyle = "#000c";
    context.stroke();
    context.lineWidth = 1.6 * this.view.ratio;
    context.strokeStyle = kind.endsWith("!") ? COLOURS.selected : COLOURS[kind.replace("!", "")];
    context.stroke();
    context.fillStyle = context.strokeStyle;
    const dot = size > 3 ? this.view.ratio : this.view.ratio / 2;
    context.fillRect(middle - dot, middle - dot, 2 * dot, 2 * dot);
    this.sprites.set(`${kind}${size}`, canvas);
    return canvas;
  }

  paint(context, strip, layer) {
    const ratio = this.view.ratio;
    const x = (value) => layer.x(value);
    const y = (value) => layer.y(value);
    this.drawBlocks(context, x, y);
    this.drawAreas(context, x, y, layer);
    const [x1, y1, x2, y2] = layer.under(strip, REACH * ratio);
    const boxes = { annotated: [], interpolated: [], pseudo: [], suggestion: [] };
    const marks = { head: [], suggestion: [], "head!": [], "suggestion!": [] };
    const { things, selected, interpolated } = this.view.source;
    for (const [id, thing] of things) {
      if (thing.x === undefined) continue;
      if (thing.x >= x1 && thing.y >= y1 && thing.x <= x2 && thing.y <= y2) {
        marks[selected.has(id) ? `${thing.t}!` : thing.t].push(thing);
      }
      if (!this.view.show.boxes) continue;
      const box = thing.box ?? (thing.t === "head" ? interpolated.get(id) : undefined);
      if (!box || box[0] > x2 || box[1] > y2 || box[2] < x1 || box[3] < y1) continue;
      const made = thing.box ? thing.made ?? "annotated" : "interpolated";
      boxes[thing.t === "suggestion" ? "suggestion" : made].push(box);
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
    const [columns, rows] = this.view.source.blocks;
    if (columns * rows <= 1) return;
    const [width, height] = [this.view.image.size[0] / columns, this.view.image.size[1] / rows];
    context.lineWidth = this.view.ratio;
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const [x1, y1, x2, y2] = [x(column * width), y(row * height), x((column + 1) * width), y((row + 1) * height)];
        if (this.view.source.things.has(`block:${column}:${row}`)) {
          context.fillStyle = "#7bd88f22";
          context.fillRect(x1, y1, x2 - x1, y2 - y1);
          context.fillStyle = COLOURS.area;
          context.font = `${14 * this.view.ratio}px system-ui, sans-serif`;
          context.fillText("✓ done", x1 + 8 * this.view.ratio, y1 + 20 * this.view.ratio);
        }
        context.strokeStyle = "#ffffff55";
        context.strokeRect(x1, y1, x2 - x1, y2 - y1);
      }
    }
  }

  drawAreas(context, x, y, layer) {
    const areas = [...this.view.source.things].filter(([, thing]) => thing.t === "area");
    if (!areas.length) return;
    const [width, height] = this.view.image.size;
    // Outside is darkened on a layer of its own: areas that overlap are one region.
    const shade = new OffscreenCanvas(layer.canvas.width, layer.canvas.height);
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
      context.strokeStyle = this.view.source.selected.has(id) ? COLOURS.selected : COLOURS.area;
      context.lineWidth = 2 * this.view.ratio;
      context.stroke(path);
    }
  }
}
