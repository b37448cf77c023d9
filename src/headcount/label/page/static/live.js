// What is drawn while a hand is at it: the frame, the box, the corners, what is selected, the cross of the keys.

import { COLOURS } from "./marks.js";
import { cornersOf } from "./tools.js";

export function drawLive(tools, context, view) {
  const line = (colour, width = 1.5) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  };
  const frame = ([x1, y1], [x2, y2], colour, dash = []) => {
    context.beginPath();
    context.setLineDash(dash);
    context.rect(Math.min(x1, x2), Math.min(y1, y2), Math.abs(x2 - x1), Math.abs(y2 - y1));
    line(colour);
    context.setLineDash([]);
  };
  const boxed = ([x1, y1, x2, y2], colour, dash) => frame(view.screen(x1, y1), view.screen(x2, y2), colour, dash);
  if (tools.drag?.kind === "frame") {
    frame(view.screen(...tools.drag.start), view.screen(...tools.drag.now), COLOURS.selected, [5, 4]);
  } else if (tools.drag && tools.drag.kind !== "pan") {
    const changes = tools.outcome() ?? {};
    for (const thing of Object.values(changes)) {
      if (thing.box) boxed(thing.box, COLOURS.annotated);
      if (thing.x !== undefined) {
        context.beginPath();
        context.arc(...view.screen(thing.x, thing.y), 4.5, 0, 7);
        line(COLOURS.selected);
      }
      for (const ring of thing.rings ?? []) outline(context, view, ring, true, line);
    }
  }
  for (const id of tools.selected) {
    const thing = tools.labels.things.get(id);
    if (!thing || tools.selected.size > 200) continue;
    const box = tools.boxOf(id, thing);
    if (box) boxed(box, COLOURS.selected, [3, 3]);
    if (tools.selected.size > 1) continue;
    const corners = thing.rings?.flat() ?? (box && thing.t === "head" ? cornersOf(box) : []);
    context.fillStyle = COLOURS.selected;
    for (const corner of corners) {
      const [x, y] = view.screen(...corner);
      context.fillRect(x - 3.5, y - 3.5, 7, 7);
    }
  }
  if (tools.corners.length) {
    const hand = tools.hand;
    outline(context, view, hand ? [...tools.corners, hand] : tools.corners, false, line);
  }
  if (tools.isCross && tools.cross) {
    const [x, y] = view.screen(...tools.cross);
    for (const [colour, width] of [["#000c", 4], ["#fff", 1.5]]) {
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 5 * dx, y + 5 * dy);
        context.lineTo(x + 16 * dx, y + 16 * dy);
      }
      line(colour, width);
    }
  }
}

function outline(context, view, ring, isClosed, line) {
  context.beginPath();
  const places = ring.map((corner) => view.screen(...corner));
  places.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (isClosed) context.closePath();
  line("#000a", 4);
  line(COLOURS.area, 2);
  context.fillStyle = COLOURS.area;
  for (const corner of ring) {
    const [x, y] = view.screen(...corner);
    context.fillRect(x - 3, y - 3, 6, 6);
  }
}
