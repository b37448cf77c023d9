// Strokes on their way to the server. Each lies in the browser's storage until the server has it on its disk, so that
// neither a closed tab nor a server that went away loses one; its id makes that one sent twice counts once.

import { ELSEWHERE, Refused, ask } from "./net.js";

const BATCH = 100;
const WAITS_MS = [300, 700, 1500, 3000, 5000];
// What strokes that are sent together have in common.
const SAME = ["image", "version", "person", "session"];
// What a server answers that is about one image: it is not there, or it cannot be read or written now.
const OF_IMAGE = [400, 404, 503];

export class Outbox {
  // handlers: receipts(image, answer, items), refused(item, reason), state({waiting, reason, isElsewhere, isFull}).
  constructor(database, session, handlers) {
    this.prefix = `headcount:${database}:`;
    this.session = session;
    this.handlers = handlers;
    this.items = [];
    this.number = 0;
    this.failures = 0;
    this.running = false;
    this.waiters = [];
    this.reason = "";
    addEventListener("online", () => this.wake());
  }

  // The sessions of this browser that left strokes behind.
  sessions() {
    const found = new Set();
    for (let at = 0; at < localStorage.length; at += 1) {
      const key = localStorage.key(at);
      if (key.startsWith(this.prefix)) found.add(key.slice(this.prefix.length).split(":")[0]);
    }
    return found;
  }

  // Take up what a session left behind: this one's before a reload, or a closed tab's.
  adopt(session) {
    const keys = [];
    for (let at = 0; at < localStorage.length; at += 1) keys.push(localStorage.key(at));
    const own = keys.filter((key) => key.startsWith(`${this.prefix}${session}:`)).sort();
    for (const key of own) {
      try {
        this.items.push({ ...JSON.parse(localStorage.getItem(key)), key });
      } catch {
        localStorage.removeItem(key);
      }
      const number = Number(key.split(":").at(-1));
      if (session === this.session) this.number = Math.max(this.number, number);
    }
    this.tell();
    this.wake();
  }

  // A stroke on an image, { id, version }, as it is shown: in the coordinates of that version of its file.
  put({ id, version }, person, stroke) {
    this.number += 1;
    const item = { image: id, version, person, session: this.session, stroke };
    const key = `${this.prefix}${this.session}:${String(this.number).padStart(9, "0")}`;
    try {
      localStorage.setItem(key, JSON.stringify(item));
    } catch {
      this.isFull = true; // it is still sent; only a closed tab would lose it now
    }
    this.items.push({ ...item, key });
    this.tell();
    this.wake();
  }

  of(image) {
    return this.items.filter((item) => item.image === image);
  }

  // Resolves when nothing waits any more, or nothing can be sent.
  settled() {
    if (!this.items.length || this.failures) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  wake() {
    clearTimeout(this.timer);
    if (!this.running) this.run();
  }

  async run() {
    this.running = true;
    let reason = "";
    const held = new Set(); // images that can take nothing now: what is meant for others goes on
    for (;;) {
      const items = this.items.filter((item) => !held.has(item.image));
      if (!items.length) break;
      const [first] = items;
      const end = items.findIndex((item) => SAME.some((key) => item[key] !== first[key]));
      const batch = items.slice(0, Math.min(end < 0 ? items.length : end, this.one ? 1 : BATCH));
      let answer = null;
      try {
        answer = await ask(`images/${first.image}/strokes`, {
          session: first.session,
          person: first.person,
          version: first.version,
          strokes: batch.map((item) => item.stroke),
        });
      } catch (error) {
        if (isWrong(error) && batch.length > 1) {
          this.one = true; // one of them is what the server refuses: it is found by sending one at a time
          continue;
        }
        if (!isWrong(error)) {
          reason = error instanceof Refused ? error.message : "The server cannot be reached.";
          this.isElsewhere = error.status === ELSEWHERE;
          if (!OF_IMAGE.includes(error.status)) break;
          held.add(first.image);
          continue;
        }
        this.drop(batch);
        this.handlers.refused(first, error.message);
      }
      this.one = false;
      this.reason = reason;
      if (answer) {
        this.drop(batch);
        this.handlers.receipts(first.image, answer, batch);
      }
      this.tell();
    }
    this.reason = reason;
    this.failures = reason ? this.failures + 1 : 0;
    this.running = false;
    this.tell();
    this.waiters.splice(0).forEach((resolve) => resolve());
    if (this.items.length) {
      const wait = WAITS_MS[Math.min(this.failures, WAITS_MS.length) - 1] ?? WAITS_MS[0];
      this.timer = setTimeout(() => this.wake(), wait);
    }
  }

  drop(batch) {
    this.items = this.items.filter((item) => !batch.includes(item));
    for (const item of batch) localStorage.removeItem(item.key);
  }

  tell() {
    const { items, reason, isElsewhere, isFull } = this;
    this.handlers.state({ waiting: items.length, reason, isElsewhere: Boolean(isElsewhere), isFull: Boolean(isFull) });
  }
}

// Whether a stroke is refused for what it is, and would be whenever it is sent: anything else may pass.
function isWrong(error) {
  return error instanceof Refused && ([413, 422].includes(error.status) || error.isStrokeWrong);
}

// This tab's session, and whether others of this browser are still alive: asked on a channel that every tab listens to.
export class Tabs {
  constructor(database) {
    this.channel = new BroadcastChannel(`headcount:${database}`);
    this.channel.onmessage = ({ data }) => {
      if (data.ask && data.ask === this.session) this.channel.postMessage({ alive: data.ask });
      if (data.alive) this.heard?.(data.alive);
    };
  }

  async alive(sessions, wait_ms = 250) {
    const found = new Set();
    if (!sessions.length) return found;
    this.heard = (session) => found.add(session);
    sessions.forEach((session) => this.channel.postMessage({ ask: session }));
    await new Promise((resolve) => setTimeout(resolve, wait_ms));
    this.heard = null;
    return found;
  }

  // The session that this tab had before it was reloaded; a new one where another tab has it (a copied tab).
  async claim(newId) {
    const known = sessionStorage.getItem("headcount:session");
    const taken = known ? await this.alive([known]) : new Set();
    this.session = known && !taken.has(known) ? known : newId();
    sessionStorage.setItem("headcount:session", this.session);
    return this.session;
  }
}
