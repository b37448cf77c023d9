// Requests to the server that the page came from, and nobody else.

export class Refused extends Error {
  constructor(status, detail, retryAfter = 0) {
    super(detail || `The server answered ${status}.`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

// Throws Refused where the server says no, and what fetch throws where it cannot be reached.
export async function fetched(path, options = {}) {
  const response = await fetch(path, { cache: "no-store", ...options });
  if (response.ok) return response;
  let detail = "";
  try {
    detail = String((await response.json()).detail ?? "");
  } catch {
    // Something between here and the server answered.
  }
  throw new Refused(response.status, detail, Number(response.headers.get("retry-after")) || 0);
}

export const ask = async (path, options) => (await fetched(path, options)).json();

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

const QUIET_MS = 25_000;
const PAUSES_MS = [500, 1000, 2000, 4000, 8000];

// What the server tells as it happens. Told again from the start whenever the connection was gone.
export class Changes {
  constructor({ heard, changed }) {
    this.heard = heard;
    this.changed = changed;
    this.tries = 0;
    this.open();
    addEventListener("online", () => this.again(0));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && !this.isThere) this.again(0);
    });
  }

  open() {
    clearTimeout(this.later);
    this.source?.close();
    this.source = new EventSource("/api/live");
    for (const event of ["now", "camera", "picture", "alert", "output", "monitor", "beat"]) {
      this.source.addEventListener(event, (message) => {
        this.isAlive();
        this.heard(event, JSON.parse(message.data));
      });
    }
    this.source.onerror = () => this.again();
    this.watch();
  }

  isAlive() {
    this.tries = 0;
    this.tell(true);
    this.watch();
  }

  watch() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.again(), QUIET_MS);
  }

  again(pauseMs = PAUSES_MS[Math.min(this.tries, PAUSES_MS.length - 1)]) {
    this.tries += 1;
    this.source?.close();
    clearTimeout(this.quiet);
    clearTimeout(this.later);
    this.tell(false);
    this.later = setTimeout(() => this.open(), pauseMs);
  }

  tell(isThere) {
    if (this.isThere === isThere) return;
    this.isThere = isThere;
    this.changed(isThere);
  }
}
