// Prints a token for an embed: npm install jose, then node sign.mjs. README.md tells the environment.

import { SignJWT } from "jose";

const { POSTERN_EMBED_KEY, POSTERN_EMBED_KID, POSTERN_DASHBOARD, POSTERN_GENERATION = "1" } = process.env;

const token = await new SignJWT({ gen: Number(POSTERN_GENERATION), origins: ["http://localhost:8790"] })
  .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: POSTERN_EMBED_KID })
  .setAudience("postern-embed")
  .setSubject(POSTERN_DASHBOARD)
  .setJti(crypto.randomUUID())
  .setIssuedAt()
  .setExpirationTime("10m")
  .sign(new TextEncoder().encode(POSTERN_EMBED_KEY));
console.log(token);
