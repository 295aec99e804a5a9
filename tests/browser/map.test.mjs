// The page of maps, with the demo's: real geography, vector and raster.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import sharp from "sharp";
import { accessible, env, launch, screenshot, settled, visit } from "./page.mjs";

const PASSWORD = env("MAP_PASSWORD");
const item = `/share/${env("ITEM_TOKEN")}`;
const collection = `/share/${env("COLLECTION_TOKEN")}`;
/** Colours that maps are drawn with: the page's own, and those of the demo's pictures. */
const LAND = [0xf4, 0xf1, 0xe8];
const SEA = [0xdc, 0xeb, 0xf5];
const DRAWN_SEA = [0xbc, 0xd9, 0xea];
const POINT = [0x1b, 0x62, 0xab];
const BUSY = { error: "Not now.", status: 503 };
let browser;

before(async () => {
  await mkdir(env("SCREENSHOTS"), { recursive: true });
  browser = await launch();
});
after(() => browser.close());

async function unlocked(page) {
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".map-page");
}

async function opened(page) {
  await unlocked(page);
  await settled(page);
}

/** The part of the map that has a colour, between 0 and 1. */
async function share(page, color) {
  const picture = await page.locator("#map canvas.maplibregl-canvas").screenshot();
  const { data, info } = await sharp(picture).raw().toBuffer({ resolveWithObject: true });
  let found = 0;
  for (let at = 0; at < data.length; at += info.channels) {
    if (color.every((value, channel) => Math.abs(data[at + channel] - value) <= 3)) found += 1;
  }
  return found / (info.width * info.height);
}

async function shows(page, color, least) {
  const part = await share(page, color);
  assert.ok(part >= least, `${color.join()} is ${part} of the map`);
}

/** The ticket that an address holds. */
function ticketIn(address) {
  return /\/tiles\/([^/]+)\//.exec(address)[1];
}

/** A link of this test alone. */
async function link(more = {}) {
  const made = await fetch(`${env("CONTROL_URL")}/v1/share/link/create`, {
    method: "POST",
    headers: { authorization: `Bearer ${env("API_KEY")}`, "content-type": "application/json" },
    body: JSON.stringify({
      target_type: "item",
      target_id: env("ITEM_ID"),
      password: PASSWORD,
      expires_at: new Date(Date.now() + 86_400_000).toISOString(),
      ...more,
    }),
  });
  assert.equal(made.status, 200);
  return made.json();
}

test("whoever knows the password sees countries, and what is known of them", () =>
  visit(browser, item, {}, async (page) => {
    assert.ok(!(await page.content()).includes("Countries"), "the page before tells nothing");
    await opened(page);
    assert.equal(await page.textContent("h1"), "Countries");
    await shows(page, SEA, 0.3);
    await shows(page, LAND, 0.1);
    assert.match(await page.textContent(".maplibregl-ctrl-attrib"), /Natural Earth/);
    await screenshot(page, "map-desktop");
    const { width, height } = page.viewportSize();
    // Somewhere in the middle of Africa, whatever the window.
    await page.locator("#map canvas").click({ position: { x: width * 0.53, y: height * 0.45 } });
    await page.waitForSelector(".map-details");
    assert.match(await page.textContent(".map-details"), /^name\S+/);
    await accessible(page);
    await screenshot(page, "map-details");
  }));

test("another appearance of the same place is pictures", () =>
  visit(browser, item, {}, async (page) => {
    await opened(page);
    await page.selectOption('select[name^="profile-"]', "drawn");
    await page.waitForFunction(() => document.querySelector("#live").textContent === "Countries, drawn");
    await settled(page);
    await shows(page, DRAWN_SEA, 0.3);
    await accessible(page);
    await screenshot(page, "map-drawn");
  }));

test("a collection's maps are chosen by their names", () =>
  visit(browser, collection, {}, async (page) => {
    await opened(page);
    assert.equal(await page.textContent("h1"), "Pilot's charts");
    await page.focus('select[name="item"]');
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction(() => document.querySelector("#live").textContent === "Airports, places");
    await settled(page);
    assert.equal(await page.locator('select[name^="profile-"]:visible').count(), 0, "it has one appearance");
    await shows(page, POINT, 0.01);
    await accessible(page);
    await screenshot(page, "map-collection");
  }));

