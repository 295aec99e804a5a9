// Dashboards in frames of another site, against the real Worker and control plane.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort, manage, sign, startHost } from "./host.mjs";
import { accessible, becomes, env, launch, launchWithoutThirdParties, screenshot, settled, value, visit } from "./page.mjs";

const edge = env("EDGE_URL");
const script = `<script type="module" src="${edge}/embed.js"></script>`;
/** Notes what the elements of a page tell; before the script that makes them elements. */
const noting = `<script>
  var told = [];
  for (const type of ["ready", "params", "error", "token-expiring"])
    addEventListener(type, ({ detail }) => told.push({ type, ...detail }));
</script>`;
let browser;
let host;
let generation;

before(async () => {
  await mkdir(env("SCREENSHOTS"), { recursive: true });
  browser = await launch();
  host = await startHost();
  ({ generation } = await manage("POST", `dashboards/${env("DASHBOARD_ID")}`, {}));
});
after(async () => {
  await browser.close();
  await host.close();
});

/** A token whose viewers choose the city, and that the host's site may frame. */
function token(claims = {}, seconds) {
  return sign({ gen: generation, origins: [host.origin], allowed_params: ["location"], ...claims }, seconds);
}

function plain(token, query = "") {
  return `<iframe title="Weather" width="1000" height="800" src="${edge}/embed/d/${token}${query}"></iframe>`;
}

function element(attributes) {
  return `${noting}<postern-dashboard ${attributes}></postern-dashboard>${script}`;
}

/** Opens a page of the host with this body; `expected` as for `visit`. */
function open(body, options, see, expected) {
  return visit(browser, host.page("/", body), { hosts: [host.origin], ...options }, see, expected);
}

async function frameOf(page) {
  const frame = await (await page.waitForSelector("iframe")).contentFrame();
  await frame.waitForSelector("main[data-state]");
  return frame;
}

async function shown(page) {
  const frame = await frameOf(page);
  await settled(frame);
  return frame;
}

async function choose(frame, city) {
  await frame.selectOption('[data-filter="location"] select', { label: city });
}

function told(page, type) {
  return page.evaluate((type) => globalThis.told.filter((one) => one.type === type), type);
}

async function tells(page, type, count = 1) {
  await page.waitForFunction(([type, count]) => globalThis.told.filter((one) => one.type === type).length >= count, [type, count]);
}

/** How high the element is; waits until its content fits into it exactly. */
async function height(page, frame) {
  for (;;) {
    const outside = await page.evaluate(() => document.querySelector("postern-dashboard").getBoundingClientRect().height);
    const inside = await frame.evaluate(() => Math.ceil(document.body.getBoundingClientRect().height));
    const scrolled = await frame.evaluate(() => document.documentElement.scrollHeight - innerHeight);
    if (outside === inside && scrolled === 0) return outside;
    await page.waitForTimeout(20);
  }
}

/** Of the whole page: what of a frame is out of sight is not painted. */
async function picture(page, name) {
  const { width } = page.viewportSize();
  await page.setViewportSize({ width, height: await page.evaluate(() => document.documentElement.scrollHeight) });
  await page.waitForTimeout(500);
  await screenshot(page, name);
}

test("a frame of another site shows figures where third parties may keep nothing", async () => {
  const strict = await launchWithoutThirdParties();
  const secret = token();
  const asked = [];
  await visit(strict, host.page("/", plain(secret)), { hosts: [host.origin] }, async (page) => {
    page.on("request", (request) => asked.push(request.url()));
    const frame = await shown(page);
    assert.equal(await value(frame, "days"), 2922);
    assert.equal(frame.url(), `${edge}/embed/d/self`, "the address has no token");
    assert.equal(await frame.title(), "Weather in two cities");
    const blocked = await frame.evaluate(() => {
      try {
        return void localStorage.length;
      } catch ({ name }) {
        return name;
      }
    });
    assert.equal(blocked, "SecurityError", "the browser is as strict as it should be");
    await choose(frame, "Seattle");
    await becomes(frame, "days", 1461);
    assert.equal(frame.url(), `${edge}/embed/d/self?location=Seattle`);
    assert.deepEqual(asked.filter((url) => url.includes(secret)), [], "no later address has the token");
    await accessible(frame);
  });
  await strict.close();
});

