// What is labelled on the image that is shown: the server's things, and what this tab has changed since.

import { newId } from "./net.js";

export const same = (a, b) => {
  if (a === b) return true;
  if (!a || !b || typeof a !== "object" || typeof b !== "object") return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
};

export class Labels {
  // send(stroke) puts it into the outbox; changed() is called after every change of things.
  constructor(send, changed) {
    this.send = send;
    this.changed = changed;
    this.clear();
  }

  clear() {
    this.things = new Map();
    this.steps = [];
    this.undone = [];
    this.can = [0, 0];
    this.strokes = 0;
    this.guesses = new Map();
    this.numbers = { head: 0, suggestion: 0, block: 0, area: 0, done: 0, sizes: 0 };
    this.presets = 0;
  }

  // The document as the server has it, and what it has not got yet.
  load(document, waiting) {
    this.clear();
    this.strokes = document.strokes ?? 0;
    this.can = [...(document.can ?? [0, 0])];
    this.set(document.things);
    for (const { stroke } of waiting) if (stroke.kind === "do") this.set(stroke.changes);
    this.changed();
  }

  isPreset(thing) {
    return thing.t === "head" && thing.box && thing.made === "annotated";
  }

  set(changes) {
    for (const [id, thing] of Object.entries(changes)) {
      const old = this.things.get(id);
      if (old) {
        this.numbers[old.t] -= 1;
        if (this.isPreset(old)) this.presets -= 1;
      }
      if (thing) {
        this.things.set(id, thing);
        this.numbers[thing.t] += 1;
        if (this.isPreset(thing)) this.presets += 1;
      } else this.things.delete(id);
    }
  }

  // One stroke of a person: shown at once, sent, and kept until the server has it.
  do(changes) {
    const after = {};
    const before = {};
    for (const [id, thing] of Object.entries(changes)) {
      const old = this.things.get(id) ?? null;
      if (!same(old, thing)) {
        after[id] = thing;
        before[id] = old;
      }
    }
    if (!Object.keys(after).length) return false;
    this.steps.push({ before, after });
    this.undone = [];
    this.can = [this.can[0] + 1, 0];
    this.set(after);
    const id = newId();
    this.guesses.set(id, after);
    this.send({ id, kind: "do", changes: after });
    this.changed();
    return true;
  }

  back(kind) {
    const [from, to, at] = kind === "undo" ? [this.steps, this.undone, 0] : [this.undone, this.steps, 1];
    if (!this.can[at]) return;
    const id = newId();
    const step = from.pop();
    this.can[at] -= 1;
    this.can[1 - at] += 1;
    if (step) {
      // Shown at once; the server says what it came to, which is less where somebody else went on with a thing.
      to.push(step);
      const changes = kind === "undo" ? step.before : step.after;
      const was = kind === "undo" ? step.after : step.before;
      const done = {};
      for (const [key, thing] of Object.entries(changes)) {
        if (same(this.things.get(key) ?? null, was[key])) done[key] = thing;
      }
      this.set(done);
      this.guesses.set(id, done);
      this.changed();
    }
    this.send({ id, kind, changes: {} });
  }

  // What the server made of strokes; false where the document must be read anew.
  settle(answer, waiting) {
    let isKnown = true;
    for (const { id, changes, refused } of answer.receipts) {
      const guess = this.guesses.get(id);
      this.guesses.delete(id);
      isKnown &&= !refused && guess !== undefined && same(guess, changes);
    }
    // Where there are more than these, somebody else's or a model's came between.
    isKnown &&= answer.strokes === this.strokes + answer.receipts.length;
    this.strokes = answer.strokes;
    if (!waiting.length) this.can = [...answer.can];
    this.changed();
    return isKnown;
  }

  *of(kind) {
    for (const entry of this.things) if (entry[1].t === kind) yield entry;
  }
}
