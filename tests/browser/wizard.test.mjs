// The wizard for embeds, against the real control plane and the real Worker.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startHost } from "./host.mjs";
import { accessible, becomes, env, launch, screenshot, settled, value, visit } from "./page.mjs";

const control = env("CONTROL_URL");
let browser;

before(async () => {
  await mkdir(env("SCREENSHOTS"), { recursive: true });
  browser = await launch();
});
after(() => browser.close());

/** Opens the wizard. */
function wizard(options, see, expected) {
  return visit(browser, `${control}/wizard/`, { hosts: [control], ...options }, see, expected);
}

/** Opens the wizard and chooses the dashboard. */
function chosen(options, see, expected) {
  return wizard(
    options,
    async (page) => {
      await page.fill("#key", env("API_KEY"));
      await page.press("#key", "Enter");
      await page.selectOption("#dashboard", env("DASHBOARD_ID"));
      await page.waitForSelector("#parameter-location");
      await see(page);
    },
    expected,
  );
}

/** The frame of the preview, once its figures stand. */
async function preview(page) {
  const frame = await (await page.waitForSelector("#preview-place iframe")).contentFrame();
  await settled(frame);
  return frame;
}

/** The preview after the one that stands. */
async function nextPreview(page, change) {
  const old = await page.waitForSelector("#preview-place iframe");
  await change();
  await page.waitForFunction((old) => !old.isConnected, old);
  return preview(page);
}

/** Of the whole page: what of a frame is out of sight is not painted. */
async function picture(page, name) {
  await page.setViewportSize({ width: 1280, height: 2000 });
  await page.waitForTimeout(500);
  await screenshot(page, name);
}

async function snippet(page, name) {
  return page.textContent(`pre[aria-label="${name}"]`);
}

test("a key that is none is told at its field, and a key is kept nowhere", () =>
  wizard(
    {},
    async (page) => {
      await accessible(page);
      assert.equal(await page.getAttribute("#key", "type"), "password");
      await page.fill("#key", "pk_wrong");
      await page.press("#key", "Enter");
      await page.waitForSelector("#key[aria-invalid]");
      assert.notEqual(await page.textContent("#key-problem"), "");
      await page.fill("#key", env("API_KEY"));
      await page.press("#key", "Enter");
      await page.waitForSelector("#settings:not([hidden])");
      assert.equal(await page.textContent("#key-problem"), "");
      const kept = await page.evaluate(() => [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href].join());
      assert.ok(!kept.includes(env("API_KEY")));
      await page.reload();
      assert.equal(await page.inputValue("#key"), "");
      assert.ok(await page.isHidden("#settings"));
    },
    ["401"],
  ));

test("the preview shows what viewers will see, and follows each change", () =>
  chosen({}, async (page) => {
    await page.click("#preview-button");
    let frame = await preview(page);
    assert.equal(await value(frame, "days"), 2922);
    assert.equal(await frame.locator("[data-filter]").count(), 0, "nothing is open at first");
    frame = await nextPreview(page, () => page.selectOption("#parameter-windy", "allowed"));
    assert.ok(await frame.isVisible('[data-filter="windy"]'));
    await nextPreview(page, () => page.selectOption("#parameter-location", "fixed"));
    frame = await nextPreview(page, () => page.selectOption("#parameter-location-value", { label: "Seattle" }));
    await becomes(frame, "days", 1461);
    frame = await nextPreview(page, () => page.check("#hide-header"));
    assert.equal(await frame.locator(".visually-hidden > h1").count(), 1);
    frame = await nextPreview(page, () => page.selectOption("#theme", "dark"));
    assert.equal(await frame.getAttribute("html", "data-theme"), "dark");
    await page.waitForFunction(() => document.querySelector("iframe").clientHeight > 600);
    await accessible(page);
    await picture(page, "wizard-preview");
  }));

test("the code works where it is pasted, until its token is revoked", async () => {
  const host = await startHost();
  await chosen({}, async (page) => {
    await page.fill("#origins", host.origin);
    await page.selectOption("#parameter-location", "required");
    await page.fill("#life", "600");
    await page.click('#settings button[type="submit"]');
    await page.waitForSelector("#result:not([hidden])");
    assert.ok(await page.evaluate(() => document.activeElement.id === "result-heading"));
    const [plain, custom, curl] = [await snippet(page, "Frame"), await snippet(page, "Element"), await snippet(page, "Call")];
    assert.match(curl, /"required_params":\["location"\]/);
    assert.match(curl, /"expires_in":600/);
    assert.ok(curl.includes(`${control}/api/v1/embed/dashboards/${env("DASHBOARD_ID")}`) && !curl.includes(env("API_KEY")));
    await accessible(page);
    await picture(page, "wizard");
    for (const code of [plain, custom]) {
      await visit(browser, host.page("/", code), { hosts: [host.origin] }, async (site) => {
        const frame = await (await site.waitForSelector("iframe")).contentFrame();
        await settled(frame);
        await frame.selectOption('[data-filter="location"] select', { label: "Seattle" });
        await becomes(frame, "days", 1461);
      });
    }
    const token = plain.match(/\/embed\/d\/([^"?]+)/)[1];
    const info = () => fetch(`${env("EDGE_URL")}/api/embed/d/self/info`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await info()).status, 200);
    await page.click("#revoke");
    await page.waitForFunction(() => document.querySelector("#revoke").textContent === "Revoked");
    assert.equal((await info()).status, 401);
  });
  await host.close();
});

test("both ends of a period go together", () =>
  chosen({}, async (page) => {
    const end = () => page.inputValue("#parameter-period_end");
    await page.selectOption("#parameter-period_start", "required");
    assert.equal(await end(), "allowed");
    await page.selectOption("#parameter-period_start", "fixed");
    assert.equal(await end(), "closed");
    await page.selectOption("#parameter-period_end", "fixed");
    await page.selectOption("#parameter-period_start", "allowed");
    assert.equal(await end(), "allowed");
    assert.ok(await page.isHidden("#parameter-period_end-value"));
    await page.selectOption("#parameter-period_end", "closed");
    assert.equal(await page.inputValue("#parameter-period_start"), "closed");
  }));

test("what is wrong is told at its field", () =>
  chosen(
    { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true },
    async (page) => {
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
      await page.fill("#origins", "https://app.example.com\nnonsense");
      await page.fill("#life", "5");
      await page.click('#settings button[type="submit"]');
      await page.waitForSelector("#origins[aria-invalid]");
      assert.match(await page.textContent("#origins-problem"), /Line 2/);
      // The interface may name one fault at a time.
      await page.fill("#origins", "");
      await page.click('#settings button[type="submit"]');
      await page.waitForSelector("body:has(#origins:not([aria-invalid])) #life[aria-invalid]:focus");
      await accessible(page);
      await screenshot(page, "wizard-phone-dark");
    },
    ["422"],
  ));
