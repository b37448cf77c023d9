// The page: which view is shown, what the server tells, light and dark.
import { Alerts } from "./alerts.js";
import { CameraView } from "./camera.js";
import { Cameras } from "./cameras.js";
import { ask, Changes } from "./net.js";
import { Photo } from "./photo.js";
import { Strip } from "./strip.js";
import { $, kept, moment, plural, write } from "./words.js";

const POLL_MS = 5000;
const READY_EVERY_MS = 10_000;

class Page {
  constructor(about) {
    this.strip = new Strip();
    this.about = about;
    this.photo = new Photo(about);
    this.state = { cameras: new Map(), outputs: new Map(), monitor: null };
    write($("site"), about.site ?? "");
    for (const id of ["to-cameras", "to-alerts"]) $(id).hidden = !about.site;
    if (about.site) this.watchSite();
    addEventListener("hashchange", () => this.route(true));
    this.route(false);
    this.checkReady();
    setInterval(() => this.checkReady(), about.site ? READY_EVERY_MS : POLL_MS);
    setInterval(() => this.tick(), 1000);
    addEventListener("online", () => this.checkReady());
    document.body.dataset.ready = "true";
  }

  watchSite() {
    this.cameras = new Cameras();
    this.view = new CameraView();
    this.alerts = new Alerts({
      opened: (open, waiting) => this.countAlerts(open, waiting),
      failed: (text) => this.strip.say("acknowledge", text),
    });
    this.changes = new Changes({ heard: (event, data) => this.heard(event, data), changed: (isThere) => this.connected(isThere) });
  }

  heard(event, data) {
    const { state } = this;
    if (event === "now") {
      state.cameras = new Map(data.cameras.map((camera) => [camera.name, stamped(camera)]));
      state.outputs = new Map(data.outputs.map((output) => [output.output, output]));
      state.monitor = data.monitor;
      this.cameras.show(state.cameras);
      this.alerts.show(data.alerts);
      this.route(false);
    } else if (event === "camera") {
      state.cameras.set(data.name, stamped(data));
      this.cameras.update(data);
      if (this.view.camera?.name === data.name) this.view.update(data);
    } else if (event === "picture") {
      this.cameras.pictureChanged(data.camera);
      this.view.pictureChanged(data.camera);
    } else if (event === "alert") {
      this.alerts.update(data);
    } else if (event === "output") {
      state.outputs.set(data.output, data);
    } else if (event === "monitor") {
      state.monitor = data;
    }
    if (event !== "picture" && event !== "beat") this.sayTroubles();
  }

  sayTroubles() {
    const { cameras, outputs, monitor } = this.state;
    const texts = new Map();
    if (monitor?.state === "down") texts.set("live:monitor", monitor.reason);
    for (const { name, status } of cameras.values()) {
      if (status.state === "offline" || status.state === "stale") {
        const why = status.reason ? `: ${status.reason}` : ".";
        if (monitor?.state !== "down") texts.set(`live:camera ${name}`, `Camera ${name} is ${status.state} since ${moment(status.since)}${why}`);
      }
    }
    for (const output of outputs.values()) {
      if (output.state !== "failing") continue;
      const waiting = output.waiting ? ` ${plural(output.waiting, "record")} wait${output.waiting === 1 ? "s" : ""} on the disk.` : "";
      const lost = output.lost ? ` ${plural(output.lost, "record")} lost.` : "";
      texts.set(`live:output ${output.output}`, `The output ${output.output} fails since ${moment(output.since)}: ${output.reason}${waiting}${lost}`);
    }
    this.strip.sayAll("live", texts);
  }

  // Whether the server is there at all, and can count.
  async checkReady() {
    let ready = null;
    try {
      ready = await (await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(4000) })).json();
    } catch {
      // Gone.
    }
    if (!this.about.site) this.connected(ready !== null);
    if (ready === null) return;
    const words = { failed: `Nothing can be counted now: ${ready.reason}`, starting: "The model is being opened: counting begins in a moment." };
    this.strip.say("ready", words[ready.status] ?? "");
    if (ready.status === "ready" && !this.about.models.length) {
      this.about = await ask("/api/about");
      this.photo.setAbout(this.about);
    }
  }

  connected(isThere) {
    $("connection").dataset.state = isThere ? "online" : "offline";
    write($("connection"), isThere ? "Connected" : "No connection");
    this.strip.say("connection", isThere ? "" : "The connection to the server is gone: what is shown may be old. Trying again…");
  }

  tick() {
    for (const camera of this.state.cameras.values()) {
      this.cameras.tick(camera);
      if (this.view.camera?.name === camera.name) this.view.tick(camera);
    }
  }

  countAlerts(open, waiting) {
    $("open-alerts").hidden = !open;
    write($("open-alerts"), String(open));
    $("to-alerts").setAttribute("aria-label", open ? `Alerts, ${open} open` : "Alerts");
    this.title(waiting);
  }

  title(waiting = this.waiting ?? 0) {
    this.waiting = waiting;
    document.title = `${waiting ? `(${waiting}) ` : ""}${this.about.site ? `${this.about.site} – ` : ""}headcount`;
  }

  route(isMoved) {
    const [view, name] = (location.hash.slice(1) || (this.about.site ? "cameras" : "photo")).split("/");
    const camera = view === "camera" ? this.state.cameras.get(decoded(name ?? "")) : null;
    const known = this.about.site ? ["photo", "cameras", "alerts"] : ["photo"];
    const shown = camera ? "camera" : known.includes(view) ? view : this.about.site ? "cameras" : "photo";
    for (const each of ["photo", "cameras", "camera", "alerts"]) {
      $(`view-${each}`).hidden = each !== shown;
      const link = $(`to-${each === "camera" ? "cameras" : each}`);
      if (each === shown) link.setAttribute("aria-current", "page");
      else if (!(each === "camera" && shown === "cameras") && !(each === "cameras" && shown === "camera")) link.removeAttribute("aria-current");
    }
    if (camera) this.view.open(camera);
    else this.view?.close();
    if (shown === "photo") this.photo.viewer.resize();
    if (isMoved) {
      scrollTo(0, 0);
      $("main").focus({ preventScroll: true });
    }
    this.title();
  }
}

// A part of the address, as somebody may have typed it.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function stamped(camera) {
  camera.heardAt = performance.now();
  return camera;
}

function setTheme() {
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const shown = () => document.documentElement.dataset.theme || (isDark.matches ? "dark" : "light");
  const name = () => {
    const other = shown() === "dark" ? "Light" : "Dark";
    write($("theme"), other);
    $("theme").setAttribute("aria-label", `${other} colours`);
  };
  document.documentElement.dataset.theme = kept.get("theme");
  isDark.addEventListener("change", name);
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = shown() === "dark" ? "light" : "dark";
    kept.set("theme", document.documentElement.dataset.theme);
    name();
  });
  name();
}

async function start() {
  setTheme();
  for (;;) {
    try {
      window.page = new Page(await ask("/api/about"));
      return;
    } catch (error) {
      if (!(error instanceof TypeError) && !error.status) throw error;
      $("connection").dataset.state = "offline";
      write($("connection"), "No connection");
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

start();
