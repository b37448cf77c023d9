// What is wrong, in a strip below the head of the page, for as long as it is so.
import { $, make } from "./words.js";

export class Strip {
  constructor() {
    this.troubles = new Map();
  }

  // An empty text: it is over.
  say(key, text) {
    if ((this.troubles.get(key) ?? "") === text) return;
    if (text) this.troubles.set(key, text);
    else this.troubles.delete(key);
    this.show();
  }

  // All troubles of a kind at once.
  sayAll(kind, texts) {
    for (const key of [...this.troubles.keys()]) {
      if (key.startsWith(`${kind}:`) && !texts.has(key)) this.say(key, "");
    }
    texts.forEach((text, key) => this.say(key, text));
  }

  show() {
    $("strip").hidden = !this.troubles.size;
    const known = new Map([...$("troubles").children].map((item) => [item.dataset.key, item]));
    for (const [key, item] of known) if (!this.troubles.has(key)) item.remove();
    for (const [key, text] of this.troubles) {
      if (!known.has(key)) $("troubles").append(make("li", { textContent: text, "data-key": key }));
      else if (known.get(key).textContent !== text) known.get(key).textContent = text;
    }
  }
}
