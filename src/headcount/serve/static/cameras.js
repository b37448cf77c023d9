// A tile for each camera.
import { LivePicture } from "./picture.js";
import { $, ago, amountRange, decimal, kept, make, moment, whole, write } from "./words.js";

export const STATES = { starting: "starting", online: "online", stale: "stale", offline: "offline", ended: "ended" };
const OLD_S = 15;

// How long ago a camera was measured, in seconds; the server's own number, and what went by since it came.
export const ageOf = (camera) => (camera.age_s === null ? null : camera.age_s + (performance.now() - camera.heardAt) / 1000);
export const isOld = (camera) => camera.status.state !== "online" || (ageOf(camera) ?? Infinity) > OLD_S;

export function stateWords(camera) {
  const { state, since } = camera.status;
  return state === "online" ? "online" : `${STATES[state]} since ${moment(since)}`;
}

export function levelChip({ level, levels }) {
  const shown = Math.min(3, level);
  const text = levels ? (level ? `level ${level} of ${levels}` : "calm") : "";
  return make("span", { className: "level", "data-level": String(shown), textContent: text });
}

export function zoneTable(camera) {
  const zones = camera.measurement?.zones ?? [];
  if (!zones.length) return null;
  const hasDensity = zones.some((zone) => zone.density);
  const head = make("tr", {}, ...["Zone", "People", ...(hasDensity ? ["per m²"] : []), "Level"].map((text, index) =>
    make("th", { scope: "col", textContent: text, className: index && text !== "Level" ? "n" : "" })));
  const rows = zones.map((zone) => {
    const level = camera.levels.find(({ name }) => name === zone.name) ?? { level: 0, levels: 0 };
    const range = zone.people.low !== null ? ` (${Math.floor(zone.people.low)}–${Math.ceil(zone.people.high)})` : "";
    return make("tr", {},
      make("td", { textContent: zone.name }),
      make("td", { className: "n", textContent: `${whole(zone.people.value)}${range}` }),
      hasDensity ? make("td", { className: "n", textContent: zone.density ? decimal(zone.density.value) : "–" }) : null,
      make("td", {}, levelChip(level)));
  });
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}

export class Cameras {
  constructor() {
    this.tiles = new Map();
    $("overlay").value = kept.get("overlay", "points");
    $("overlay").addEventListener("change", () => {
      kept.set("overlay", $("overlay").value);
      this.tiles.forEach((tile) => this.overlay(tile));
    });
    this.seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const tile = this.tiles.get(target.dataset.camera);
        if (isIntersecting) tile?.picture.start();
        else tile?.picture.stop();
      }
    });
  }

  overlay(tile) {
    tile.picture.overlay = $("overlay").value;
    tile.picture.paint();
  }

  show(cameras) {
    for (const [name, tile] of this.tiles) {
      if (cameras.has(name)) continue;
      tile.root.remove();
      this.tiles.delete(name);
    }
    for (const camera of cameras.values()) this.update(camera);
  }

  update(camera) {
    const tile = this.tiles.get(camera.name) ?? this.add(camera.name);
    const { measurement, status } = camera;
    tile.state.dataset.state = status.state;
    write(tile.state, stateWords(camera));
    write(tile.people, measurement ? whole(measurement.people.value) : "–");
    write(tile.range, measurement ? amountRange(measurement.people) || "no range" : status.reason || "Nothing was measured yet.");
    this.tick(camera);
    const table = zoneTable(camera);
    tile.zones.replaceChildren(...(table ? [table] : []));
    const level = Math.min(3, Math.max(0, ...camera.levels.map((one) => one.level)));
    tile.root.dataset.level = String(level);
    const words = measurement ? `${whole(measurement.people.value)} people` : "nothing measured";
    tile.picture.show({ levels: camera.levels, isOld: isOld(camera), alt: `Camera ${camera.name}: ${words}` });
  }

  // What goes on by itself: how old the numbers are.
  tick(camera) {
    const tile = this.tiles.get(camera.name);
    if (!tile) return;
    const age = ageOf(camera);
    write(tile.age, age === null ? "" : `measured ${ago(age)}`);
    tile.picture.frame.classList.toggle("old", isOld(camera));
  }

  add(name) {
    const picture = new LivePicture(name);
    const link = make("a", { href: `#camera/${encodeURIComponent(name)}`, textContent: name });
    const tile = {
      picture,
      state: make("span", { className: "pill" }),
      people: make("span", { textContent: "–" }),
      range: make("p", { className: "small range" }),
      age: make("p", { className: "small" }),
      zones: make("div"),
    };
    tile.root = make("article", { className: "tile", "data-camera": name, "aria-label": `Camera ${name}` },
      picture.frame,
      make("div", {},
        make("div", { className: "head" }, make("h2", {}, link), tile.state),
        make("p", { className: "count" }, tile.people, " ", make("span", { className: "unit", textContent: "people" })),
        tile.range, tile.zones, tile.age));
    this.tiles.set(name, tile);
    this.overlay(tile);
    $("tiles").append(tile.root);
    this.seen.observe(tile.root);
    return tile;
  }

  pictureChanged(name) {
    this.tiles.get(name)?.picture.changed();
  }
}
