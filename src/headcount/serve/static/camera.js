// One camera: its picture, its zones and lines, the last hour and day.
import { ageOf, isOld, stateWords, zoneTable } from "./cameras.js";
import { chart } from "./charts.js";
import { ask } from "./net.js";
import { LivePicture } from "./picture.js";
import { $, ago, amountRange, decimal, kept, make, plural, whole, write } from "./words.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HOUR_EVERY_MS = 10_000;
const DAY_EVERY_MS = 60_000;

export class CameraView {
  constructor() {
    this.camera = null;
    this.histories = { hour: [], day: [] };
    $("series").addEventListener("change", () => this.drawCharts());
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - width) > 4) this.drawCharts();
      width = entry.contentRect.width;
    }).observe($("hour"));
  }

  open(camera) {
    if (this.camera?.name !== camera.name) {
      this.close();
      this.histories = { hour: [], day: [] };
      this.picture = new LivePicture(camera.name);
      $("camera-picture").replaceChildren(this.picture.frame);
      write($("camera-title"), camera.name);
      $("series").replaceChildren();
      for (const [id, ms] of [["export-hour", HOUR_MS], ["export-day", DAY_MS]]) {
        $(id).addEventListener("pointerdown", () => this.link(id, ms));
        $(id).addEventListener("keydown", () => this.link(id, ms));
      }
    }
    this.picture.overlay = kept.get("overlay", "points");
    this.picture.start();
    this.update(camera);
    this.link("export-hour", HOUR_MS);
    this.link("export-day", DAY_MS);
    this.loadBoth();
    clearInterval(this.timers?.[0]);
    clearInterval(this.timers?.[1]);
    this.timers = [setInterval(() => this.load("hour"), HOUR_EVERY_MS), setInterval(() => this.load("day"), DAY_EVERY_MS)];
  }

  close() {
    this.timers?.forEach(clearInterval);
    this.picture?.stop();
    this.camera = null;
  }

  link(id, ms) {
    const since = new Date(Date.now() - ms).toISOString();
    if (this.camera) $(id).href = `/api/cameras/${encodeURIComponent(this.camera.name)}/history.csv?since=${since}`;
  }

  loadBoth() {
    this.load("hour");
    this.load("day");
  }

  async load(which) {
    const camera = this.camera;
    if (!camera || document.hidden) return;
    const since = new Date(Date.now() - (which === "hour" ? HOUR_MS : DAY_MS)).toISOString();
    try {
      const found = await ask(`/api/cameras/${encodeURIComponent(camera.name)}/history?since=${since}&most=720`);
      if (this.camera?.name !== camera.name) return;
      this.histories[which] = found.points;
      this.drawCharts();
    } catch {
      // What is there stays; the strip says that the server is gone.
    }
  }

  update(camera) {
    this.camera = camera;
    const { measurement, status } = camera;
    $("camera-state").dataset.state = status.state;
    write($("camera-state"), stateWords(camera));
    write($("camera-people"), measurement ? whole(measurement.people.value) : "–");
    write($("camera-range"), measurement ? amountRange(measurement.people) || "This model tells no range." : status.reason);
    write($("camera-trend"), trendOf(measurement?.trend_per_min));
    const table = zoneTable(camera);
    $("camera-zones").replaceChildren(...(table ? [table] : []));
    const lines = lineTable(measurement?.lines ?? []);
    $("camera-lines").replaceChildren(...(lines ? [lines] : []));
    const notes = [status.reason, ...(measurement?.warnings ?? []), ...refusals(measurement)].filter(Boolean);
    const key = notes.join("\n");
    if ($("camera-notes").dataset.key !== key) {
      $("camera-notes").dataset.key = key;
      $("camera-notes").replaceChildren(...notes.map((text) => make("li", { textContent: text })));
    }
    this.tick(camera);
    const words = measurement ? `${whole(measurement.people.value)} people` : "nothing measured";
    this.picture.show({ levels: camera.levels, isOld: isOld(camera), alt: `Camera ${camera.name}: ${words}` });
    this.showSeries(measurement);
  }

  tick(camera) {
    const age = ageOf(camera);
    const { measurement } = camera;
    if (!measurement || age === null) return;
    write($("camera-facts"), `Measured ${ago(age)} by ${measurement.model || "the model"}, ${whole(measurement.latency_ms)} ms after the frame came; ${plural(measurement.skipped, "frame")} passed over.`);
    this.picture.frame.classList.toggle("old", isOld(camera));
  }

  // What can be drawn over time: the view, each zone's people, and its people per square metre.
  showSeries(measurement) {
    const options = [["", "people in view"]];
    for (const zone of measurement?.zones ?? []) {
      options.push([`people/${zone.name}`, `people in ${zone.name}`]);
      if (zone.density) options.push([`density/${zone.name}`, `people per m² in ${zone.name}`]);
    }
    const key = JSON.stringify(options);
    if ($("series").dataset.key === key || (!measurement && $("series").options.length)) return;
    const chosen = $("series").value;
    $("series").dataset.key = key;
    $("series").replaceChildren(...options.map(([value, textContent]) => make("option", { value, textContent })));
    if (options.some(([value]) => value === chosen)) $("series").value = chosen;
  }

  drawCharts() {
    if (!this.camera) return;
    const value = $("series").value;
    const [kind, zone] = value ? [value.slice(0, value.indexOf("/")), value.slice(value.indexOf("/") + 1)] : ["people", ""];
    const name = $("series").selectedOptions[0]?.textContent ?? "people in view";
    const now = Date.now();
    for (const [which, words, ms, gapMs] of [["hour", "last hour", HOUR_MS, 60_000], ["day", "last day", DAY_MS, 10 * 60_000]]) {
      const points = this.histories[which].flatMap((point) => {
        const of = zone ? (point.zones[zone] ?? {}) : point;
        if (of[kind] === null || of[kind] === undefined) return [];
        return [{ at: Date.parse(point.at), value: of[kind], low: of[`${kind}_low`], high: of[`${kind}_high`] }];
      });
      const title = `${name[0].toUpperCase()}${name.slice(1)}, ${words}`;
      chart($(which), { title, points, since: now - ms, until: now, gapMs, digits: kind === "density" ? 1 : 0 });
    }
  }

  pictureChanged(name) {
    if (this.camera?.name === name) this.picture.changed();
  }
}

function trendOf(trend) {
  if (!trend) return "";
  if (Math.abs(trend.value) < 0.5) return "About the same as a minute ago.";
  return `${trend.value > 0 ? "Filling" : "Emptying"} by ${decimal(Math.abs(trend.value))} people a minute.`;
}

const refusals = (measurement) => [
  ...(measurement?.zones ?? []).flatMap((zone) => Object.values(zone.refused ?? {}).map((text) => `${zone.name}: ${text}`)),
  ...(measurement?.lines ?? []).filter((line) => line.refused).map((line) => `${line.name}: ${line.refused}`),
];

function lineTable(lines) {
  if (!lines.length) return null;
  const told = (value) => (value === null ? "–" : decimal(value));
  const head = make("tr", {}, ...["Line", "Forward/min", "Backward/min", "per m·min"].map((text, index) => make("th", { scope: "col", textContent: text, className: index ? "n" : "" })));
  const rows = lines.map((line) => make("tr", {}, make("td", { textContent: line.name }),
    ...[line.forward_per_min, line.backward_per_min, line.flow_per_m_min].map((value) => make("td", { className: "n", textContent: told(value) }))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}
