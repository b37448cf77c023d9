// The page: one picture of a camera, on which its ground, zones and lines are marked.

import { Draft } from "./draft.js";
import { actionOf, showKeys } from "./keys.js";
import { Refused, ask } from "./net.js";
import { paint } from "./paint.js";
import { Panel } from "./panel.js";
import { Tools } from "./tools.js";
import { View } from "./view.js";
import { $ } from "./words.js";

const PAUSE_MS = 60;
const NOTHING = { points: [], zones: [], lines: [], grid: [], people: [], fit: { state: "none", text: "" }, name_problem: "", ready: false };

class Page {
  async start() {
    showKeys($("keys"));
    this.looked = NOTHING;
    this.isGridShown = true;
    this.asked = 0;
    try {
      this.about = await ask("place");
      this.picture = await this.load();
    } catch (error) {
      this.say(`${error.message || "The server cannot be reached."} Load the page again.`);
      return;
    }
    const { about } = this;
    this.draft = new Draft(about.id, about.draft, () => this.changed());
    this.view = new View($("stage"), $("canvas"), (context, view) => paint(context, view, this));
    this.tools = new Tools($("surface"), {
      view: this.view,
      draft: this.draft,
      changed: (isNew) => this.chosen(isNew),
      told: (hint) => this.told(hint),
    });
    this.panel = new Panel(this);
    this.view.open(about.size);
    const isNew = about.mode === "new";
    $("title").textContent = isNew ? "Set up a camera" : `Set up a camera of “${about.site}”`;
    $("source").textContent = about.source;
    $("source").title = about.source;
    if (this.draft.isKept) this.say("This is what you drew here before.", { "Begin anew": () => this.draft.clear() });
    this.buttons();
    document.addEventListener("keydown", (event) => this.key(event));
    this.tools.tell();
    this.changed();
    $("surface").focus({ preventScroll: true });
    document.body.dataset.ready = "true";
  }

  async load() {
    const picture = new Image();
    picture.src = "/api/frame";
    try {
      await picture.decode();
    } catch {
      throw new Error("The picture cannot be shown.");
    }
    return picture;
  }

  // ---- what changes

