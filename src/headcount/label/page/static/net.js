// Requests to the server that the page came from, and nobody else.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// Plain data from an address; with a body it is sent there. Throws Refused where the server says no, and what fetch
// throws where it cannot be reached.
export async function ask(path, body, { signal } = {}) {
  const response = await fetch(`/api/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    signal,
  });
  let data = null;
  try {
    data = await response.json();
  } catch {
    data = {};
  }
  const why = data.detail ?? `The server answered ${response.status}.`;
  if (!response.ok) throw new Refused(response.status, String(why));
  return data;
}

// Letters and digits that nobody else has; crypto.randomUUID is not there over plain http from another machine.
export function newId(length = 20) {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => letters[byte % 36]).join("");
}
