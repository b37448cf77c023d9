// A line with its range over time, as SVG, and the same numbers in a table.
import { decimal, draw, make, moment, whole } from "./words.js";

const HEIGHT = 220;
const LEFT = 44;
const BOTTOM = 26;
const TOP = 10;
const MOST_ROWS = 40;

// A rounded step that gives about so many ticks.
export function stepOf(range, ticks) {
  const raw = range / ticks || 1;
  const size = 10 ** Math.floor(Math.log10(raw));
  return size * ([1, 2, 5, 10].find((factor) => factor * size >= raw) ?? 10);
}

// points: { at (ms), value, low, high }, the oldest first; a gap longer than gapMs breaks the line.
export function chart(figure, { title, points, since, until, gapMs, digits = 0, limits = [] }) {
  const width = Math.max(260, figure.clientWidth - 26);
  const isOpen = figure.querySelector("details")?.open ?? false;
  const top = Math.max(1, ...points.map((point) => point.high ?? point.value), ...limits);
  const step = stepOf(top, 4);
  const most = Math.ceil(top / step) * step;
  const x = (at) => LEFT + ((at - since) / (until - since)) * (width - LEFT - 8);
  const y = (value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
  const summary = summaryOf(points, digits);
  const id = `${figure.id}-title`;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-labelledby": id },
    draw("title", { id }, `${title}. ${summary}`));
  for (let value = 0; value <= most * 1.0001; value += step) {
    svg.append(draw("line", { class: "axis", x1: LEFT, x2: width - 8, y1: y(value), y2: y(value) }),
      draw("text", { class: "tick", x: LEFT - 6, y: y(value) + 5, "text-anchor": "end" }, step < 1 ? decimal(value) : whole(value)));
  }
  for (const at of timesOf(since, until, width)) {
    const text = new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    svg.append(draw("text", { class: "tick", x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }, text));
  }
  for (const limit of limits) {
    if (limit <= most) svg.append(draw("line", { class: "limit", x1: LEFT, x2: width - 8, y1: y(limit), y2: y(limit) }));
  }
  for (const piece of piecesOf(points, gapMs)) {
    const place = (point, key) => `${x(point.at).toFixed(1)},${y(Math.min(most, point[key] ?? point.value)).toFixed(1)}`;
    if (piece.some((point) => point.low !== null && point.low !== undefined)) {
      const edge = [...piece.map((point) => place(point, "high")), ...[...piece].reverse().map((point) => place(point, "low"))];
      svg.append(draw("polygon", { class: "band", points: edge.join(" ") }));
    }
    if (piece.length === 1) svg.append(draw("circle", { class: "dot", cx: x(piece[0].at), cy: y(piece[0].value), r: 2.5 }));
    else svg.append(draw("polyline", { class: "curve", points: piece.map((point) => place(point, "value")).join(" ") }));
  }
  const caption = make("figcaption", { textContent: title });
  const said = make("p", { className: "small", textContent: summary });
  const details = make("details", { open: isOpen }, make("summary", { textContent: "The numbers" }), tableOf(title, points, digits));
  figure.replaceChildren(caption, svg, said, details);
}

function summaryOf(points, digits) {
  if (!points.length) return "Nothing was measured in this time.";
  const values = points.map((point) => point.value);
  const told = (value) => (digits ? decimal(value, digits) : whole(value));
  const last = points[points.length - 1];
  return `From ${told(Math.min(...values))} to ${told(Math.max(...values))}, ${told(last.value)} at ${moment(last.at)}.`;
}

function piecesOf(points, gapMs) {
  const pieces = [];
  points.forEach((point, index) => {
    if (!index || point.at - points[index - 1].at > gapMs) pieces.push([]);
    pieces[pieces.length - 1].push(point);
  });
  return pieces;
}

function timesOf(since, until, width) {
  const minutes = [5, 10, 15, 30, 60, 120, 180, 240, 360, 720].find((each) => ((until - since) / 60000 / each) * 70 < width - LEFT) ?? 1440;
  const step = minutes * 60000;
  const offset = new Date(until).getTimezoneOffset() * 60000;
  const times = [];
  for (let at = Math.ceil((since - offset) / step) * step + offset; at < until; at += step) times.push(at);
  return times.filter((at) => (at - since) / (until - since) > 0.04 && (until - at) / (until - since) > 0.03);
}

function tableOf(title, points, digits) {
  const told = (value) => (value === null || value === undefined ? "–" : digits ? decimal(value, digits) : whole(value));
  const step = Math.max(1, Math.ceil(points.length / MOST_ROWS));
  const shown = points.filter((_, index) => (points.length - 1 - index) % step === 0).reverse();
  const head = make("tr", {}, ...["Time", "Number", "Low", "High"].map((text, index) => make("th", { scope: "col", textContent: text, className: index ? "n" : "" })));
  const rows = shown.map((point) => make("tr", {}, make("td", { textContent: moment(point.at) }),
    ...["value", "low", "high"].map((key) => make("td", { className: "n", textContent: told(point[key]) }))));
  const caption = make("caption", { textContent: step > 1 ? `${title}, every ${step}th measurement` : title });
  return make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `${title}, as a table` },
    make("table", {}, caption, make("thead", {}, head), make("tbody", {}, ...rows)));
}
