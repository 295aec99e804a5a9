// Tokens that jose makes rightly, by the organization's key or by keys of its own, and that open nothing here: one a line, after its name.

import { CompactEncrypt, FlattenedSign, SignJWT, UnsecuredJWT, base64url, exportJWK, generateKeyPair } from "jose";

const { POSTERN_EMBED_KEY, POSTERN_EMBED_KID, POSTERN_DASHBOARD, POSTERN_GENERATION } = process.env;
const key = new TextEncoder().encode(POSTERN_EMBED_KEY);
const claims = () => ({ gen: Number(POSTERN_GENERATION), jti: crypto.randomUUID() });
const build = (token) =>
  token.setAudience("postern-embed").setSubject(POSTERN_DASHBOARD).setIssuedAt().setExpirationTime("10m");
const signed = (header, secret) =>
  build(new SignJWT(claims())).setProtectedHeader({ typ: "JWT", kid: POSTERN_EMBED_KID, ...header }).sign(secret);
const show = (name, token) => console.log(`${name} ${token}`);

show("none", build(new UnsecuredJWT(claims())).encode());
for (const alg of ["HS384", "HS512"]) {
  // jose wants keys as long as the hash.
  show(alg, await signed({ alg }, new Uint8Array([...key, ...new Uint8Array(64 - key.length)])));
}
for (const alg of ["RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"]) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  show(alg, await signed({ alg }, privateKey));
  show(`${alg}+jwk`, await signed({ alg, jwk }, privateKey));
  // The public key's text taken for a secret.
  show(`${alg}-as-HS256`, await signed({ alg: "HS256" }, new TextEncoder().encode(JSON.stringify(jwk))));
}
const own = crypto.getRandomValues(new Uint8Array(32));
show("HS256+jwk", await signed({ alg: "HS256", jwk: { kty: "oct", k: base64url.encode(own) } }, own));
show("HS256+jku", await signed({ alg: "HS256", jku: "https://evil.example/jwks.json" }, key));
show("HS256+cty", await signed({ alg: "HS256", cty: "JWT" }, key));
show("HS256+b64", await signed({ alg: "HS256", crit: ["b64"], b64: true }, key));
show("decoded", await signed({ alg: "HS256" }, base64url.decode(POSTERN_EMBED_KEY.slice("pek_".length))));

const payload = new TextEncoder().encode(JSON.stringify(claims()));
const secret = await crypto.subtle.digest("SHA-256", key);
const encrypted = new CompactEncrypt(payload).setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: POSTERN_EMBED_KID });
show("JWE", await encrypted.encrypt(new Uint8Array(secret)));
const flattened = await new FlattenedSign(payload).setProtectedHeader({ alg: "HS256", kid: POSTERN_EMBED_KID }).sign(key);
show("JWS-JSON", encodeURIComponent(JSON.stringify(flattened)));
