// What has to be said, above the picture, until it is over or closed.

export class Notices {
  constructor(place) {
    this.place = place;
  }

  // isStanding: it is said again and again for as long as it is so, and stays closed once it was.
  say(id, text, { isBad = false, actions = {}, isStanding = false } = {}) {
    let place = document.getElementById(`notice-${id}`);
    const key = `${text}${Object.keys(actions)}`;
    const isSaid = (other) => other !== place && !other.hidden && other.textContent.startsWith(text);
    if (isStanding && !Object.keys(actions).length && [...this.place.children].some(isSaid)) {
      place?.remove(); // whatever was asked for, the reason is one
      return;
    }
    if (isStanding && place?.dataset.key === key) return;
    if (!place) {
      place = document.createElement("div");
      place.id = `notice-${id}`;
      this.place.append(place);
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

  drop(...ids) {
    ids.forEach((id) => document.getElementById(`notice-${id}`)?.remove());
  }
}
