// A site that embeds: pages on a loopback origin of its own, and the tokens that its server signs.

import { createHmac, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { env } from "./page.mjs";

/** Starts a site that serves `pages` by their paths. `localhost` is another site than the edge's 127.0.0.1. */
export async function startHost() {
  const pages = new Map();
  const server = createServer((request, response) => {
    const page = pages.get(new URL(request.url, "http://localhost").pathname);
    response.writeHead(page ? 200 : 404, { "content-type": "text/html; charset=utf-8" }).end(page ?? "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://localhost:${server.address().port}`;
  return {
    origin,
    /** Serves a page with this body; answers its address. */
    page(path, body) {
      pages.set(path, `<!doctype html><html lang="en"><head><title>Host</title><link rel="icon" href="data:,"></head><body>${body}</body></html>`);
      return origin + path;
    },
    close() {
      const closed = new Promise((resolve) => server.close(resolve));
      // Browsers keep connections open, in case.
      server.closeAllConnections();
      return closed;
    },
  };
}

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Calls the management interface. */
export async function manage(method, path, body) {
  const response = await fetch(`${env("CONTROL_URL")}/api/v1/embed/${path}`, {
    method,
    headers: { authorization: `Bearer ${env("API_KEY")}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Signs a token as a customer's server does; it lives for `seconds`. */
export function sign(claims, seconds = 3600) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const iat = Math.floor(Date.now() / 1000);
  const whole = { aud: "postern-embed", sub: env("DASHBOARD_ID"), jti: randomUUID(), iat, exp: iat + seconds, ...claims };
  const text = `${encode({ alg: "HS256", typ: "JWT", kid: env("EMBED_KID") })}.${encode(whole)}`;
  return `${text}.${createHmac("sha256", env("EMBED_KEY")).update(text).digest("base64url")}`;
}
