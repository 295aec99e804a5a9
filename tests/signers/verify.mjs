// Verifies TOKEN by KEY with jose, as somebody's own server would, and prints what it says.

import { decodeProtectedHeader, jwtVerify } from "jose";

const { TOKEN, KEY } = process.env;

const { payload, protectedHeader } = await jwtVerify(TOKEN, new TextEncoder().encode(KEY), {
  algorithms: ["HS256"],
  audience: "postern-embed",
  issuer: "postern",
  typ: "JWT",
  requiredClaims: ["sub", "jti", "iat", "exp", "gen"],
});
console.log(JSON.stringify({ header: protectedHeader ?? decodeProtectedHeader(TOKEN), claims: payload }));
