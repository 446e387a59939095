// The node's API. The token lives in this tab's sessionStorage, travels in a header, and is in no address.

const KEPT = "tocsin-token";
const PATIENCE_MS = 15000;

export const token = () => sessionStorage.getItem(KEPT);
export const keep = (one) => sessionStorage.setItem(KEPT, one);
export const forget = () => sessionStorage.removeItem(KEPT);

export class Refused extends Error {
  constructor(status, error) {
    super(error?.what ?? `the node answered ${status}`);
    this.status = status;
    this.cure = error?.do ?? "";
  }
}

async function ask(method, path, { body, key, as } = {}) {
  const headers = { authorization: `Bearer ${as ?? token()}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (key) headers["idempotency-key"] = key;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const answer = await fetch(path, { method, headers, body: text, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS) });
  const told = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, told?.error);
  return told;
}

export const get = (path, as) => ask("GET", path, { as });
export const signIn = (once) => ask("POST", "/v1/sign-in", { body: {}, as: once });

// A command keeps its key over a retry: pressed twice, done once.
export async function command(path, body = {}) {
  const key = crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  try {
    return await ask("POST", path, { body, key });
  } catch (error) {
    if (error instanceof Refused) throw error;
    return ask("POST", path, { body, key });
  }
}
