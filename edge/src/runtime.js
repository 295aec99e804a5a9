// The JavaScript side of runtime.rs: each function does in one crossing what would be many from wasm.
// Promises settle to bytes, numbers or plain objects, never to something bound to a request.

const NOTHING = new Uint8Array(0);
/** The control plane gives 8 MiB of cells at most; as JSON they are not twice as much. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Calls `settle(slot, fulfilled, value)` once the promise has settled. */
export function watch(promise, slot, settle) {
  promise.then((value) => settle(slot, true, value), (reason) => settle(slot, false, reason));
}

/** Unicode's normal form C. */
export function nfc(text) {
  return text.normalize("NFC");
}

/** A promise that is fulfilled after so many milliseconds. */
export function sleep(duration) {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

/** A promise and the function that fulfils it. */
export function deferred() {
  let fulfil;
  const promise = new Promise((resolve) => (fulfil = resolve));
  return [promise, fulfil];
}

/** Method, URL, and the ids that the caller and the platform gave, one a line: what every request needs, in one crossing. */
export function head(request) {
  const { method, url, headers } = request;
  return `${method}\n${url}\n${headers.get("x-request-id") ?? ""}\n${headers.get("cf-ray") ?? ""}`;
}

/** What encodings the client takes: the platform writes its own into the header, and keeps the client's beside it. */
export function clientEncodings(request) {
  return request.cf?.clientAcceptEncoding ?? request.headers.get("accept-encoding") ?? "";
}

/** Headers that many answers share, built once: the runtime copies them by itself, a plain object it would read entry by entry. */
export function headerSet(lines) {
  return new Headers(pairs(lines));
}

/** An answer. The body is copied, since wasm memory may change before it is written. */
export function respond(status, set, lines, body) {
  const init = { status, headers: set };
  // What is stored compressed is sent as it is.
  if (lines.includes("\ncontent-encoding:")) init.encodeBody = "manual";
  const answer = new Response(body.length === 0 ? null : body.slice(), init);
  for (const [name, value] of pairs(lines)) answer.headers.set(name, value);
  return answer;
}

function pairs(lines) {
  return lines.split("\n").map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1)];
  });
}

/** The body of a request or answer, or null when it has more than `limit` bytes: counted, whatever Content-Length says. */
export async function readBody(message, limit) {
  if (message.body === null) return NOTHING;
  if (Number(message.headers.get("content-length") ?? 0) > limit) return null;
  const chunks = [];
  let length = 0;
  for await (const chunk of message.body) {
    length += chunk.length;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  if (chunks.length === 1) return chunks[0];
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

/** A value of Workers KV as bytes, or null. A read that takes longer than `limit` ms is given up. */
export async function readKv(namespace, key, limit) {
  const value = await within(limit, namespace.get(key, "arrayBuffer"));
  return value === null ? null : new Uint8Array(value);
}

/** A promise's own outcome, or an error after `limit` ms. What is given up is not stopped. */
export function within(limit, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Asks a gate by name: bytes, or null when the gate holds nothing. A gate that does not answer within `limit` ms is given up,
 * but ends what it has begun.
 */
export function callGate(namespace, name, path, body, limit) {
  return within(limit, askGate(namespace, name, path, body));
}

async function askGate(namespace, name, path, body) {
  const gate = namespace.get(namespace.idFromName(name));
  const init = body === undefined ? undefined : { method: "POST", body: body.slice() };
  const answer = await gate.fetch("https://gate" + path, init);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`gate answered ${answer.status}`);
  return bytes;
}

/** Calls to the data plane that are under way, by everything that they depend on. */
const flights = new Map();

/**
 * A signed call to the control plane; equal calls at the same time are one (`flight` names them).
 * Whoever began it may go away, so its work is kept alive by `waitUntil`; the others wait on a promise of
 * their own, which the runtime settles in their own request's context. A flight that was lost all the
 * same (`limit` ms) holds nobody up. That whoever began it may see nothing (410) says nothing of the others, whose
 * embed tokens are their own: they ask by themselves.
 */
export function callControl(context, flight, limit, url, signature, body) {
  const now = Date.now();
  const underway = flights.get(flight);
  if (underway !== undefined && now - underway.since < limit) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the shared call was lost")), limit);
      const done = (settle) => (value) => { clearTimeout(timer); settle(value); };
      const own = (answer) => (answer.status === 410 ? post(url, signature, body, limit) : answer);
      underway.call.then(own).then(done(resolve), done(reject));
    });
  }
  const entry = { since: now, call: undefined };
  entry.call = post(url, signature, body, limit).finally(() => {
    if (flights.get(flight) === entry) flights.delete(flight);
  });
  flights.set(flight, entry);
  context.waitUntil(entry.call.catch(() => {}));
  return entry.call;
}

/** A point of an Analytics Engine data set, under one index: the figures are sums over all requests. */
export function writePoint(dataset, figures) {
  dataset.writeDataPoint({ indexes: ["edge"], doubles: Array.from(figures) });
}

/** A signed call to the control plane, on its own. */
export async function post(url, signature, body, limit) {
  const answer = await fetch(url, {
    method: "POST",
    body: body.slice(),
    headers: { "content-type": "application/json", "x-postern-signature": signature },
    redirect: "manual",
    signal: AbortSignal.timeout(limit),
  });
  const bytes = await readBody(answer, MAX_ANSWER_BYTES);
  if (bytes === null) throw new Error("the control plane's answer is too large");
  return { status: answer.status, cacheable: answer.headers.get("x-postern-cacheable") === "1", body: bytes };
}

/**
 * A signed call to the control plane whose good answer is a stream, of any length: it is passed on by `passStream`, and never read
 * here. `limit` ends the wait for its beginning alone.
 */
export async function openStream(url, signature, body, limit) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error("no answer in time")), limit);
  try {
    const answer = await fetch(url, {
      method: "POST",
      body: body.slice(),
      headers: { "content-type": "application/json", "x-postern-signature": signature },
      redirect: "manual",
      signal: late.signal,
    });
    if (answer.status === 200) return { status: 200, cacheable: false, body: NOTHING, stream: answer.body };
    const bytes = await readBody(answer, MAX_ANSWER_BYTES);
    return { status: answer.status, cacheable: false, body: bytes ?? NOTHING, stream: null };
  } finally {
    clearTimeout(timer);
  }
}

/** An answer with a stream as its body. */
export function passStream(status, stream, set, lines) {
  const answer = new Response(stream, { status, headers: set });
  for (const [name, value] of pairs(lines)) answer.headers.set(name, value);
  return answer;
}

/** Passes a request on to the control plane, body and answer streamed; `own` headers replace the request's. */
export async function forward(request, url, own, limit) {
  const headers = new Headers(request.headers);
  for (const name of ["host", "x-postern-signature", "x-forwarded-for", "x-forwarded-host"]) headers.delete(name);
  for (const [name, value] of pairs(own)) headers.set(name, value);
  return fetch(url, {
    method: request.method,
    headers,
    body: request.body,
    redirect: "manual",
    signal: AbortSignal.timeout(limit),
  });
}
