// Everything that is drawn on the picture.

const POINT = "#00e6a0";
const ZONE = "#78beff";
const LINE = "#ffffff";
const CHOSEN = "#ffd166";
const BAD = "#ff8c7a";
const RIM = "rgb(0 0 0 / 75%)";

function path(context, places, isClosed) {
  context.beginPath();
  places.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (isClosed) context.closePath();
}

// A rimmed stroke, which is seen on any ground.
function stroke(context, places, colour, { width = 2, isClosed = false, dash = [] } = {}) {
  path(context, places, isClosed);
  context.lineJoin = "round";
  context.setLineDash([]);
  context.strokeStyle = RIM;
  context.lineWidth = width + 2;
  context.stroke();
  context.setLineDash(dash);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
  context.setLineDash([]);
}

function label(context, text, x, y, colour, view) {
  context.font = "600 13px system-ui, sans-serif";
  const width = context.measureText(text).width + 16;
  const left = Math.max(2, Math.min(x, view.width - width - 2));
  const top = Math.max(2, Math.min(y, view.height - 24));
  context.fillStyle = "rgb(15 15 15 / 88%)";
  context.fillRect(left, top, width, 22);
  context.fillStyle = colour;
  context.fillRect(left, top, 4, 22);
  context.fillStyle = "#fff";
  context.textBaseline = "middle";
  context.fillText(text, left + 10, top + 11.5);
}

// The grid of metres and people who stand on it.
function paintGround(context, view, looked) {
  context.save();
  context.beginPath();
  context.rect(...view.screen(0, 0), view.size[0] * view.scale, view.size[1] * view.scale);
  context.clip();
  context.strokeStyle = "rgb(255 255 255 / 38%)";
  context.lineWidth = 1;
  for (const places of looked.grid) {
    path(context, places.map(([x, y]) => view.screen(x, y)));
    context.stroke();
  }
  for (const [foot, head] of looked.people) {
    const [from, to] = [view.screen(...foot), view.screen(...head)];
    stroke(context, [from, to], CHOSEN, { width: 2 });
    context.beginPath();
    context.arc(...to, Math.max(2, Math.hypot(to[0] - from[0], to[1] - from[1]) / 12), 0, 7);
    context.fillStyle = CHOSEN;
    context.fill();
  }
  context.restore();
}

function paintZone(context, view, zone, looked, isChosen) {
  const corners = looked?.corners ?? zone.corners;
  if (!corners.length) return;
  const places = corners.map(([x, y]) => view.screen(x, y));
  const colour = looked?.problem ? BAD : isChosen ? CHOSEN : ZONE;
  path(context, places, true);
  context.fillStyle = `color-mix(in srgb, ${colour} 18%, transparent)`;
  context.fill();
  stroke(context, places, colour, { isClosed: true });
  if (looked?.heads?.length) {
    stroke(context, looked.heads.map(([x, y]) => view.screen(x, y)), colour, { width: 1, isClosed: true, dash: [5, 5] });
  }
  const top = places.reduce((one, other) => (other[1] < one[1] ? other : one));
  const area = looked?.area_m2 ? `, ${looked.area_m2.toFixed(looked.area_m2 < 10 ? 1 : 0)} m²` : "";
  label(context, zone.name + area, top[0], top[1] - 26, colour, view);
}

function paintLine(context, view, line, looked, isChosen) {
  const ends = looked?.corners ?? line.corners;
  if (ends.length < 2) return;
  const [one, other] = ends.map(([x, y]) => view.screen(x, y));
  const colour = looked?.problem ? BAD : isChosen ? CHOSEN : LINE;
  stroke(context, [one, other], colour, { width: 3 });
  const [dx, dy] = [other[0] - one[0], other[1] - one[1]];
  const length = Math.hypot(dx, dy) || 1;
  // Forward is to the right of who looks along the line; the screen's y goes down.
  const [rx, ry] = [-dy / length, dx / length];
  const reach = Math.max(28, Math.min(70, 0.3 * length));
  const middle = [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
  const tip = [middle[0] + rx * reach, middle[1] + ry * reach];
  stroke(context, [middle, tip], colour);
  const barb = (side) => [tip[0] - 10 * rx + (side * 7 * dx) / length, tip[1] - 10 * ry + (side * 7 * dy) / length];
  stroke(context, [barb(1), tip, barb(-1)], colour);
  label(context, line.name, one[0] + 8, one[1] - 26, colour, view);
}

function paintPoint(context, view, at, point, looked, isChosen) {
  const [x, y] = view.screen(...point.pixel);
  const isBad = looked?.is_bad;
  const colour = isBad ? BAD : isChosen ? CHOSEN : POINT;
  if (looked?.fitted) {
    const fitted = view.screen(...looked.fitted);
    stroke(context, [[x, y], fitted], colour);
    context.beginPath();
    context.arc(...fitted, 6, 0, 7);
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.stroke();
  }
  stroke(context, [[x - 10, y], [x + 10, y]], colour);
  stroke(context, [[x, y - 10], [x, y + 10]], colour);
  const off = looked?.off_m === null || looked?.off_m === undefined ? "" : `: off by ${looked.off_m.toFixed(2)} m`;
  label(context, `${at + 1}${off}`, x + 12, y + 8, colour, view);
}

function paintHandle(context, [x, y], isChosen) {
  context.beginPath();
  context.arc(x, y, isChosen ? 7 : 5, 0, 7);
  context.fillStyle = isChosen ? CHOSEN : "#fff";
  context.strokeStyle = RIM;
  context.lineWidth = 2;
  context.fill();
  context.stroke();
}

export function paint(context, view, { picture, draft, looked, tools, isGridShown }) {
  context.fillStyle = "#07090b";
  context.fillRect(0, 0, view.width, view.height);
  if (!picture) return;
  const [left, top] = view.screen(0, 0);
  context.imageSmoothingEnabled = view.scale < 3;
  context.drawImage(picture, left, top, view.size[0] * view.scale, view.size[1] * view.scale);
  if (isGridShown) paintGround(context, view, looked);
  const { selected, drawing, hand } = tools;
  const is = (list, at) => selected?.[0] === list && selected[1] === at;
  draft.now.zones.forEach((zone, at) => paintZone(context, view, zone, looked.zones[at], is("zones", at)));
  draft.now.lines.forEach((line, at) => paintLine(context, view, line, looked.lines[at], is("lines", at)));
  for (const handle of draft.handles()) {
    if (handle[0] === "points") continue;
    const isChosen = is(handle[0], handle[1]) && selected[2] === handle[2];
    paintHandle(context, view.screen(handle[3], handle[4]), isChosen);
  }
  draft.now.points.forEach((point, at) => paintPoint(context, view, at, point, looked.points[at], is("points", at)));
  if (drawing.length) {
    const places = [...drawing, ...(hand ? [hand] : [])].map(([x, y]) => view.screen(x, y));
    stroke(context, places, CHOSEN);
    drawing.forEach((place, at) => paintHandle(context, view.screen(...place), at === 0));
  }
  if (hand && tools.isByKeys) {
    const [x, y] = view.screen(...hand);
    stroke(context, [[x - 14, y], [x - 4, y]], "#fff");
    stroke(context, [[x + 4, y], [x + 14, y]], "#fff");
    stroke(context, [[x, y - 14], [x, y - 4]], "#fff");
    stroke(context, [[x, y + 4], [x, y + 14]], "#fff");
  }
}
