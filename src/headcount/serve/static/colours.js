// The colours of heat maps, from nobody to the densest: as of the pictures that the server draws (inferno).

const STOPS = [
  [0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164],
];

// (red, green, blue, alpha) of a level from 0 to 1.
export function heat(level) {
  const place = Math.min(0.9999, Math.max(0, 0.1 + 0.9 * level)) * (STOPS.length - 1);
  const at = Math.floor(place);
  const part = place - at;
  const mixed = STOPS[at].map((value, index) => Math.round(value + part * (STOPS[at + 1][index] - value)));
  return [...mixed, Math.round(255 * 0.85 * level)];
}

// Rows of people in cells as a small canvas, which is drawn enlarged and smooth.
export function heatCanvas(rows) {
  const canvas = document.createElement("canvas");
  canvas.height = rows.length;
  canvas.width = rows[0]?.length ?? 0;
  if (!canvas.width) return null;
  const some = rows.flat().filter((value) => value > 0.01).sort((a, b) => a - b);
  const top = some.length ? some[Math.floor(0.99 * (some.length - 1))] : 1;
  const pixels = new ImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, index) => pixels.data.set(heat(Math.sqrt(Math.min(1, Math.max(0, value / top)))), 4 * index));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}