test("a frame whose scripts may not even ask for storage and cookies shows figures", () =>
  open(plain(token()), {}, async (page) => {
    await page.addInitScript(() => {
      const get = () => {
        throw new DOMException("No", "SecurityError");
      };
      for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"]) Object.defineProperty(globalThis, name, { get });
      Object.defineProperty(Document.prototype, "cookie", { get, set: get });
    });
    await page.reload();
    assert.equal(await value(await shown(page), "days"), 2922);
    assert.deepEqual(await page.context().cookies(), []);
  }));

test("the element is as high as its content, and tells what the viewer does", () =>
  open(element(`token="${token({ allowed_params: ["location", "windy"] })}" title="Weather"`), {}, async (page) => {
    const frame = await shown(page);
    await tells(page, "ready");
    assert.equal(await page.getAttribute("iframe", "title"), "Weather");
    const wide = await height(page, frame);
    await page.setViewportSize({ width: 500, height: 720 });
    await page.waitForFunction((wide) => document.querySelector("postern-dashboard").getBoundingClientRect().height > wide, wide);
    await height(page, frame);
    await page.setViewportSize({ width: 1280, height: 720 });
    await page.waitForFunction((wide) => document.querySelector("postern-dashboard").getBoundingClientRect().height === wide, wide);

    await choose(frame, "Seattle");
    await becomes(frame, "days", 1461);
    assert.deepEqual(await told(page, "params"), [{ type: "params", params: { location: "Seattle" } }]);
    assert.equal(await page.evaluate(() => document.querySelector("postern-dashboard").params.location), "Seattle");
    // Enter would send the form, and a sandbox may refuse that aloud.
    await frame.press('[data-filter="windy"] input', "Enter");
    assert.deepEqual(await told(page, "error"), []);
    await accessible(frame);
    await picture(page, "embed");
  }));

test("the element is as high as its content before anyone has scrolled to it", () =>
  open(element(`token="${token()}"`).replace("<postern", '<p style="height: 5000px">Above</p><postern'), {}, async (page) => {
    const frame = await shown(page);
    await tells(page, "ready");
    assert.ok((await height(page, frame)) > 1000);
  }));

