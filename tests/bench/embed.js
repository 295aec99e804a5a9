// What somebody would write by hand for embeds: jose checks the token, the record comes from KV and is kept for as long as a lease,
// and the answer is the same, headers included. Without a gate, and without reading claims strictly. With `?imported` the key is
// imported once, else jose gets its bytes, as its own examples have it.

import { jwtVerify } from "jose";

const encoder = new TextEncoder();
const LEASE_MS = 2_000;
const HEADERS = new Headers({
  "content-type": "application/json",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-robots-tag": "noindex, nofollow",
  "strict-transport-security": "max-age=31536000",
  "cache-control": "no-store",
  "access-control-expose-headers": "x-request-id, server-timing, retry-after",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "cross-origin",
  vary: "origin",
});
const CHECKS = {
  algorithms: ["HS256"],
  audience: "postern-embed",
  requiredClaims: ["sub", "jti", "iat", "exp", "gen"],
  clockTolerance: 0,
};
const keys = new Map();
const records = new Map();
let root;
let isolate;
let count = 0;

export default {
  async fetch(request, env) {
    isolate ??= crypto.getRandomValues(new Uint8Array(8)).toHex();
    const { pathname, search } = new URL(request.url);
    const [, token] = /^\/api\/embed\/d\/([^/]+)\/info$/.exec(pathname) ?? [];
    if (token === undefined) return refuse(404, "NOT_FOUND");
    let verified;
    try {
      verified = await jwtVerify(token, ({ kid }) => keyOf(env, kid, search === "?imported"), CHECKS);
    } catch {
      return refuse(401, "TOKEN_INVALID");
    }
    const { payload: claims, protectedHeader } = verified;
    const [organization, generation] = protectedHeader.kid.split(".");
    const live = await record(env, claims);
    if (
      live?.organization.id.replaceAll("-", "") !== organization ||
      live.target.dashboard.id !== claims.sub ||
      live.share.generation !== claims.gen ||
      !live.embed.keys.includes(Number(generation)) ||
      live.embed.revoked?.includes(claims.jti)
    ) {
      return refuse(401, "TOKEN_INVALID");
    }
    const response = answer(200, info(live, claims));
    response.headers.set("server-timing", "record;desc=memory");
    return response;
  },
};

/** The key of a name: derived once, from the root key. */
async function keyOf(env, kid, imported) {
  let own = keys.get(kid);
  if (own === undefined) {
    const [, organization, generation] = /^([0-9a-f]{32})\.([1-9][0-9]{0,8})$/.exec(kid);
    root ??= await derive(env.POSTERN_ROOT_KEY);
    const message = new Uint8Array(40);
    const view = new DataView(message.buffer);
    view.setUint32(4, 16);
    message.set(Uint8Array.fromHex(organization), 8);
    view.setUint32(28, 8);
    view.setUint32(36, Number(generation));
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", root, message));
    const bytes = encoder.encode(`pek_${mac.toBase64({ alphabet: "base64url", omitPadding: true })}`);
    const hmac = { name: "HMAC", hash: "SHA-256" };
    own = { bytes, imported: await crypto.subtle.importKey("raw", bytes, hmac, false, ["verify"]) };
    keys.set(kid, own);
  }
  return imported ? own.imported : own.bytes;
}

async function derive(hex) {
  const material = await crypto.subtle.importKey("raw", Uint8Array.fromHex(hex), "HKDF", false, ["deriveKey"]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode("postern/v1/embed") };
  return crypto.subtle.deriveKey(hkdf, material, { name: "HMAC", hash: "SHA-256", length: 256 }, false, ["sign"]);
}

/** What the dashboard's record says, as long as it is remembered. */
async function record(env, { sub, gen }) {
  const name = `${sub}.${gen}`;
  const now = Date.now();
  const kept = records.get(name);
  if (kept !== undefined && now < kept.until) return kept.live;
  const message = new Uint8Array(47);
  message.set(encoder.encode("postern/v1/embed-record"));
  message.set(Uint8Array.fromHex(sub.replaceAll("-", "")), 23);
  new DataView(message.buffer).setUint32(43, gen);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", message));
  const { live } = (await env.SHARES.get(digest.subarray(0, 16).toHex(), "json")) ?? {};
  records.set(name, { live, until: now + LEASE_MS });
  return live;
}

function info({ share, embed, target: { dashboard } }, claims) {
  const { allowed_params = [], required_params = [], fixed_params = {}, origins = [], ui = {} } = claims;
  const required = required_params.filter((name) => !Object.hasOwn(fixed_params, name));
  const filters = dashboard.filters.flatMap((filter) => {
    const { slug, label, kind, choices } = filter;
    const parameters = kind === "date_range" ? [`${slug}_start`, `${slug}_end`] : [slug];
    const isFixed = parameters.some((name) => Object.hasOwn(fixed_params, name));
    if (isFixed || !parameters.every((name) => allowed_params.includes(name))) return [];
    const isRequired = filter.required || parameters.some((name) => required.includes(name));
    const source = choices === undefined ? undefined : choices === "dynamic" ? "dynamic" : "static";
    return [{ slug, label, kind, mode: "open", required: isRequired, default: filter.default ?? undefined, source, parameters }];
  });
  const expires_at = new Date(claims.exp * 1_000).toISOString();
  const { id, slug, title, layout } = dashboard;
  return {
    share: { id: share.id, name: share.name, share_type: share.share_type, requires_auth: false, expires_at, permissions: ["view"] },
    dashboard: { id, slug, name: title, layout },
    filters,
    embed: {
      expires_at,
      allowed_params,
      required_params: required,
      allowed_origins: [...new Set([...origins, ...(embed.origins ?? [])])],
      hide_header: ui.hide_header ?? false,
      hide_controls: ui.hide_controls ?? false,
      theme: ui.theme ?? "auto",
    },
  };
}

function refuse(status, error_code) {
  return answer(status, { error: "refused", error_code });
}

function answer(status, body) {
  const response = new Response(JSON.stringify(body), { status, headers: HEADERS });
  count += 1;
  response.headers.set("x-request-id", `req_${isolate}${count.toString(16)}`);
  return response;
}
