// What somebody would write by hand: the same tag and record key, the same record, the same answer, from KV alone.
// Without a gate: what it serves may be a minute old.

const encoder = new TextEncoder();
const NAMES = ["postern/v1/token-tag", "postern/v1/record"];
const HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "access-control-allow-origin": "*",
};
let keys;

export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    const [, token, verb] = /^\/api\/v1\/public\/shares\/([^/]+)\/(\w+)$/.exec(path) ?? [];
    if (verb !== "resolve") return refuse(404, "NOT_FOUND");
    const key = await locate(env, token);
    if (key === null) return refuse(401, "TOKEN_INVALID");
    const record = await env.SHARES.get(key, "json");
    const now = Date.now();
    const live = record?.live;
    if (record?.schema !== 2 || !live || (live.share.expires_at !== null && now >= live.share.expires_at)) {
      return refuse(401, "TOKEN_INVALID");
    }
    return new Response(JSON.stringify(resolve(live)), { headers: HEADERS });
  },
};

async function locate(env, token) {
  const digits = /^shr_([0-9a-f]{40})$/.exec(token)?.[1];
  if (digits === undefined) return null;
  keys ??= await derive(env.POSTERN_ROOT_KEY);
  const bytes = Uint8Array.fromHex(digits);
  const tag = await mac(keys[0], bytes.subarray(0, 16));
  let differs = 0;
  for (let at = 0; at < 4; at += 1) differs |= tag[at] ^ bytes[16 + at];
  if (differs !== 0) return null;
  return (await mac(keys[1], encoder.encode(token))).subarray(0, 16).toHex();
}

async function derive(root) {
  const material = await crypto.subtle.importKey("raw", Uint8Array.fromHex(root), "HKDF", false, ["deriveKey"]);
  const hmac = { name: "HMAC", hash: "SHA-256", length: 256 };
  const derived = (name) =>
    crypto.subtle.deriveKey(
      { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode(name) },
      material,
      hmac,
      false,
      ["sign"],
    );
  return Promise.all(NAMES.map(derived));
}

async function mac(key, part) {
  const message = new Uint8Array(8 + part.length);
  new DataView(message.buffer).setUint32(4, part.length);
  message.set(part, 8);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

function resolve({ share, rules, target: { dashboard } }) {
  const filters = dashboard.filters.flatMap((filter) => {
    const policy = rules.policies.find(({ filter_slug }) => filter_slug === filter.slug);
    const mode = policy?.mode ?? rules.default_mode;
    if (mode === "disabled" || policy?.hidden) return [];
    const { slug, label, kind, required } = filter;
    return [{ slug, label, kind, mode, required, default: policy?.default ?? filter.default, parameters: [slug] }];
  });
  return {
    share: {
      id: share.id,
      name: share.name,
      share_type: share.share_type,
      requires_auth: false,
      expires_at: share.expires_at === null ? null : new Date(share.expires_at).toISOString(),
      permissions: ["view"],
    },
    dashboard: { id: dashboard.id, slug: dashboard.slug, name: dashboard.title, layout: dashboard.layout },
    filters,
  };
}

function refuse(status, error_code) {
  return new Response(JSON.stringify({ error: "refused", error_code }), { status, headers: HEADERS });
}