test("on a phone nothing sticks out", () =>
  open(
    `<meta name="viewport" content="width=device-width">${element(`token="${token()}"`)}`,
    { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
    async (page) => {
      const frame = await shown(page);
      await height(page, frame);
      assert.equal(await frame.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
      await frame.click(".filters-toggle");
      await height(page, frame);
      await accessible(frame);
      await picture(page, "embed-phone");
    },
  ));

test("only what the token allows is offered and asked for", () => {
  const claims = { allowed_params: ["location", "period_start", "period_end"], fixed_params: { windy: 5 } };
  return open(plain(token(claims), "?windy=9&rainy=true&period_start=2015-01-01&period_end=2015-01-31"), {}, async (page) => {
    const asked = [];
    page.on("request", (request) => request.url().endsWith("/execute") && asked.push(request.postDataJSON().parameters));
    const frame = await shown(page);
    for (const gone of ["rainy", "weather"]) assert.equal(await frame.locator(`[data-filter="${gone}"]`).count(), 0, gone);
    assert.equal(await frame.locator('[data-filter="period"] input').count(), 2);
    assert.equal(await frame.locator('[data-filter="windy"] input').count(), 0);
    await Promise.all([page.waitForResponse((response) => response.url().endsWith("/execute")), choose(frame, "Seattle")]);
    await settled(frame);
    for (const parameters of asked) {
      assert.deepEqual(Object.keys(parameters).filter((name) => !claims.allowed_params.includes(name)), []);
    }
    assert.equal(asked.at(-1).period_start, "2015-01-01");
    assert.ok((await value(frame, "days")) < 365, "the fixed value holds");
  });
});

test("the page around sets filters, without an echo", () =>
  open(element(`token="${token()}" params='{"location":"Seattle"}'`), {}, async (page) => {
    const frame = await shown(page);
    assert.equal(await value(frame, "days"), 1461, "the first figures are the wished ones");
    const set = (params) => page.evaluate((params) => Object.assign(document.querySelector("postern-dashboard"), { params }), params);
    await set({ location: null, windy: 99 });
    await becomes(frame, "days", 2922);
    await set({ location: "New York" });
    await becomes(frame, "days", 1461);
    assert.equal(await frame.locator('[data-filter="location"] select').evaluate((select) => select.selectedOptions[0].text), "New York");
    assert.deepEqual(await told(page, "params"), []);
    assert.deepEqual(await told(page, "error"), []);
  }));

test("a view goes on for many lives of its token, also when the provider fails at times", async () => {
  let asked = 0;
  await open(element('token-provider="fresh"'), {}, async (page) => {
    await page.exposeFunction("fresh", () => {
      asked += 1;
      if (asked === 3) throw new Error("away");
      return { token: token({}, 6) };
    });
    await page.reload();
    const frame = await shown(page);
    await choose(frame, "Seattle");
    await becomes(frame, "days", 1461);
    await frame.evaluate(() => (globalThis.isFirst = true));
    await tells(page, "token-expiring", 3);
    assert.ok(await frame.evaluate(() => globalThis.isFirst), "the frame was never made anew");
    assert.equal(await value(frame, "days"), 1461, "the filter kept its value");
    await frame.waitForSelector("#notice", { state: "hidden" });
    const codes = (await told(page, "error")).map(({ code }) => code);
    assert.ok(codes.includes("TOKEN_PROVIDER_FAILED"));
    assert.equal((await told(page, "ready")).length, 1);
    const [expiring] = await told(page, "token-expiring");
    assert.ok(expiring.seconds <= 2 && Date.parse(expiring.expires_at) > Date.now() - 60_000);
  });
});

test("a view that slept for longer than its token lived goes on when it wakes up", () =>
  open(element('token-provider="fresh"'), {}, async (page) => {
    await page.exposeFunction("fresh", () => token());
    await page.clock.install();
    await page.reload();
    const frame = await shown(page);
    await tells(page, "ready");
    await frame.evaluate(() => (globalThis.isFirst = true));
    const renewed = page.waitForRequest((request) => request.url().endsWith("/info"));
    await page.clock.fastForward("09:00:00");
    await renewed;
    await page.clock.runFor(2_000);
    await frame.waitForSelector("#notice", { state: "hidden" });
    await choose(frame, "Seattle");
    await page.clock.runFor(2_000);
    await becomes(frame, "days", 1461);
    assert.ok(await frame.evaluate(() => globalThis.isFirst));
  }));

test("a display that starts while the service is away shows figures once it is back", () =>
  open(
    element(`token="${token()}"`),
    {},
    async (page) => {
      let isAway = true;
      const away = (route) => (isAway ? route.fulfill({ status: 503, json: {} }) : route.continue());
      await page.route("**/embed/d/*", away);
      await page.clock.install();
      await page.reload();
      await page.waitForSelector("iframe");
      // First no page comes, then a page but no data.
      await page.clock.runFor(20_000);
      await tells(page, "error");
      assert.equal((await told(page, "error"))[0].code, "NO_ANSWER");
      await page.unroute("**/embed/d/*", away);
      await page.route("**/info", away);
      await page.clock.runFor(20_000);
      const frame = await frameOf(page);
      await frame.waitForSelector("#notice:not([hidden])");
      isAway = false;
      await page.clock.fastForward(120_000);
      await settled(frame);
      assert.equal(await value(frame, "days"), 2922);
    },
    // Also that the first page, which is none, does not hear the greeting.
    ["503", "postMessage"],
  ));

test("a view whose token has ended says so, and goes on with another", () =>
  open(
    element(`token="${token({}, 12)}"`),
    {},
    async (page) => {
      const frame = await shown(page);
      await tells(page, "error");
      assert.equal((await told(page, "error"))[0].code, "TOKEN_INVALID");
      assert.match(await frame.textContent("#notice"), /expired/);
      assert.equal(await value(frame, "days"), 2922, "what was there stays");
      await accessible(frame);
      await page.evaluate((token) => document.querySelector("postern-dashboard").setAttribute("token", token), token());
      await frame.waitForSelector("#notice", { state: "hidden" });
      await choose(frame, "Seattle");
      await becomes(frame, "days", 1461);
    },
  ));

test("a revoked token shows nothing more", () => {
  const jti = `revoked-${generation}-${process.pid}`;
  return open(
    element(`token="${token({ jti })}"`),
    {},
    async (page) => {
      const frame = await shown(page);
      await manage("DELETE", `dashboards/${env("DASHBOARD_ID")}/tokens/${jti}`);
      await choose(frame, "Seattle");
      await frame.waitForSelector("#notice:not([hidden])");
      assert.match(await frame.textContent("#notice"), /expired/);
      assert.equal(await value(frame, "days"), 2922);
    },
    ["401"],
  );
});

test("a site that is not listed may not frame it", () =>
  open(
    plain(token({ origins: ["https://example.com"] })),
    {},
    async (page) => {
      await page.waitForTimeout(500);
      const [frame] = page.mainFrame().childFrames();
      assert.equal(await frame.locator("main").count(), 0);
    },
    ["frame-ancestors", "Framing", "ERR_BLOCKED_BY_RESPONSE"],
  ));

test("a site below a listed wildcard may frame it, and is heard", async () => {
  const below = host.origin.replace("localhost", "app.postern.localhost");
  const origins = [below.replace("app.", "*.")];
  const address = host.page("/below", element(`token="${token({ origins })}"`)).replace(host.origin, below);
  await visit(browser, address, { hosts: [below] }, async (page) => {
    const frame = await shown(page);
    assert.equal(await value(frame, "days"), 2922);
    await tells(page, "ready");
    await height(page, frame);
  });
});

test("what an earlier visit left shows nothing to a site that is not listed, and a page without it says what to do", () =>
  open(`<iframe title="Weather" width="800" height="400" src="${edge}/embed/d/self"></iframe>`, {}, async (page) => {
    const empty = await frameOf(page);
    await empty.waitForSelector("#notice:not([hidden])");
    assert.match(await empty.textContent("#notice"), /Load the page around it again/);
    await accessible(empty);

    await page.addInitScript((token) => {
      if (location.pathname === "/embed/d/self") history.replaceState({ token }, "");
    }, token({ origins: ["https://example.com", "https://*.example.org"] }));
    await page.reload();
    const refused = await frameOf(page);
    await refused.waitForSelector("#notice:not([hidden])");
    assert.match(await refused.textContent("#notice"), /may not show/);
    assert.equal(await refused.locator("[data-panel], [data-filter]").count(), 0);
    assert.equal(await refused.textContent("#title"), "Dashboard");
  }));

test("only the page around is heard", () => {
  const relay = "<script>onmessage = ({ data }) => parent.frames[0].postMessage(data, '*')</script>";
  const body = `${plain(token({ ui: { theme: "light" } }))}<iframe title="Another" srcdoc="${relay}"></iframe>`;
  return open(body, {}, async (page) => {
    const frame = await shown(page);
    const send = (place, message) => page.evaluate(([place, message]) => frames[place].postMessage(message, "*"), [place, message]);
    const dark = { postern: 1, type: "theme", theme: "dark" };
    await send(1, dark);
    await send(0, { ...dark, postern: 2 });
    await send(0, { ...dark, theme: "pink" });
    await page.waitForTimeout(100);
    assert.equal(await frame.getAttribute("html", "data-theme"), "light");
    await send(0, dark);
    await frame.waitForSelector('html[data-theme="dark"]');
  });
});

test("the token and the page around choose between light and dark", () =>
  open(element(`token="${token({ ui: { theme: "light" } })}"`), { colorScheme: "dark" }, async (page) => {
    const frame = await shown(page);
    const look = () =>
      frame.evaluate(() => {
        const canvas = document.querySelector("canvas");
        const data = [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
        const drawn = data.reduce((sum, byte, at) => sum + byte * (at % 251), 0);
        return { page: getComputedStyle(document.documentElement).backgroundColor, drawn };
      });
    const light = await look();
    assert.equal(light.page, "rgb(246, 247, 249)");
    await page.evaluate(() => document.querySelector("postern-dashboard").setAttribute("theme", "dark"));
    await frame.waitForSelector('html[data-theme="dark"]');
    await page.waitForTimeout(600);
    const dark = await look();
    assert.equal(dark.page, "rgb(14, 18, 23)");
    assert.notEqual(dark.drawn, light.drawn, "charts change too");
    await accessible(frame);
    await picture(page, "embed-dark");
    await page.evaluate(() => document.querySelector("postern-dashboard").setAttribute("theme", "auto"));
    await frame.waitForSelector("html:not([data-theme])");
    assert.equal((await look()).page, "rgb(14, 18, 23)", "the viewer's own choice");
  }));

test("header and filters are hidden as the token says", async () => {
  await open(plain(token()), {}, async (page) => {
    const frame = await shown(page);
    assert.equal(await frame.textContent("h1"), "Weather in two cities");
    assert.ok(await frame.isVisible("h1"));
    assert.ok(await frame.isVisible(".description"));
  });
  await open(plain(token({ ui: { hide_header: true, hide_controls: true } }), "?location=Seattle"), {}, async (page) => {
    const frame = await shown(page);
    assert.equal(await frame.locator(".visually-hidden > h1").count(), 1, "only for those who can't see");
    assert.ok(await frame.isHidden("#filters"));
    assert.equal(await value(frame, "days"), 1461);
    await accessible(frame);
  });
});

test("a value that is required is asked for, or said to be missing where filters are hidden", async () => {
  const claims = { required_params: ["location"] };
  await open(plain(token(claims)), {}, async (page) => {
    const frame = await shown(page);
    assert.match(await frame.textContent('[data-filter="location"]'), /Choose a value/);
    await choose(frame, "Seattle");
    await becomes(frame, "days", 1461);
  });
  await open(
    plain(token({ ...claims, ui: { hide_controls: true } })),
    {},
    async (page) => {
      const frame = await frameOf(page);
      await frame.waitForSelector("#notice:not([hidden])");
    },
    ["400"],
  );
});

test("reload, back and forward find the view as it was", () =>
  open(`${plain(token())}<a href="/other">On</a>`, {}, async (page) => {
    host.page("/other", "<p>Other</p>");
    let frame = await shown(page);
    const entries = await page.evaluate(() => history.length);
    await choose(frame, "Seattle");
    await becomes(frame, "days", 1461);
    assert.equal(await page.evaluate(() => history.length), entries, "filters are no steps back");
    await Promise.all([page.waitForEvent("framenavigated"), frame.evaluate(() => location.reload())]);
    frame = await shown(page);
    await becomes(frame, "days", 1461);
    assert.ok(frame.url().startsWith(`${edge}/embed/d/self`));
    await page.click("a");
    await page.waitForSelector("text=Other");
    await page.goBack();
    frame = await shown(page);
    await becomes(frame, "days", 1461);
    await page.goForward();
    await page.waitForSelector("text=Other");
    await page.goBack();
    await page.reload();
    await shown(page);
  }));

test("the example's product page shows its dashboard", async () => {
  const port = String(await freePort());
  const example = spawn(process.execPath, [join(import.meta.dirname, "../../examples/embed/server.mjs")], {
    env: {
      POSTERN_URL: edge,
      POSTERN_EMBED_KEY: env("EMBED_KEY"),
      POSTERN_EMBED_KID: env("EMBED_KID"),
      POSTERN_DASHBOARD: env("DASHBOARD_ID"),
      POSTERN_GENERATION: String(generation),
      PORT: port,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [address] = await once(example.stdout, "data");
  const origin = String(address).trim();
  try {
    await visit(browser, origin, { hosts: [origin] }, async (page) => {
      const frame = await shown(page);
      assert.equal(await value(frame, "days"), 2922);
      assert.equal(await frame.locator(".visually-hidden > h1").count(), 1);
      await height(page, frame);
    });
  } finally {
    example.kill();
  }
});
