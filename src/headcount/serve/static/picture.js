// A camera's newest picture, its zones coloured by level, and dots or heat over it.
import { heatCanvas } from "./colours.js";
import { ask, fetched } from "./net.js";
import { draw, make } from "./words.js";

const LEAST_MS = 900;
const RETRY_MS = 10_000;

export class LivePicture {
  constructor(camera) {
    this.camera = camera;
    this.overlay = "points";
    this.img = make("img", { alt: "" });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.svg = draw("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.none = make("p", { className: "none told", textContent: "No picture yet" });
    this.frame = make("div", { className: "frame" }, this.img, this.canvas, this.svg, this.none);
    this.levels = new Map();
    this.marks = null;
    this.loadedAt = 0;
    new ResizeObserver(() => this.paint()).observe(this.frame);
  }

  // Begin to look; pictures are made on the server only while somebody does.
  start() {
    if (this.isLooking) return;
    this.isLooking = true;
    this.load();
    this.timer = setInterval(() => {
      if (Date.now() - this.loadedAt > RETRY_MS) this.load();
    }, RETRY_MS / 2);
  }

  stop() {
    this.isLooking = false;
    clearInterval(this.timer);
  }

  // There is a newer one.
  changed() {
    if (!this.isLooking || document.hidden || this.isLoading) return;
    if (Date.now() - this.loadedAt >= LEAST_MS) this.load();
  }

  async load() {
    if (this.isLoading || document.hidden) return;
    this.isLoading = true;
    try {
      const path = `/api/cameras/${encodeURIComponent(this.camera)}`;
      const [response, marks] = [await fetched(`${path}/picture`), await ask(`${path}/marks`)];
      const url = URL.createObjectURL(await response.blob());
      const before = this.img.src;
      this.img.src = url;
      await this.img.decode();
      if (before) URL.revokeObjectURL(before);
      this.frame.style.aspectRatio = `${this.img.naturalWidth} / ${this.img.naturalHeight}`;
      this.marks = marks;
      this.none.hidden = true;
      this.paint();
    } catch {
      this.none.hidden = Boolean(this.img.src);
    } finally {
      this.isLoading = false;
      this.loadedAt = Date.now();
    }
  }

  show({ levels, isOld, alt }) {
    this.levels = new Map(levels.map(({ name, level }) => [name, level]));
    this.frame.classList.toggle("old", isOld);
    this.img.alt = alt;
    this.paint();
  }

  paint() {
    const zones = this.marks?.zones ?? [];
    this.svg.replaceChildren(
      ...zones.map(({ name, polygon }) => {
        const level = Math.min(3, this.levels.get(name) ?? 0);
        return draw("polygon", { points: polygon.map((corner) => corner.join(",")).join(" "), class: `l${level}` });
      }),
    );
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.frame;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    if (!this.marks || !width) return;
    if (this.overlay === "heat" && this.marks.heat) {
      const heat = heatCanvas(this.marks.heat);
      if (heat) pen.drawImage(heat, 0, 0, this.canvas.width, this.canvas.height);
    } else if (this.overlay === "points") {
      for (const [colour, radius] of [["#fff", 3.2], ["#ff2d55", 2.2]]) {
        pen.fillStyle = colour;
        pen.beginPath();
        for (const [x, y] of this.marks.points) {
          pen.moveTo(x * this.canvas.width + radius * ratio, y * this.canvas.height);
          pen.arc(x * this.canvas.width, y * this.canvas.height, radius * ratio, 0, 7);
        }
        pen.fill();
      }
    }
  }
}
