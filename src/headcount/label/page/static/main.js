// The page: one image at a time, claimed for this tab, every stroke sent as it is made.

import { Boxes } from "./boxes.js";
import { actionOf, showKeys } from "./keys.js";
import { Labels } from "./labels.js";
import { List } from "./list.js";
import { Refused, ask, newId } from "./net.js";
import { Outbox, Tabs } from "./outbox.js";
import { Tiles } from "./tiles.js";
import { HINTS, Tools } from "./tools.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const number = (value, noun) => `${value.toLocaleString("en")} ${noun}${value === 1 ? "" : "s"}`;
const LOOK_MS = 2000;
const JOB_MS = 400;
const STEP_PX = 14;

class Page {
  async start() {
    showKeys($("keys"));
    this.buttons();
    try {
      this.about = await ask("folder");
    } catch (error) {
      this.notice("start", `${error.message || "The server cannot be reached."} Load the page again.`, { isBad: true });
      return;
    }
    document.title = `${this.about.folder} – headcount label`;
    this.tabs = new Tabs(this.about.database);
    this.session = await this.tabs.claim(() => newId(16));
    await this.askName();
    this.outbox = new Outbox(this.about.database, this.session, {
      receipts: (image, answer) => this.receipts(image, answer),
      refused: (item, reason) => this.refused(item, reason),
      state: (state) => this.saved(state),
    });
    this.labels = new Labels(
      (stroke) => this.outbox.put(this.image.id, this.person, stroke),
      () => this.changed(),
    );
    this.tiles = new Tiles(this.about.tile_px, () => this.view.redrawGround(), (reason) => this.unreadable(reason));
    const source = {
      blocks: [1, 1],
      selected: new Set(),
      interpolated: new Map(),
      things: new Map(),
      live: (context, view) => this.tools.live(context, view),
      moved: () => this.boxes?.moved(),
    };
    const parts = { stage: $("stage"), layers: $("layers"), ground: $("ground"), marks: $("marks"), live: $("live") };
    this.view = new View(parts, this.tiles, source);
    this.boxes = new Boxes(this.labels, this.view, () => this.changed());
    this.tools = new Tools($("surface"), {
      labels: this.labels,
      view: this.view,
      boxes: this.boxes,
      canEdit: () => this.canEdit(),
      changed: () => this.changed(),
      told: () => this.place(),
      tell: (text) => this.hint(text),
    });
    source.selected = this.tools.selected;
    this.list = new List(
      { list: $("list"), inner: $("list-inner"), filter: $("filter"), onlyOpen: $("only-open"), progress: $("progress") },
      { choose: (id) => this.open(id), person: () => this.person },
    );
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("keyup", (event) => event.key === " " && this.space(false));
    addEventListener("hashchange", () => this.fromAddress());
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", (event) => event.persisted && this.image && this.open(this.image.id));
    if (innerWidth < 62 * 16) document.body.classList.add("no-list", "no-panel");
    this.sides();
    // What this tab had not sent before it was reloaded, and what closed tabs left, goes first: it was drawn first.
    this.outbox.adopt(this.session);
    const others = [...this.outbox.sessions()].filter((each) => each !== this.session);
    const alive = await this.tabs.alive(others);
    others.filter((each) => !alive.has(each)).forEach((each) => this.outbox.adopt(each));
    await this.outbox.settled();
    await this.list.poll();
    this.fromAddress();
    document.body.dataset.ready = "true";
  }

  // ---- who

  async askName() {
    this.person = localStorage.getItem("headcount:person") ?? "";
    if (!this.person) await this.chooseName();
    $("name").textContent = this.person;
  }

  async chooseName() {
    const dialog = $("who");
    $("person").value = this.person || this.about.person;
    dialog.showModal();
    $("person").select();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    // eslint-disable-next-line no-control-regex
    const name = $("person").value.replace(/[\u0000-\u001f\u007f]/g, "").trim();
    this.person = name || this.person || this.about.person || "somebody";
    localStorage.setItem("headcount:person", this.person);
    $("name").textContent = this.person;
  }

