// The blocks of a large picture: which are done, and where to go on.

export class Blocks {
  constructor(page) {
    this.page = page;
  }

  at() {
    const [x, y] = this.page.tools.hand ?? this.page.tools.middle();
    const [columns, rows] = this.page.view.source.blocks;
    const [width, height] = this.page.image.size;
    const within = (share, most) => Math.min(Math.max(0, Math.floor(share * most)), most - 1);
    return [within(x / width, columns), within(y / height, rows)];
  }

  toggle() {
    const [columns, rows] = this.page.view.source.blocks;
    if (columns * rows <= 1) return;
    const id = `block:${this.at().join(":")}`;
    this.page.labels.do({ [id]: this.page.labels.things.has(id) ? null : { t: "block" } });
  }

  next() {
    const [columns, rows] = this.page.view.source.blocks;
    if (columns * rows <= 1) return;
    const [column, row] = this.last && this.last.image === this.page.image.id ? this.last.at : [-1, 0];
    const from = row * columns + column;
    for (let far = 1; far <= columns * rows; far += 1) {
      const at = (from + far + columns * rows) % (columns * rows);
      const [x, y] = [at % columns, Math.floor(at / columns)];
      if (this.page.labels.things.has(`block:${x}:${y}`)) continue;
      this.last = { image: this.page.image.id, at: [x, y] };
      const [width, height] = [this.page.image.size[0] / columns, this.page.image.size[1] / rows];
      const frame = [x * width, y * height, (x + 1) * width, (y + 1) * height];
      this.page.view.frame(frame);
      this.page.tools.cross = [(frame[0] + frame[2]) / 2, (frame[1] + frame[3]) / 2];
      this.page.tools.pointer = null;
      this.page.changed();
      return;
    }
    this.page.panel.hint("All blocks of this image are done.");
  }
}
