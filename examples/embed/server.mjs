// A product page with a dashboard in it, and the server behind it, which signs the tokens itself:
// node examples/embed/server.mjs. Needs Node 22 and no package; README.md tells what it is told.

import { createHmac, randomUUID } from "node:crypto";
import { createServer } from "node:http";

const { POSTERN_URL, POSTERN_EMBED_KEY, POSTERN_EMBED_KID, POSTERN_DASHBOARD } = process.env;
const generation = Number(process.env.POSTERN_GENERATION ?? 1);
const port = Number(process.env.PORT ?? 8790);

/** A token for whoever is signed in here; what they may see is decided in it. */
function token() {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const iat = Math.floor(Date.now() / 1000);
  const claims = {
    aud: "postern-embed",
    sub: POSTERN_DASHBOARD,
    jti: randomUUID(),
    iat,
    exp: iat + 600,
    gen: generation,
    allowed_params: ["location", "period_start", "period_end"],
    origins: [`http://localhost:${port}`, `http://127.0.0.1:${port}`],
    ui: { hide_header: true },
  };
  const text = `${encode({ alg: "HS256", typ: "JWT", kid: POSTERN_EMBED_KID })}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", POSTERN_EMBED_KEY).update(text).digest("base64url")}`;
}

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Example product</title>
    <link rel="icon" href="data:,">
    <style>
      :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
      body { max-width: 70rem; margin: 0 auto; padding: 1rem; }
    </style>
    <script>
      // Your own session says who asks; this page never sees the key.
      window.freshToken = async () => (await fetch("/token", { method: "POST" })).json();
    </script>
    <script type="module" src="${POSTERN_URL}/embed.js"></script>
  </head>
  <body>
    <h1>Example product</h1>
    <p>The dashboard below is Postern’s. Its token lasts ten minutes, and is renewed while the page is open.</p>
    <postern-dashboard token-provider="freshToken" title="Weather"></postern-dashboard>
  </body>
</html>
`;

const server = createServer((request, response) => {
  const send = (status, type, body) => response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
  if (request.method === "GET" && request.url === "/") send(200, "text/html; charset=utf-8", page);
  else if (request.method === "POST" && request.url === "/token") send(200, "application/json", JSON.stringify({ token: token() }));
  else send(404, "text/plain", "Not found");
});
server.listen(port, "127.0.0.1", () => console.log(`http://localhost:${port}`));