test("a phone in the dark has the same, and nothing sticks out", () =>
  visit(browser, collection, { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true }, async (page) => {
    await opened(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0);
    await shows(page, [0x10, 0x20, 0x2e], 0.2);
    await accessible(page);
    await screenshot(page, "map-phone-dark");
  }));

test("the archive is taken away where the link permits it, and nowhere else", async () => {
  await visit(browser, item, {}, async (page) => {
    await opened(page);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#take a")]);
    assert.equal(download.suggestedFilename(), "countries-shapes.pmtiles");
    assert.equal(await download.failure(), null);
  });
  const { token } = await link();
  await visit(browser, `/share/${token}`, {}, async (page) => {
    await opened(page);
    assert.equal(await page.locator("#take a").count(), 0);
  });
});

test("a map that was left open all day goes on when its tab wakes", () =>
  visit(browser, item, {}, async (page) => {
    await page.clock.install();
    await opened(page);
    const [first] = await Promise.all([
      page.waitForResponse("**/v1/share/tilejson"),
      page.selectOption('select[name^="profile-"]', "drawn"),
    ]);
    const over = ticketIn((await first.json()).tiles[0]);
    await settled(page);
    const taken = await page.getAttribute("#take a", "href");
    // The grant ended long ago, and with it the ticket: the cookie that renews is all that is left.
    const context = page.context();
    const grants = (await context.cookies()).filter(({ name }) => name.startsWith("__Host-postern-"));
    assert.equal(grants.length, 1);
    await context.clearCookies({ name: grants[0].name });
    await page.route(`**/tiles/${over}/**`, (route) => route.fulfill({ status: 404, json: { status: 404 } }));
    await page.clock.pauseAt(Date.now() + 10 * 3600 * 1000);
    await page.clock.resume();
    // The archive's address stays as it is until the page has other tickets: requests may be over before they are looked for.
    await page.waitForSelector(`#take a:not([href="${taken}"])`);
    const [tile] = await Promise.all([
      page.waitForRequest(/\/v1\/share\/tiles\//),
      page.click(".maplibregl-ctrl-zoom-in"),
    ]);
    assert.notEqual(ticketIn(tile.url()), over);
    await settled(page);
    await shows(page, DRAWN_SEA, 0.2);
  }));

test("words and a way back when tiles are out of reach", () =>
  visit(
    browser,
    item,
    {},
    async (page) => {
      let broken = true;
      await page.route("**/v1/share/tiles/**", (route) => (broken ? route.fulfill({ status: 503, json: BUSY }) : route.continue()));
      await unlocked(page);
      await page.waitForSelector('main[data-state="error"]');
      assert.match(await page.textContent("#notice"), /can’t be loaded right now/);
      await accessible(page);
      await screenshot(page, "map-broken");
      broken = false;
      await page.click('[data-action="retry"]');
      await settled(page);
      await shows(page, LAND, 0.1);
      assert.equal(await page.isVisible("#notice"), false);
    },
    ["503"],
  ));

test("words when the map has no tiles left today", async () => {
  const { token } = await link({ tile_budget: 1 });
  await visit(
    browser,
    `/share/${token}`,
    {},
    async (page) => {
      await unlocked(page);
      await page.waitForFunction(async () => {
        document.querySelector(".maplibregl-ctrl-zoom-in")?.click();
        return /looked at very often today/.test(document.querySelector("#notice")?.textContent ?? "");
      });
    },
    ["429"],
  );
});

test("a link that is revoked while it is open becomes the not-found page", async () => {
  const { token, id } = await link();
  await visit(
    browser,
    `/share/${token}`,
    {},
    async (page) => {
      await opened(page);
      const revoked = await fetch(`${env("CONTROL_URL")}/v1/share/link/revoke`, {
        method: "POST",
        headers: { authorization: `Bearer ${env("API_KEY")}`, "content-type": "application/json" },
        body: JSON.stringify({ link_id: id }),
      });
      assert.equal(revoked.status, 200);
      await page.waitForFunction(() => {
        document.querySelector(".maplibregl-ctrl-zoom-in")?.click();
        return document.title === "This link doesn’t open anything";
      });
      await accessible(page);
    },
    ["404"],
  );
});
