// Requests to the server that the page came from, and nobody else.

export class Refused extends Error {
  constructor(status, { detail, is_stroke_wrong: isStrokeWrong = false }) {
    super(String(detail ?? `The server answered ${status}.`));
    this.status = status;
    this.isStrokeWrong = isStrokeWrong;
  }
}

// What a server says that has other labels than those that the page is about.
export const ELSEWHERE = 421;

let database = "";

// Whose labels every later request is about: another folder's server may take this address while the page is open.
export function isAbout(id) {
  database = id;
}

// An address for what sends no headers of ours.
export const address = (path, query = {}) => `/api/${path}?${new URLSearchParams({ ...query, database })}`;

// Plain data from an address; with a body it is sent there. Throws Refused where the server says no, and what fetch
// throws where it cannot be reached.
export async function ask(path, body, { signal } = {}) {
  const headers = database ? { "headcount-database": database } : {};
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(`/api/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers,
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
  if (!response.ok) throw new Refused(response.status, data);
  return data;
}

// Letters and digits that nobody else has; crypto.randomUUID is not there over plain http from another machine.
export function newId(length = 20) {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => letters[byte % 36]).join("");
}
