// The page: one image at a time, claimed for this tab, every stroke sent as it is made.

import { Blocks } from "./blocks.js";
import { Boxes } from "./boxes.js";
import { Holding } from "./holding.js";
import { actionOf, showKeys } from "./keys.js";
import { Labels } from "./labels.js";
import { List } from "./list.js";
import { drawLive } from "./live.js";
import { Refused, ask, isAbout, newId } from "./net.js";
import { Notices } from "./notices.js";
import { Outbox, Tabs } from "./outbox.js";
import { Panel } from "./panel.js";
import { Tiles } from "./tiles.js";
import { Tools } from "./tools.js";
import { View } from "./view.js";
import { $, number } from "./words.js";

const STEP_PX = 14;

class Page {
  async start() {
    showKeys($("keys"));
    this.notices = new Notices($("notices"));
    this.versions = new Map(); // of the images' files, as this tab showed them last
    this.holding = new Holding(this);
    this.panel = new Panel(this);
    this.blocks = new Blocks(this);
    this.buttons();
    try {
      this.about = await ask("folder");
    } catch (error) {
      const why = error.message || "The server cannot be reached.";
      this.notices.say("start", `${why} Load the page again.`, { isBad: true });
      return;
    }
    isAbout(this.about.database);
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
      (stroke) => this.outbox.put(this.image, this.person, stroke),
      () => this.changed(),
    );
    this.tiles = new Tiles(this.about.tile_px, {
      came: (part) => this.view.patch(part),
      failed: (reason) => this.unreadable(reason),
      replaced: () => this.open(this.image.id),
    });
    const source = {
      blocks: [1, 1],
      selected: new Set(),
      interpolated: new Map(),
      things: new Map(),
      live: (context, view) => drawLive(this.tools, context, view),
      moved: () => this.boxes?.moved(),
    };
    const parts = { stage: $("stage"), ground: $("ground"), marks: $("marks"), live: $("live") };
    this.view = new View(parts, this.tiles, source);
    this.boxes = new Boxes(this.labels, this.view, () => this.changed(), (error) => this.troubled("boxes", error));
    this.tools = new Tools($("surface"), {
      labels: this.labels,
      view: this.view,
      boxes: this.boxes,
      canEdit: () => this.canEdit(),
      changed: () => this.changed(),
      told: () => this.panel.place(),
      tell: (text) => this.panel.hint(text),
    });
    source.selected = this.tools.selected;
    this.list = new List(
      {
        list: $("list"), inner: $("list-inner"), filter: $("filter"), onlyOpen: $("only-open"), progress: $("progress"),
      },
      {
        choose: (id) => this.open(id),
        person: () => this.person,
        came: () => this.troubled("list", null),
        failed: (error) => this.troubled("list", error),
      },
    );
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("keyup", (event) => event.key === " " && this.space(false));
    addEventListener("hashchange", () => this.fromAddress());
    addEventListener("pagehide", () => this.holding.leave());
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
    do {
      $("person").value = this.person || this.about.person;
      dialog.returnValue = "";
      dialog.showModal();
      $("person").select();
      await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
      const name = $("person").value.replace(/[\u0000-\u001f\u007f]/g, "").trim();
      if (dialog.returnValue === "named" && name) this.person = name; // Esc leaves it as it was
    } while (!this.person);
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
      const isFree = (row) => !row.holder || row.holder === this.person;
      const first = this.list.shown.find((row) => !row.done && !row.problem && isFree(row));
      this.open((first ?? this.list.shown[0]).id);
    }
  }

  async open(id, { over = false, stay = false } = {}) {
    const before = this.image;
    if (this.goal !== id) this.notices.drop("replaced");
    this.goal = id;
    const wanted = (this.opening = newId(8));
    if (before && before.id !== id) this.holding.giveBack(before.id);
    if (!stay) {
      this.tools.clear();
      this.boxes.clear();
      this.image = null;
      this.labels.clear();
      this.hide();
    }
    this.list.open(id);
    this.notices.drop("held", "late", "lost");
    $("empty").textContent = stay ? "" : "Loading…";
    if (id < 0) {
      $("title").textContent = this.list.row(id)?.name ?? "";
      $("empty").textContent = this.list.row(id)?.problem ?? ""; // one that is listed, and can never be opened
      this.changed();
      return;
    }
    try {
      await this.holding.claim(id, over);
      const image = await ask(`images/${id}?${new URLSearchParams(this.who)}`);
      if (this.opening !== wanted) {
        if (this.goal !== id) this.holding.giveBack(id); // somebody paged on before it was there
        return;
      }
      this.show(image, stay);
    } catch (error) {
      if (this.opening !== wanted) return;
      $("empty").textContent = `${error.message || "The server cannot be reached."}`;
      const mayPass = !(error instanceof Refused) || error.status === 503;
      if (mayPass) setTimeout(() => this.opening === wanted && this.open(id, { over, stay }), 1500);
    }
  }

  show(image, stay) {
    const isShown = stay && this.image?.version === image.version;
    this.image = image;
    this.compare(image);
    this.isStale = false;
    this.labels.load(image, this.outbox.of(image.id));
    $("title").textContent = image.name;
    $("title").title = image.name;
    history.replaceState(null, "", `#image=${image.id}`);
    $("empty").textContent = image.problem;
    Object.assign(this.view.source, { things: this.labels.things });
    this.view.source.blocks = image.blocks;
    if (image.problem) this.hide();
    else if (!isShown) {
      this.tiles.open(image);
      this.view.open(image);
    }
    this.boxes.open(image);
    this.holding.look(image);
    this.holding.watch();
    this.changed();
    if (!stay && document.activeElement === document.body) $("surface").focus({ preventScroll: true });
  }

  // Say where an image's file is not the one that this tab showed before: labels are in the coordinates of that.
  compare({ id, version }) {
    if (!version) return;
    const before = this.versions.get(id);
    this.versions.set(id, version);
    if (!before || before === version) return;
    this.notices.say("replaced", "This picture's file was replaced: look whether its labels still fit.");
  }

  // Whether what the server says of the image is about another file than the one that is shown: it is opened anew then.
  reopened({ version }) {
    if (version === this.image.version) return false;
    this.open(this.image.id);
    return true;
  }

  hide() {
    this.tiles.close();
    this.view.image = null;
    this.view.redraw();
  }

  unreadable(reason) {
    $("empty").textContent = reason;
    // Its file may just be being copied: it is opened anew as soon as the server can tell more of it.
    Object.assign(this.image, { problem: reason, version: "" });
    this.hide();
    this.holding.watch();
    this.changed();
    this.list.poll();
  }

  canEdit() {
    return Boolean(this.image && !this.image.problem && this.holding.holder?.mine);
  }

  // Read the document anew: it has more than this tab knows of. What waits here is sent first, and a stroke that is made
  // meanwhile is not in what was read, so that it is read once more.
  async reload() {
    const { image } = this;
    this.isStale = true;
    if (!image || this.isReading || this.outbox.of(image.id).length) return;
    this.isReading = true;
    try {
      const document = await ask(`images/${image.id}?${new URLSearchParams(this.who)}`);
      const isWanted = this.image === image && !this.reopened(document) && !this.outbox.of(image.id).length;
      if (isWanted && document.strokes >= this.labels.strokes) this.take(document);
    } finally {
      this.isReading = false;
    }
    if (this.isStale && this.image && !this.outbox.of(this.image.id).length) await this.reload();
  }

  take(document) {
    this.isStale = false;
    this.labels.load(document, []);
    for (const id of [...this.tools.selected]) if (!this.labels.things.has(id)) this.tools.selected.delete(id);
    this.holding.look(document);
    this.boxes.ask();
  }

  // ---- strokes

  receipts(image, answer) {
    if (this.image?.id !== image) {
      const late = answer.receipts.filter((one) => one.refused);
      const text = `${number(late.length, "stroke")} on another image came too late: they are kept apart there.`;
      if (late.length) this.notices.say("late-elsewhere", text);
      return;
    }
    if (this.reopened(answer)) return;
    const isKnown = this.labels.settle(answer, this.outbox.of(image));
    this.holding.look(answer);
    if (!isKnown || this.isStale) this.reload().catch(() => {});
    this.boxes.ask();
    const row = this.list.row(image);
    if (row) {
      const { head, suggestion, done, block } = this.labels.numbers;
      Object.assign(row, { heads: head, suggestions: suggestion, done: done > 0, blocks: block });
      this.list.sift();
    }
  }

  refused(item, reason) {
    this.notices.say("refused", `A stroke was not taken in: ${reason}`, { isBad: true });
    if (this.image?.id === item.image) this.reload().catch(() => {});
  }

  saved({ waiting, reason, isElsewhere, isFull }) {
    const place = $("saved");
    place.dataset.state = reason ? "stuck" : waiting ? "waiting" : "saved";
    place.textContent = reason ? `Not saved: ${waiting} wait here` : waiting ? `Saving ${waiting}…` : "All saved";
    if (reason) {
      const kept = isFull
        ? "This browser's storage is full, too: keep the tab open."
        : isElsewhere
          ? "Your strokes wait in this browser until their own folder is served at this address again."
          : "Your strokes wait in this browser and are sent again by themselves, even if you close the tab.";
      this.notices.say("stuck", `${reason} ${kept}`, { isBad: true, isStanding: true });
    } else this.notices.drop("stuck");
  }

  // What was asked for in passing, and did not come; error is null once it has. A server that is away is said once.
  troubled(what, error) {
    if (!error) this.notices.drop(`no-${what}`);
    else if (error instanceof Refused) this.notices.say(`no-${what}`, error.message, { isBad: true, isStanding: true });
    else if (what === "list" && !this.outbox.reason) {
      this.notices.say("no-list", "The server cannot be reached: it is asked again by itself.", { isStanding: true });
    }
  }

  // ---- what is shown

  changed() {
    if (!this.tools) return;
    this.view.source.interpolated = this.boxes.found;
    this.view.source.things = this.labels.things;
    this.view.redrawMarks();
    this.telling ??= requestAnimationFrame(() => {
      this.telling = null;
      this.panel.tell();
    });
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
      const before = this.person;
      await this.chooseName();
      if (this.image && this.person !== before) this.open(this.image.id, { stay: true });
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
      next: () => tools.review.walk(1),
      previous: () => tools.review.walk(-1),
      "walk-head": () => {
        tools.review.walk(step, "head");
        tools.isCross = tools.cross !== null;
        view.redrawLive();
      },
      act: () => tools.act(),
      "act-add": () => tools.act({ add: true }),
      "block-next": () => this.blocks.next(),
    };
    if (action in always) return always[action]();
    if (!this.canEdit()) return undefined;
    const editing = {
      undo: () => (tools.corners.length ? tools.dropCorner() : labels.back("undo")),
      redo: () => labels.back("redo"),
      remove: () => tools.remove(),
      suggest: () => this.suggest(),
      accept: () => tools.review.judge(true),
      reject: () => tools.review.judge(false),
      "accept-view": () => tools.review.acceptView(),
      "block-done": () => this.blocks.toggle(),
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
      this.holding.job = (await ask(`images/${this.image.id}/suggest`, this.who)).job;
      this.holding.watch();
    } catch (error) {
      this.holding.job = { state: "failed", text: error.message };
    }
    this.changed();
  }
}

window.page = new Page();
window.page.start();
