// Count a photograph: dropped, pasted, chosen or taken.
import { ask, fetched } from "./net.js";
import { Viewer } from "./viewer.js";
import { $, kept, make, plural, rangeOf, say, whole, write } from "./words.js";

const MOST_TRIES = 5;

export class Photo {
  constructor(about) {
    this.viewer = new Viewer($("picture"));
    this.file = null;
    $("choose").addEventListener("click", () => $("file").click());
    $("another").addEventListener("click", () => $("file").click());
    $("take").addEventListener("click", () => $("camera-file").click());
    for (const id of ["file", "camera-file"]) {
      $(id).addEventListener("change", () => {
        if ($(id).files.length) this.count($(id).files[0]);
        $(id).value = "";
      });
    }
    addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
      if (!file) return;
      location.hash = "#photo";
      this.count(file);
    });
    this.listenToDrops();
    $("cancel").addEventListener("click", () => this.stop());
    $("zoom-in").addEventListener("click", () => this.viewer.zoom(1.5));
    $("zoom-out").addEventListener("click", () => this.viewer.zoom(1 / 1.5));
    $("zoom-fit").addEventListener("click", () => this.viewer.fit());
    $("save").addEventListener("click", () => this.save());
    $("layers").addEventListener("change", (event) => this.showLayer(event.target.value));
    $("model").addEventListener("change", () => this.file && this.count(this.file));
    this.setAbout(about);
  }

  setAbout(about) {
    this.about = about;
    $("model-part").hidden = about.models.length < 2;
    $("model").replaceChildren(...about.models.map(({ name }) => make("option", { value: name, textContent: name })));
    if (!this.found) write($("terms"), about.models[0]?.terms ?? "");
    if (!this.found) this.showFacts({ Model: about.models[0]?.name ?? "not open yet" });
  }

  listenToDrops() {
    const stage = $("stage");
    addEventListener("dragover", (event) => {
      event.preventDefault();
      stage.classList.add("over");
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) stage.classList.remove("over");
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      stage.classList.remove("over");
      if (!event.dataTransfer.files.length) return;
      location.hash = "#photo";
      this.count(event.dataTransfer.files[0]);
      if (event.dataTransfer.files.length > 1) this.say("One photograph is counted at a time: the first one is.");
    });
  }

  async count(file) {
    this.stop();
    const going = (this.going = new AbortController());
    this.file = file;
    this.say("");
    if (file.size > this.about.most_bytes) {
      this.say(`"${file.name}" has ${file.size.toLocaleString("en")} bytes, but this server takes ${this.about.most_bytes.toLocaleString("en")}: shrink it.`);
      return;
    }
    this.busy("Counting…");
    let image = null;
    try {
      image = await createImageBitmap(file, { imageOrientation: "from-image" });
    } catch {
      // A kind that browsers do not show, as HEIC: the server's own picture is shown instead.
    }
    if (going.signal.aborted) return;
    this.found = null;
    if (image) this.show(image, file, null);
    try {
      const found = await this.answer(file, going.signal);
      if (!image) image = await createImageBitmap(await this.picture("jpeg", "off", going.signal));
      if (going.signal.aborted) return;
      this.show(image, file, found);
      this.showResult(found);
    } catch (error) {
      if (going.signal.aborted) return;
      this.say(error.status ? error.message : "The server cannot be reached: try again in a moment.");
    } finally {
      if (this.going === going) this.busy("");
    }
  }

  // Where all places are taken it is asked again, when the server said to.
  async answer(file, signal) {
    const query = new URLSearchParams({ heat: "true", name: file.name || "pasted image", model: $("model").value });
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask(`/api/count?${query}`, { method: "POST", body: file, signal, headers: { accept: "application/json" } });
      } catch (error) {
        if (error.status !== 503 || attempt === MOST_TRIES) throw error;
        this.busy("All places are taken, waiting…");
        await new Promise((done) => setTimeout(done, 1000 * Math.min(10, error.retryAfter || 1)));
        if (signal.aborted) throw error;
      }
    }
  }

  show(image, file, found) {
    if (this.viewer.image === image) this.viewer.mark(found);
    else this.viewer.show(image, found);
    $("stage").style.setProperty("--aspect", `${image.width} / ${image.height}`);
    $("drop").hidden = true;
    $("zooms").hidden = false;
    const name = file.name || "Pasted image";
    $("picture").setAttribute("aria-label", found ? `${name}: ${this.words(found)}` : name);
  }

  words(found) {
    const range = found.interval ? `, ${rangeOf(...found.interval, found.interval_level)}` : "";
    return `${found.people.toLocaleString("en")} ${found.people === 1 ? "person" : "people"}${range}`;
  }

  showResult(found) {
    this.found = found;
    $("result").hidden = false;
    write($("people"), found.people.toLocaleString("en"));
    write($("people-noun"), found.people === 1 ? "person" : "people");
    const range = found.interval ? rangeOf(...found.interval, found.interval_level) : "";
    write($("range"), range || "This model tells no range.");
    $("warnings").hidden = !found.warnings.length;
    $("warnings").replaceChildren(...found.warnings.map((text) => make("li", { textContent: text })));
    this.showLayers(found);
    write($("terms"), found.terms);
    this.showFacts({
      Model: found.model,
      "Computed by": found.runtime,
      Picture: `${found.size_wh[0]}×${found.size_wh[1]} pixels`,
      Took: `${whole(found.timing_ms.total)} ms`,
    });
    say(`${this.words(found)}. ${found.warnings.join(" ")}`);
  }

  showFacts(facts) {
    const rows = Object.entries(facts).flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]);
    $("facts").replaceChildren(...rows);
  }

  // What the model gives; at first what shows a crowd best.
  showLayers(found) {
    const has = {
      points: found.points_kind !== "none",
      boxes: Boolean(found.boxes_xyxy) && found.boxes_kind === "heads",
      heat: Boolean(found.heat),
      none: true,
    };
    const keepsUp = !found.heat || found.points_xy.length >= 0.7 * found.count;
    const wanted = kept.get("layer");
    const layer = has[wanted] ? wanted : has.points && keepsUp ? "points" : has.heat ? "heat" : "points";
    for (const input of $("layers").querySelectorAll("input")) {
      input.closest("label").classList.toggle("off", !has[input.value]);
      input.checked = input.value === layer;
    }
    this.showLayer(layer, false);
  }

  showLayer(layer, isChosen = true) {
    this.viewer.layer = layer;
    this.viewer.paint();
    if (isChosen) kept.set("layer", layer);
    const kind = this.found?.points_kind === "peaks" ? "peak" : "head";
    const number = this.found?.points_xy.length ?? 0;
    const differs = this.found && number !== this.found.people && layer !== "none" && layer !== "heat";
    write($("marked"), differs ? `${plural(number, kind)} marked: the count is of the density, too.` : "");
  }

  async picture(format, hide, signal) {
    const layer = { points: "points", boxes: "boxes", heat: "density", none: "auto" }[this.viewer.layer];
    const query = new URLSearchParams({ picture: layer, format, hide, model: $("model").value });
    return (await fetched(`/api/count?${query}`, { method: "POST", body: this.file, signal })).blob();
  }

  async save() {
    $("save").disabled = true;
    try {
      const blob = await this.picture("jpeg", $("hide").checked ? "blur" : "off");
      const link = make("a", { href: URL.createObjectURL(blob), download: `${(this.file.name || "image").replace(/\.\w+$/, "")}-counted.jpg` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      this.say(error.status ? error.message : "The server cannot be reached: try again in a moment.");
    } finally {
      $("save").disabled = false;
    }
  }

  stop() {
    this.going?.abort();
    this.busy("");
  }

  busy(text) {
    $("busy").hidden = !text;
    write($("busy-text"), text);
    if (text) $("result").hidden = true;
  }

  say(text) {
    $("problem").hidden = !text;
    write($("problem"), text);
  }
}

