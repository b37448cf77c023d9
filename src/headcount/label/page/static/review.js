// A model's suggestions: gone through one after the other, accepted and rejected.

export class Review {
  constructor(tools) {
    this.tools = tools;
  }

  get labels() {
    return this.tools.labels;
  }

  get selected() {
    return this.tools.selected;
  }

  suggested(ids = [...this.selected]) {
    return ids.filter((id) => this.labels.things.get(id)?.t === "suggestion");
  }

  accept(ids) {
    const changes = {};
    for (const id of ids) {
      const { x, y, box } = this.labels.things.get(id);
      changes[id] = box ? { t: "head", x, y, box, made: "pseudo" } : { t: "head", x, y };
    }
    this.labels.do(changes);
  }

  judge(isHead) {
    if (!this.tools.app.canEdit()) return;
    const ids = this.suggested();
    if (!ids.length) {
      this.walk(1);
      return;
    }
    const order = ids.length === 1 ? this.order() : [];
    const at = order.indexOf(ids[0]);
    if (isHead) this.accept(ids);
    else this.labels.do(Object.fromEntries(ids.map((id) => [id, null])));
    this.selected.clear();
    if (ids.length === 1 && order.length > 1) this.goTo(order[(at + 1) % order.length]);
    this.tools.app.changed();
  }

  acceptView() {
    if (!this.tools.app.canEdit()) return;
    const [x1, y1, x2, y2] = this.tools.view.seen();
    const inView = ([, { x, y }]) => x >= x1 && x <= x2 && y >= y1 && y <= y2;
    this.accept([...this.labels.of("suggestion")].filter(inView).map(([id]) => id));
    this.selected.clear();
    this.tools.app.changed();
  }

  // Suggestions as one reads: rows of a tenth of the picture's height, from left to right.
  order(kind = "suggestion") {
    const row = this.tools.view.image.size[1] / 10;
    const list = [...this.labels.of(kind)].map(([id, { x, y }]) => [Math.floor(y / row), x, id]);
    return list.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((each) => each[2]);
  }

  walk(step, kind = "suggestion") {
    const order = this.order(kind);
    if (!order.length) return;
    const current = [...this.selected].find((id) => order.includes(id));
    const at = current ? order.indexOf(current) + step : step > 0 ? 0 : order.length - 1;
    this.goTo(order[(at + order.length) % order.length]);
  }

  goTo(id) {
    const { x, y } = this.labels.things.get(id);
    this.tools.select(id);
    this.tools.cross = [x, y];
    this.tools.keepInView();
    this.tools.app.changed();
  }
}
