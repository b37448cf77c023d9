// Alerts: the open ones first, each to be acknowledged by somebody.
import { levelChip } from "./cameras.js";
import { post } from "./net.js";
import { $, decimal, kept, make, moment, say } from "./words.js";

const MEASURES = { density: "per m²", voronoi: "per m² (Voronoi)", fullest: "in the fullest square metre", people: "people" };

export class Alerts {
  constructor({ opened, failed }) {
    this.opened = opened;
    this.failed = failed;
    this.known = new Map();
    $("who").value = kept.get("who");
    $("who").addEventListener("change", () => kept.set("who", $("who").value.trim()));
  }

  show(alerts) {
    this.known = new Map(alerts.map((alert) => [alert.id, alert]));
    this.list();
  }

  update(alert) {
    const before = this.known.get(alert.id);
    this.known.set(alert.id, alert);
    if (!before && !alert.cleared) say(`Alert: ${this.words(alert)}`, "alarm");
    else if (before && !before.cleared && alert.cleared) say(`Over: ${this.words(alert)}`, "alarm");
    this.list();
  }

  words({ raised }) {
    const where = raised.zone ? `${raised.zone}, camera ${raised.camera}` : `camera ${raised.camera}`;
    return `${where}: ${this.value(raised.value, raised.measure)}, level ${raised.level}`;
  }

  value(value, measure) {
    return `${decimal(value, measure === "people" ? 0 : 1)} ${MEASURES[measure] ?? measure}`;
  }

  list() {
    const alerts = [...this.known.values()].sort((a, b) => {
      const isOpen = (alert) => (alert.cleared ? 0 : 1);
      return isOpen(b) - isOpen(a) || Date.parse(b.raised.at) - Date.parse(a.raised.at);
    });
    $("no-alerts").hidden = alerts.length > 0;
    // Each stays the element it is, so that the focus does.
    const items = new Map([...$("alert-list").children].map((item) => [item.dataset.id, item]));
    for (const [id, item] of items) if (!this.known.has(id)) item.remove();
    alerts.forEach((alert, index) => {
      const key = JSON.stringify(alert);
      let item = items.get(alert.id);
      if (!item) item = make("li", { "data-id": alert.id });
      if (item.dataset.key !== key) this.fill(item, alert, key);
      if ($("alert-list").children[index] !== item) $("alert-list").insertBefore(item, $("alert-list").children[index] ?? null);
    });
    const open = alerts.filter((alert) => !alert.cleared).length;
    const waiting = alerts.filter((alert) => !alert.acknowledged_at && !alert.cleared).length;
    this.opened(open, waiting);
  }

  fill(item, alert, key) {
    const { raised, cleared } = alert;
    item.dataset.key = key;
    item.dataset.open = String(!cleared);
    const where = raised.zone ? `${raised.zone}, camera ${raised.camera}` : `Camera ${raised.camera}`;
    const title = make("h3", {}, `${where} `, levelChip({ level: raised.level, levels: Math.max(3, raised.level) }));
    const what = `${this.value(raised.value, raised.measure)} (from ${decimal(raised.threshold)} on), at most ${decimal((cleared ?? raised).peak)}`;
    const when = cleared
      ? `Raised ${moment(raised.at)}, over since ${moment(cleared.at)}${cleared.reason ? `: ${cleared.reason}` : ""}`
      : `Open since ${moment(raised.at)}`;
    const text = make("div", {}, title, make("p", { textContent: what }), make("p", { className: "small", textContent: when }));
    if (alert.acknowledged_at) {
      const who = alert.acknowledged_by ? ` by ${alert.acknowledged_by}` : "";
      item.replaceChildren(text, make("p", { className: "small", textContent: `Acknowledged${who}, ${moment(alert.acknowledged_at)}` }));
      return;
    }
    const button = make("button", { type: "button", textContent: "Acknowledge", "aria-label": `Acknowledge the alert of ${where}` });
    button.addEventListener("click", () => this.acknowledge(alert.id, button));
    item.replaceChildren(text, button);
  }

  async acknowledge(id, button) {
    button.disabled = true;
    try {
      this.update(await post(`/api/alerts/${encodeURIComponent(id)}/acknowledge`, { who: $("who").value.trim() }));
      this.failed("");
    } catch (error) {
      this.failed(error.status ? error.message : "The alert was not acknowledged: the server cannot be reached.");
      button.disabled = false;
    }
  }
}
