// The images of the folder: ten thousand of them in a list of which only the rows in view exist.

import { ask } from "./net.js";

const POLL_MS = 2500;

export class List {
  // choose(id) opens an image; person() is who looks; came() and failed(error) are told each time that it was asked for.
  constructor({ list, inner, filter, onlyOpen, progress }, { choose, person, came, failed }) {
    Object.assign(this, { list, inner, filter, onlyOpen, progress, choose, person, came, failed });
    this.rows = [];
    this.version = 0;
    this.shown = [];
    this.current = null;
    this.at = 0;
    list.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(list);
    filter.addEventListener("input", () => this.sift());
    onlyOpen.addEventListener("change", () => this.sift());
    inner.addEventListener("click", (event) => {
      const item = event.target.closest(".item");
      if (item) this.choose(Number(item.dataset.id));
    });
    list.addEventListener("keydown", (event) => this.key(event));
  }

  async poll() {
    clearTimeout(this.timer);
    try {
      let answer = await ask(`images?since=${this.version}`);
      if (this.start && answer.start !== this.start) {
        // The server was started anew, and may have found other images: places and versions of before are void.
        answer = await ask("images?since=0");
        this.rows = [];
      }
      const { start, version, rows } = answer;
      this.start = start;
      for (const [index, id, name, heads, suggestions, blocks, all, done, problem, holder] of rows) {
        this.rows[index] = { id, name, heads, suggestions, blocks, all, done, problem, holder };
      }
      this.version = version;
      this.came();
      if (rows.length) this.sift();
    } catch (error) {
      this.failed(error); // asked again below
    }
    this.timer = setTimeout(() => this.poll(), POLL_MS);
  }

  row(id) {
    return this.rows.find((row) => row?.id === id);
  }

  sift() {
    const word = this.filter.value.trim().toLowerCase();
    const isOpen = this.onlyOpen.checked;
    const isMeant = (row) => !word || row.name.toLowerCase().includes(word);
    const isToDo = (row) => !isOpen || !(row.done || row.problem) || row.id === this.current;
    this.shown = this.rows.filter((row) => row && isMeant(row) && isToDo(row));
    this.at = Math.max(0, Math.min(this.at, this.shown.length - 1));
    let done = 0;
    let heads = 0;
    for (const row of this.rows) {
      done += row.done ? 1 : 0;
      heads += row.heads;
    }
    const number = (value) => value.toLocaleString("en");
    this.progress.textContent = `${number(done)} of ${number(this.rows.length)} done, ${number(heads)} heads`;
    this.draw();
  }

  open(id) {
    this.current = id;
    const at = this.shown.findIndex((row) => row.id === id);
    if (at >= 0) {
      this.at = at;
      this.reveal(at);
    }
    this.draw();
  }

  // The next image to label: not done, readable, and nobody else's; else the neighbour in the list.
  next(step) {
    if (!this.shown.length) return;
    const from = this.shown.findIndex((row) => row.id === this.current);
    const count = this.shown.length;
    for (let far = 1; far <= count; far += 1) {
      const row = this.shown[(from + step * far + 2 * count) % count];
      const isTaken = row.holder && row.holder !== this.person();
      if (step < 0 ? far === 1 : !row.done && !row.problem && !isTaken && row.id !== this.current) {
        this.choose(row.id);
        return;
      }
    }
    this.choose(this.shown[(from + step + count) % count].id);
  }

  get height() {
    this.step ??= 2.75 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    return this.step;
  }

  reveal(at) {
    const top = at * this.height;
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    const bottom = top + this.height - this.list.clientHeight;
    if (bottom > this.list.scrollTop) this.list.scrollTop = bottom;
  }

  draw() {
    this.inner.style.height = `${this.shown.length * this.height}px`;
    const first = Math.max(0, Math.floor(this.list.scrollTop / this.height) - 4);
    const last = Math.min(this.shown.length, first + Math.ceil(this.list.clientHeight / this.height) + 9);
    const items = [];
    for (let at = first; at < last; at += 1) items.push(this.item(this.shown[at], at));
    this.inner.replaceChildren(...items);
    if (this.shown.length) this.list.setAttribute("aria-activedescendant", `image-${this.shown[this.at].id}`);
  }

  item(row, at) {
    const item = document.createElement("div");
    item.className = `item${row.done ? " done" : ""}${row.problem ? " bad" : ""}${at === this.at ? " at" : ""}`;
    item.id = `image-${row.id}`;
    item.dataset.id = row.id;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(row.id === this.current));
    item.style.top = `${at * this.height}px`;
    const name = document.createElement("b");
    name.textContent = row.name;
    const about = document.createElement("span");
    const parts = [];
    if (row.problem) parts.push(row.problem);
    else {
      parts.push(row.heads === 1 ? "1 head" : `${row.heads.toLocaleString("en")} heads`);
      if (row.suggestions) parts.push(`${row.suggestions.toLocaleString("en")} to check`);
      if (row.all > 1) parts.push(`${row.blocks} of ${row.all} blocks`);
      if (row.holder) parts.push(row.holder === this.person() ? "yours" : row.holder);
    }
    about.textContent = parts.join(" · ");
    item.title = row.problem || row.name;
    item.append(name, about);
    return item;
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 };
    if (event.key in steps) this.at = Math.max(0, Math.min(this.shown.length - 1, this.at + steps[event.key]));
    else if ((event.key === "Enter" || event.key === " ") && this.shown[this.at]) this.choose(this.shown[this.at].id);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.reveal(this.at);
    this.draw();
  }
}