  get who() {
    return { session: this.session, person: this.person };
  }

  // ---- an image

  fromAddress() {
    const id = Number(new URLSearchParams(location.hash.slice(1)).get("image"));
    if (id && id === this.image?.id) return;
    if (id && this.list.row(id)) this.open(id);
    else if (this.list.shown.length) {
      const first = this.list.shown.find((row) => !row.done && !row.problem && (!row.holder || row.holder === this.person));
      this.open((first ?? this.list.shown[0]).id);
    }
  }

  async open(id, { over = false, stay = false } = {}) {
    const before = this.image;
    this.goal = id;
    const wanted = (this.opening = newId(8));
    if (before && before.id !== id) this.giveBack(before.id);
    if (!stay) {
      this.tools.clear();
      this.boxes.clear();
      this.tiles.close();
      this.view.image = null;
      this.image = null;
      this.labels.clear();
      this.view.redraw();
    }
    this.list.open(id);
    this.unnotice("held", "late", "lost");
    $("empty").textContent = stay ? "" : "Loading…";
    try {
      await this.claim(id, over);
      const image = await ask(`images/${id}?${new URLSearchParams(this.who)}`);
      if (this.opening !== wanted) return;
      this.show(image, stay);
    } catch (error) {
      if (this.opening !== wanted) return;
      $("empty").textContent = `${error.message || "The server cannot be reached."}`;
      if (!(error instanceof Refused)) setTimeout(() => this.opening === wanted && this.open(id, { over, stay }), 1500);
    }
  }

  // Claim an image; from a tab of this browser that was closed before it could give the image back, too.
  async claim(id, over) {
    const key = `headcount-held:${this.about.database}:${id}`;
    let { holder } = await ask(`images/${id}/claim`, { ...this.who, over });
    if (holder && !holder.mine && holder.person === this.person) {
      const session = localStorage.getItem(key);
      if (session && !(await this.tabs.alive([session])).has(session)) {
        ({ holder } = await ask(`images/${id}/claim`, { ...this.who, over: true }));
      }
    }
    if (!holder?.mine) return;
    try {
      localStorage.setItem(key, this.session);
    } catch {
      // A full storage: a closed tab's claim runs out by itself.
    }
  }

  show(image, stay) {
    this.image = image;
    this.labels.load(image, this.outbox.of(image.id));
    $("title").textContent = image.name;
    $("title").title = image.name;
    history.replaceState(null, "", `#image=${image.id}`);
    $("empty").textContent = image.problem;
    Object.assign(this.view.source, { things: this.labels.things });
    this.view.source.blocks = image.blocks;
    if (!image.problem && !stay) {
      this.tiles.open(image);
      this.view.open(image);
    }
    this.boxes.open(image);
    this.look(image);
    this.watch();
    this.changed();
    if (!stay && document.activeElement === document.body) $("surface").focus({ preventScroll: true });
  }

  unreadable(reason) {
    $("empty").textContent = reason;
    this.image.problem = reason;
    this.tiles.close();
    this.view.image = null;
    this.view.redraw();
    this.changed();
    this.list.poll();
  }

  giveBack(id) {
    // Its strokes first: what comes later is good only until somebody else takes the image.
    const wait = async () => {
      while (this.outbox.of(id).length) await new Promise((resolve) => setTimeout(resolve, 300));
      if (this.goal !== id) ask(`images/${id}/release`, this.who).catch(() => {});
    };
    wait();
  }

  leave() {
    if (!this.image || this.outbox.items.length) return;
    const body = new Blob([JSON.stringify(this.who)], { type: "application/json" });
    navigator.sendBeacon(`/api/images/${this.image.id}/release`, body);
  }

  canEdit() {
    return Boolean(this.image && !this.image.problem && this.holder?.mine);
  }

