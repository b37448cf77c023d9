// What the bar and the tools' side show: numbers, which buttons can be pressed, hints.

import { HINTS } from "./tools.js";
import { $, number } from "./words.js";

const EDITING = ["accept", "reject", "accept-view", "block-done", "image-done", "method", "share"];

export class Panel {
  constructor(page) {
    this.page = page;
  }

  tell() {
    const { numbers, can, presets } = this.page.labels;
    const canEdit = this.page.canEdit();
    $("count").textContent = this.page.image && !this.page.image.problem ? number(numbers.head, "head") : "";
    for (const button of $("tools").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === this.page.tools.tool));
    }
    $("undo").disabled = !canEdit || !(can[0] || this.page.tools.corners.length);
    $("redo").disabled = !canEdit || !can[1];
    const isBusy = ["waiting", "running"].includes(this.page.holding.job?.state);
    $("suggest").disabled = !canEdit || isBusy;
    $("job").textContent = this.page.holding.job?.text ?? "";
    $("review").hidden = !numbers.suggestion;
    $("suggested").textContent = number(numbers.suggestion, "suggestion");
    for (const id of EDITING) $(id).disabled = !canEdit;
    const drawn = presets === 1 ? "1 box" : `${presets.toLocaleString("en")} boxes`;
    const others = (numbers.head - presets).toLocaleString("en");
    $("presets").textContent = presets
      ? `${drawn} drawn; ${others} of the heads have theirs from these, the model or a file.`
      : "Draw a few boxes, far and near: every other head gets its own.";
    const sizes = this.page.labels.things.get("sizes");
    $("method").value = sizes?.method ?? "nearest";
    $("share").checked = sizes?.share === "folder";
    $("show-boxes").setAttribute("aria-pressed", String(this.page.view.show.boxes));
    $("show-marks").setAttribute("aria-pressed", String(this.page.view.show.marks));
    const [columns, rows] = this.page.view.source.blocks;
    $("blocks-part").hidden = columns * rows <= 1;
    $("blocks").textContent = `${numbers.block} of ${columns * rows} blocks done`;
    $("image-done").setAttribute("aria-pressed", String(numbers.done > 0));
    const about = this.page.image ? `Picture ${this.page.image.name}, ${number(numbers.head, "head")}` : "No picture";
    $("surface").setAttribute("aria-label", `${about}: arrow keys move the cross, Enter draws`);
    if (this.hinted !== this.page.tools.tool) this.hint(HINTS[(this.hinted = this.page.tools.tool)]);
    this.place();
  }

  hint(text) {
    $("hint").textContent = text;
  }

  place() {
    const { image, scale } = this.page.view;
    const hand = image?.size[0] ? this.page.tools.hand : null;
    const zoom = scale >= 0.1 ? Math.round(scale * 100) : (scale * 100).toFixed(1);
    const where = hand ? `${hand[0].toFixed(1)}, ${hand[1].toFixed(1)} · ` : "";
    $("place").textContent = image ? `${where}${zoom} %` : "";
  }
}
