// Requests to the server that the page came from, and nobody else.

export class Refused extends Error {}

// Plain data from an address; with a body it is sent there. Throws Refused where the server says no, and what fetch
// throws where it cannot be reached.
export async function ask(path, body) {
  const response = await fetch(`/api/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
  });
  let data = {};
  try {
    data = await response.json();
  } catch {
    // it is said by its status
  }
  if (!response.ok) throw new Refused(String(data.detail ?? `The server answered ${response.status}.`));
  return data;
}