  // Renew the claim, and look whether somebody else did something.
  watch() {
    clearTimeout(this.watching);
    const job = this.job?.state;
    const isBusy = job === "waiting" || job === "running";
    const renew_ms = (this.about.lease_s * 1000) / 4;
    const wait_ms = isBusy ? JOB_MS : this.holder?.mine ? Math.min(renew_ms, 10000) : Math.min(LOOK_MS, renew_ms);
    this.watching = setTimeout(async () => {
      const { image } = this;
      if (!image) return;
      try {
        const path = `images/${image.id}`;
        const state = this.holder?.mine
          ? await ask(`${path}/claim`, { ...this.who, renew: true })
          : await ask(`${path}/state?${new URLSearchParams(this.who)}`);
        if (this.image === image) {
          this.look(state);
          if (state.seq > this.labels.seq) await this.reload();
        }
      } catch (error) {
        if (error instanceof Refused && error.status !== 507) this.notice("watch", error.message, { isBad: true });
      }
      if (this.image === image) this.watch();
    }, wait_ms);
  }

  // What the server said of the image's holder, the model and late strokes.
  look(state) {
    const wasMine = this.holder?.mine && this.holderOf === this.image?.id;
    this.holder = state.holder;
    this.holderOf = this.image?.id;
    const wasBusy = ["waiting", "running"].includes(this.job?.state);
    this.job = state.job;
    if (wasBusy && !["waiting", "running"].includes(state.job?.state)) this.list.poll();
    $("claim").textContent = !this.holder ? "" : this.holder.mine ? "" : `${this.holder.person} works here`;
    if (this.holder?.mine) this.unnotice("held", "lost");
    else if (this.image && !this.image.problem) {
      const take = { "Take over": () => this.open(this.image.id, { stay: true, over: true }) };
      if (!this.holder) this.notice("held", "Nobody holds this image now: you look on.", { actions: take });
      else if (this.holder.person === this.person) {
        this.notice("held", "You have this image open in another tab: here you look on.", { actions: take });
      } else this.notice("held", `${this.holder.person} works on this image: you look on.`);
      if (wasMine) {
        const by = this.holder ? `${this.holder.person} has taken this image over` : "This image is not yours any more";
        this.notice("lost", `${by}: nothing you draw here is taken in from now on.`, { isBad: true });
      }
    }
    if (state.late) {
      const actions = this.holder?.mine ? { "Take them in": () => this.takeLate() } : {};
      const text = `${number(state.late, "stroke")} of yours came too late and changed nothing; they are kept apart.`;
      this.notice("late", text, { actions });
    } else this.unnotice("late");
    this.changed();
  }

  async takeLate() {
    const { image } = this;
    try {
      const document = await ask(`images/${image.id}/late`, this.who);
      if (this.image === image) this.show(document, true);
    } catch (error) {
      this.notice("watch", error.message, { isBad: true });
    }
  }

  async reload() {
    const { image } = this;
    if (!image || this.outbox.of(image.id).length) {
      this.isStale = true; // read anew when what waits is there
      return;
    }
    this.isStale = false;
    const document = await ask(`images/${image.id}?${new URLSearchParams(this.who)}`);
    if (this.image !== image || this.outbox.of(image.id).length) return;
    this.labels.load(document, []);
    for (const id of [...this.tools.selected]) if (!this.labels.things.has(id)) this.tools.selected.delete(id);
    this.look(document);
    this.boxes.ask();
  }

  // ---- strokes

  receipts(image, answer) {
    if (this.image?.id !== image) {
      const late = answer.receipts.filter((one) => one.refused);
      if (late.length) this.notice("late-elsewhere", `${number(late.length, "stroke")} on another image came too late: they are kept apart there.`);
      return;
    }
    const isKnown = this.labels.settle(answer, this.outbox.of(image));
    this.look(answer);
    if (!isKnown || this.isStale) this.reload().catch(() => {});
    this.boxes.ask();
    const row = this.list.row(image);
    if (row) {
      Object.assign(row, { heads: this.labels.numbers.head, suggestions: this.labels.numbers.suggestion, done: this.labels.numbers.done > 0, blocks: this.labels.numbers.block });
      this.list.sift();
    }
  }

