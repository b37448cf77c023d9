// Whose the image is: claimed for this tab, renewed now and then, given back; and what the server tells meanwhile.

import { Refused, address, ask } from "./net.js";
import { $, number } from "./words.js";

const LOOK_MS = 2000;
const JOB_MS = 400;

export class Holding {
  constructor(page) {
    this.page = page;
    this.holder = null;
    this.job = null;
    this.turns = new Map();
  }

  // What takes an image, renews it or gives it back is sent once the answer to the one before is there: of two that are
  // under way the server may take the later one first, and an image that was come back to would be nobody's.
  inTurn(id, send) {
    const turn = (this.turns.get(id) ?? Promise.resolve()).catch(() => {}).then(send);
    this.turns.set(id, turn);
    const forget = () => this.turns.get(id) === turn && this.turns.delete(id);
    turn.then(forget, forget);
    return turn;
  }

  key(id) {
    return `headcount-held:${this.page.about.database}:${id}`;
  }

  // Claim an image; from a tab of this browser that was closed before it could give the image back, too.
  claim(id, over) {
    return this.inTurn(id, () => this.take(id, over));
  }

  async take(id, over) {
    const key = this.key(id);
    let { holder } = await ask(`images/${id}/claim`, { ...this.page.who, over });
    if (holder && !holder.mine && holder.person === this.page.person) {
      // The server gives it only if that very session holds it: who is called the same may be somebody else.
      const from = localStorage.getItem(key);
      if (from && from !== this.page.session && !(await this.page.tabs.alive([from])).has(from)) {
        ({ holder } = await ask(`images/${id}/claim`, { ...this.page.who, from }));
      }
    }
    if (!holder?.mine) return;
    try {
      localStorage.setItem(key, this.page.session);
    } catch {
      // A full storage: a closed tab's claim runs out by itself.
    }
  }

  giveBack(id) {
    // Its strokes first: what comes later is good only until somebody else takes the image.
    const wait = async () => {
      while (this.page.outbox.of(id).length) await new Promise((resolve) => setTimeout(resolve, 300));
      await this.inTurn(id, () => this.release(id));
    };
    wait().catch(() => {});
  }

  async release(id) {
    if (this.page.goal === id) return; // somebody has come back
    if (localStorage.getItem(this.key(id)) === this.page.session) localStorage.removeItem(this.key(id));
    await ask(`images/${id}/release`, this.page.who);
  }

  leave() {
    if (!this.page.image || this.page.outbox.items.length) return;
    const body = new Blob([JSON.stringify(this.page.who)], { type: "application/json" });
    navigator.sendBeacon(address(`images/${this.page.image.id}/release`), body);
  }

  // Renew the claim, and look whether somebody else did something.
  watch() {
    clearTimeout(this.watching);
    const job = this.job?.state;
    const isBusy = job === "waiting" || job === "running";
    const renew_ms = (this.page.about.lease_s * 1000) / 4;
    const isAtWork = this.holder?.mine && !this.page.image?.problem;
    const wait_ms = isBusy ? JOB_MS : Math.min(renew_ms, isAtWork ? 10000 : LOOK_MS);
    this.watching = setTimeout(async () => {
      const { image } = this.page;
      if (!image) return;
      try {
        const path = `images/${image.id}`;
        const state = this.holder?.mine
          ? await this.inTurn(image.id, () => this.page.image === image && ask(`${path}/claim`, { ...this.page.who, renew: true }))
          : await ask(`${path}/state?${new URLSearchParams(this.page.who)}`);
        this.page.notices.drop("watch");
        if (this.page.image === image && !this.page.reopened(state)) {
          this.look(state);
          if (state.strokes > this.page.labels.strokes || this.page.isStale) await this.page.reload();
        }
      } catch (error) {
        const isNews = error instanceof Refused && error.status !== 507;
        if (isNews) this.page.notices.say("watch", error.message, { isBad: true, isStanding: true });
      }
      if (this.page.image === image) this.watch();
    }, wait_ms);
  }

  // What the server said of the image's holder, the model and late strokes.
  look(state) {
    const wasMine = this.holder?.mine && this.of === this.page.image?.id;
    this.holder = state.holder;
    this.of = this.page.image?.id;
    const wasBusy = ["waiting", "running"].includes(this.job?.state);
    this.job = state.job;
    if (wasBusy && !["waiting", "running"].includes(state.job?.state)) this.page.list.poll();
    $("claim").textContent = !this.holder ? "" : this.holder.mine ? "" : `${this.holder.person} works here`;
    if (this.holder?.mine) this.page.notices.drop("held", "lost");
    else if (this.page.image && !this.page.image.problem) {
      const standing = { actions: { "Take over": () => this.page.open(this.page.image.id, { stay: true, over: true }) }, isStanding: true };
      if (!this.holder) this.page.notices.say("held", "Nobody holds this image now: you look on.", standing);
      else if (this.holder.person === this.page.person) {
        this.page.notices.say("held", "You have this image open in another tab: here you look on.", standing);
      } else this.page.notices.say("held", `${this.holder.person} works on this image: you look on.`, { isStanding: true });
      if (wasMine) {
        const by = this.holder ? `${this.holder.person} has taken this image over` : "This image is not yours any more";
        this.page.notices.say("lost", `${by}: nothing you draw here is taken in from now on.`, { isBad: true });
      }
    }
    if (state.late) {
      const actions = this.holder?.mine ? { "Take them in": () => this.takeLate() } : {};
      const text = `${number(state.late, "stroke")} of yours came too late and changed nothing; they are kept apart.`;
      this.page.notices.say("late", text, { actions, isStanding: true });
    } else this.page.notices.drop("late");
    this.page.changed();
  }

  async takeLate() {
    const { image } = this.page;
    try {
      const document = await ask(`images/${image.id}/late`, this.page.who);
      if (this.page.image === image) this.page.show(document, true);
    } catch (error) {
      this.page.notices.say("not-taken", error.message, { isBad: true });
    }
  }
}