  changed() {
    const { tools } = this;
    if (tools.selected && !tools.chosen() && !this.isWhole(tools.selected)) tools.selected = null;
    this.tell();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), PAUSE_MS);
  }

  // Whether what is selected is there, though it has no corner to hold: a zone in metres.
  isWhole([list, at]) {
    return this.draft.now[list][at]?.unit === "metres";
  }

  // Ask the server what the draft comes to; of several answers the last one counts.
  async look() {
    const number = ++this.asked;
    try {
      const looked = await ask("look", this.draft.now);
      if (number !== this.asked) return;
      this.looked = looked;
      this.isAway = false;
    } catch (error) {
      if (number !== this.asked) return;
      this.isAway = !(error instanceof Refused);
      if (this.isAway) this.timer = setTimeout(() => this.look(), 1500);
      else this.say(error.message);
    }
    this.tell();
  }

  tell() {
    this.panel.tell(this.looked, this.about);
    const { draft, looked } = this;
    $("undo").disabled = !draft.done.length;
    $("redo").disabled = !draft.undone.length;
    $("remove").disabled = !this.tools.selected && !this.tools.drawing.length;
    $("state").textContent = this.isAway
      ? "The server cannot be reached: it is asked again."
      : draft.isSaved ? (this.file ? "Saved" : "") : looked.ready ? "Not saved yet" : "Not ready to be saved";
    $("state").dataset.state = this.isAway ? "bad" : draft.isSaved && this.file ? "good" : "";
    this.view.redraw();
  }

  chosen(isNew = false) {
    this.tell();
    if (isNew) {
      const { selected } = this.tools;
      // Not while a finger draws: the keyboard of the screen would hide the picture.
      if (!matchMedia("(pointer: coarse)").matches) this.panel.enter(selected);
      $(`${selected[0] === "points" ? "point" : selected[0]}-${selected[1]}`)?.scrollIntoView({ block: "nearest" });
    }
  }

  told(hint) {
    if (hint) $("hint").textContent = hint;
    const { hand } = this.tools ?? {};
    $("place").textContent = hand ? `${Math.round(hand[0])}, ${Math.round(hand[1])}` : "";
  }

  say(text, actions = {}) {
    $("notice-text").textContent = text;
    for (const old of document.querySelectorAll("#notice .action")) old.remove();
    for (const [label, action] of Object.entries(actions)) {
      const button = document.createElement("button");
      button.className = "action";
      button.textContent = label;
      button.addEventListener("click", () => {
        $("notice").hidden = true;
        action();
      });
      $("notice-close").before(button);
    }
    $("notice").hidden = false;
  }

  // ---- saving

  async save(isOver = false) {
    if (this.isSaving) return;
    this.isSaving = true;
    try {
      const answer = await ask("save", { draft: this.draft.now, over: isOver });
      if (answer.taken) {
        this.say(answer.taken, { "Save over it": () => this.save(true) });
        return;
      }
      this.file = answer.file;
      this.draft.saved();
      $("notice").hidden = true;
      $("saved-text").textContent = answer.text;
      $("next").textContent = answer.next;
      $("next-part").hidden = !answer.next;
      this.tell();
      $("saved").showModal();
    } catch (error) {
      this.say(error instanceof Refused ? error.message : "The server cannot be reached: what you drew is kept here.");
    } finally {
      this.isSaving = false;
    }
  }

  async finish() {
    $("saved").close();
    try {
      await ask("finish", {});
    } catch {
      // it is gone already
    }
    $("ended").showModal();
  }

  // ---- buttons and keys

  buttons() {
    const click = (id, action) => $(id).addEventListener("click", () => this.run(action));
    for (const button of $("tools").querySelectorAll("button")) {
      button.addEventListener("click", () => {
        this.run(`tool:${button.dataset.tool}`);
        $("surface").focus({ preventScroll: true });
      });
    }
    const actions = { undo: "undo", redo: "redo", remove: "remove", save: "save", "help-open": "help", "zoom-fit": "fit" };
    Object.entries(actions).forEach(([id, action]) => click(id, action));
    $("zoom-in").addEventListener("click", () => this.view.zoom(1.5));
    $("zoom-out").addEventListener("click", () => this.view.zoom(1 / 1.5));
    $("notice-close").addEventListener("click", () => ($("notice").hidden = true));
    $("show-grid").addEventListener("change", () => this.grid($("show-grid").checked));
    $("saved-on").addEventListener("click", () => $("saved").close());
    $("finish").addEventListener("click", () => this.finish());
    $("ended").addEventListener("cancel", (event) => event.preventDefault());
  }

  grid(isShown) {
    this.isGridShown = isShown;
    $("show-grid").checked = isShown;
    this.view.redraw();
  }

  key(event) {
    if (document.querySelector("dialog[open]")) return;
    const { target } = event;
    const isText = target.matches?.("input:not([type=checkbox]), select");
    const isOnPicture = target === $("surface") || target === document.body;
    const action = actionOf(event);
    if (isText && !["save", "cancel"].includes(action)) return;
    if (isText && action === "cancel") {
      $("surface").focus();
      return;
    }
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in arrows && isOnPicture) {
      this.tools.step(...arrows[event.key], { isFine: event.shiftKey, isSelected: event.altKey });
      event.preventDefault();
      return;
    }
    if (!action || (event.key === "Enter" && !isOnPicture)) return;
    event.preventDefault();
    this.run(action, event.key);
  }

  run(action, key = "") {
    const { tools, view } = this;
    if (action.startsWith("tool:")) {
      const tool = action.slice(5);
      tools.use(tool);
      for (const button of $("tools").querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
      }
      return;
    }
    const all = {
      act: () => tools.act(),
      close: () => tools.tool === "zone" && tools.drawing.length && tools.finish(),
      walk: () => tools.walk(key === "," ? -1 : 1),
      remove: () => tools.remove(),
      undo: () => this.draft.undo(),
      redo: () => this.draft.redo(),
      cancel: () => tools.cancel(),
      zoom: () => view.zoom(key === "-" ? 1 / 1.25 : 1.25, ...(tools.hand ? view.screen(...tools.hand) : [])),
      fit: () => view.fit(),
      grid: () => this.grid(!this.isGridShown),
      save: () => this.save(),
      help: () => $("help").showModal(),
    };
    all[action]?.();
    this.tell();
  }
}

globalThis.page = new Page();
globalThis.page.start();