  refused(item, reason) {
    this.notice("refused", `A stroke was not taken in: ${reason}`, { isBad: true });
    if (this.image?.id === item.image) this.reload().catch(() => {});
  }

  saved({ waiting, reason, isFull }) {
    const place = $("saved");
    place.dataset.state = reason ? "stuck" : waiting ? "waiting" : "saved";
    place.textContent = reason ? `Not saved: ${waiting} wait here` : waiting ? `Saving ${waiting}…` : "All saved";
    if (reason) {
      const kept = isFull
        ? "This browser's storage is full, too: keep the tab open."
        : "Your strokes wait in this browser and are sent again by themselves, even if you close the tab.";
      this.notice("stuck", `${reason} ${kept}`, { isBad: true });
    } else this.unnotice("stuck");
  }

  // ---- what is shown

  changed() {
    if (!this.tools) return;
    this.view.source.interpolated = this.boxes.found;
    this.view.source.things = this.labels.things;
    this.view.redrawMarks();
    this.telling ??= requestAnimationFrame(() => {
      this.telling = null;
      this.tell();
    });
  }

  tell() {
    const { numbers, can, presets } = this.labels;
    const canEdit = this.canEdit();
    $("count").textContent = this.image && !this.image.problem ? number(numbers.head, "head") : "";
    for (const button of $("tools").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === this.tools.tool));
    }
    $("undo").disabled = !canEdit || !can[0];
    $("redo").disabled = !canEdit || !can[1];
    const isBusy = ["waiting", "running"].includes(this.job?.state);
    $("suggest").disabled = !canEdit || isBusy;
    $("job").textContent = this.job?.text ?? "";
    $("review").hidden = !numbers.suggestion;
    $("suggested").textContent = number(numbers.suggestion, "suggestion");
    for (const id of ["accept", "reject", "accept-view", "block-done", "image-done", "method", "share"]) $(id).disabled = !canEdit;
    const others = [...this.labels.of("head")].length - presets;
    $("presets").textContent = presets
      ? `${presets === 1 ? "1 box" : `${presets.toLocaleString("en")} boxes`} drawn; ${others.toLocaleString("en")} of the heads have theirs from these, the model or a file.`
      : "Draw a few boxes, far and near: every other head gets its own.";
    const sizes = this.labels.things.get("sizes");
    $("method").value = sizes?.method ?? "nearest";
    $("share").checked = sizes?.share === "folder";
    $("show-boxes").setAttribute("aria-pressed", String(this.view.show.boxes));
    $("show-marks").setAttribute("aria-pressed", String(this.view.show.marks));
    const [columns, rows] = this.view.source.blocks;
    $("blocks-part").hidden = columns * rows <= 1;
    $("blocks").textContent = `${numbers.block} of ${columns * rows} blocks done`;
    $("image-done").setAttribute("aria-pressed", String(numbers.done > 0));
    $("surface").setAttribute("aria-label", this.image ? `Picture ${this.image.name}, ${number(numbers.head, "head")}: arrow keys move the cross, Enter draws` : "No picture");
    if (this.hinted !== this.tools.tool) this.hint(HINTS[(this.hinted = this.tools.tool)]);
    this.place();
  }

  hint(text) {
    $("hint").textContent = text;
  }

  place() {
    const hand = this.view.image?.size[0] ? this.tools.hand : null;
    const zoom = this.view.scale >= 0.1 ? Math.round(this.view.scale * 100) : (this.view.scale * 100).toFixed(1);
    $("place").textContent = !this.view.image ? "" : `${hand ? `${hand[0].toFixed(1)}, ${hand[1].toFixed(1)} · ` : ""}${zoom} %`;
  }

  notice(id, text, { isBad = false, actions = {} } = {}) {
    let place = document.getElementById(`notice-${id}`);
    const key = `${text}${Object.keys(actions)}`;
    if (place?.dataset.key === key) return;
    if (!place) {
      place = document.createElement("div");
      place.id = `notice-${id}`;
      $("notices").append(place);
    }
    place.className = "notice";
    place.dataset.kind = isBad ? "bad" : "";
    place.dataset.key = key;
    const words = document.createElement("span");
    words.textContent = text;
    const button = (label, action) => {
      const made = document.createElement("button");
      made.textContent = label;
      made.addEventListener("click", action);
      return made;
    };
    const buttons = Object.entries(actions).map(([label, action]) => button(label, action));
    place.replaceChildren(words, ...buttons, button("Close", () => (place.hidden = true)));
    place.hidden = false;
  }

  unnotice(...ids) {
    ids.forEach((id) => document.getElementById(`notice-${id}`)?.remove());
  }

  // ---- buttons and keys

  buttons() {
    const click = (id, action) => $(id).addEventListener("click", () => this.tools && this.run(action));
    for (const button of $("tools").querySelectorAll("button")) {
      button.addEventListener("click", () => this.run(`tool:${button.dataset.tool}`));
    }
    const actions = {
      undo: "undo", redo: "redo", suggest: "suggest", accept: "accept", reject: "reject", "accept-view": "accept-view",
      "next-suggestion": "next", "previous-suggestion": "previous", "show-boxes": "boxes", "show-marks": "marks",
      "block-done": "block-done", "block-next": "block-next", "image-done": "done", "image-next": "image-next",
      "image-previous": "image-previous", "zoom-fit": "fit", "zoom-full": "full", "toggle-list": "list",
      "toggle-panel": "panel", "help-open": "help",
    };
    Object.entries(actions).forEach(([id, action]) => click(id, action));
    $("zoom-in").addEventListener("click", () => this.view?.zoom(1.5));
    $("zoom-out").addEventListener("click", () => this.view?.zoom(1 / 1.5));
    $("name").addEventListener("click", async () => {
      await this.chooseName();
      if (this.image) this.open(this.image.id, { stay: true, over: true });
    });
    const sizes = () => {
      const now = this.labels.things.get("sizes") ?? { t: "sizes", k: 2 };
      this.labels.do({ sizes: { ...now, method: $("method").value, share: $("share").checked ? "folder" : "image" } });
    };
    $("method").addEventListener("change", sizes);
    $("share").addEventListener("change", sizes);
  }

  key(event) {
    const target = event.target;
    const isText = target.matches?.("input:not([type=checkbox]), select, textarea");
    if (document.querySelector("dialog[open]") || (isText && !["Escape"].includes(event.key))) return;
    if (isText) {
      $("surface").focus();
      return;
    }
    const isOnPicture = target === $("surface") || target === document.body;
    if (event.key === " " && isOnPicture) {
      this.space(true);
      event.preventDefault();
      return;
    }
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in arrows && isOnPicture && this.view?.image) {
      const [dx, dy] = arrows[event.key];
      if (event.altKey) this.tools.resize(dx / 2, dy / 2);
      else if (event.ctrlKey || event.metaKey) this.view.pan(-dx * 80, -dy * 80);
      // A pixel of the picture where it is enlarged, else one of the screen: the finest that can be seen.
      else if (event.shiftKey) this.tools.step(dx * Math.max(1, this.view.scale), dy * Math.max(1, this.view.scale));
      else this.tools.step(dx * STEP_PX, dy * STEP_PX);
      event.preventDefault();
      return;
    }
    if (event.key === "Enter" && !isOnPicture) return;
    const action = actionOf(event);
    if (!action) return;
    event.preventDefault();
    const step = action === "zoom" ? (event.key === "-" ? 1 / 1.25 : 1.25) : event.shiftKey ? -1 : 1;
    this.run(action, step);
  }

  space(isDown) {
    if (!this.tools || this.tools.isSpace === isDown) return;
    this.tools.isSpace = isDown;
    $("surface").dataset.cursor = isDown ? "grab" : "crosshair";
  }

  run(action, step = 1) {
    const { tools, view, labels } = this;
    if (action === "help") return $("help").showModal();
    if (action === "list" || action === "panel") return this.toggle(action === "list" ? "no-list" : "no-panel");
    if (action === "image-next") return this.list.next(1);
    if (action === "image-previous") return this.list.next(-1);
    if (!this.image || !view.image) return undefined;
    if (action.startsWith("tool:")) return tools.use(action.slice(5));
    const always = {
      cancel: () => tools.cancel(),
      fit: () => view.fit(),
      full: () => view.centre(...(tools.hand ?? tools.middle()), 1),
      zoom: () => view.zoom(step, ...(tools.hand ? view.screen(...tools.hand) : [])),
      boxes: () => this.showing("boxes"),
      marks: () => this.showing("marks"),
      all: () => tools.selectAll(),
      next: () => tools.walk(1),
      previous: () => tools.walk(-1),
      "walk-head": () => {
        tools.isCross = true;
        tools.walk(step, "head");
      },
      act: () => tools.act(),
      "act-add": () => tools.act({ add: true }),
      "block-next": () => this.nextBlock(),
    };
    if (action in always) return always[action]();
    if (!this.canEdit()) return undefined;
    const editing = {
      undo: () => labels.back("undo"),
      redo: () => labels.back("redo"),
      remove: () => tools.remove(),
      suggest: () => this.suggest(),
      accept: () => tools.judge(true),
      reject: () => tools.judge(false),
      "accept-view": () => tools.acceptView(),
      "block-done": () => this.blockDone(),
      done: () => labels.do({ done: labels.things.has("done") ? null : { t: "done" } }),
    };
    return editing[action]?.();
  }

  showing(what) {
    this.view.show[what] = !this.view.show[what];
    this.changed();
  }

  toggle(name) {
    const other = name === "no-list" ? "no-panel" : "no-list";
    document.body.classList.toggle(name);
    if (innerWidth < 62 * 16 && !document.body.classList.contains(name)) document.body.classList.add(other);
    this.sides();
    if (document.activeElement === document.body || document.activeElement?.offsetParent === null) $("surface").focus();
  }

  sides() {
    $("toggle-list").setAttribute("aria-expanded", String(!document.body.classList.contains("no-list")));
    $("toggle-panel").setAttribute("aria-expanded", String(!document.body.classList.contains("no-panel")));
  }

  async suggest() {
    try {
      this.job = (await ask(`images/${this.image.id}/suggest`, this.who)).job;
      this.watch();
    } catch (error) {
      this.job = { state: "failed", text: error.message };
    }
    this.changed();
  }

  // ---- blocks

  blockAt() {
    const [x, y] = this.tools.hand ?? this.tools.middle();
    const [columns, rows] = this.view.source.blocks;
    const [width, height] = this.image.size;
    const within = (share, most) => Math.min(Math.max(0, Math.floor(share * most)), most - 1);
    return [within(x / width, columns), within(y / height, rows)];
  }

  blockDone() {
    const [columns, rows] = this.view.source.blocks;
    if (columns * rows <= 1) return;
    const id = `block:${this.blockAt().join(":")}`;
    this.labels.do({ [id]: this.labels.things.has(id) ? null : { t: "block" } });
  }

  nextBlock() {
    const [columns, rows] = this.view.source.blocks;
    if (columns * rows <= 1) return;
    const [column, row] = this.lastBlock && this.lastBlock.image === this.image.id ? this.lastBlock.at : [-1, 0];
    const from = row * columns + column;
    for (let far = 1; far <= columns * rows; far += 1) {
      const at = (from + far + columns * rows) % (columns * rows);
      const [x, y] = [at % columns, Math.floor(at / columns)];
      if (this.labels.things.has(`block:${x}:${y}`)) continue;
      this.lastBlock = { image: this.image.id, at: [x, y] };
      const [width, height] = [this.image.size[0] / columns, this.image.size[1] / rows];
      const frame = [x * width, y * height, (x + 1) * width, (y + 1) * height];
      this.view.frame(frame);
      this.tools.cross = [(frame[0] + frame[2]) / 2, (frame[1] + frame[3]) / 2];
      this.tools.pointer = null;
      this.changed();
      return;
    }
    this.hint("All blocks of this image are done.");
  }
}

window.page = new Page();
window.page.start();
