// The share page of the demo dashboard, against the real Worker and control plane.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { accessible, becomes, env, launch, screenshot, settled, value, visit } from "./page.mjs";

const path = `/share/${env("SHARE_TOKEN")}`;
let browser;

before(async () => {
  await mkdir(env("SCREENSHOTS"), { recursive: true });
  browser = await launch();
});
after(() => browser.close());

test("a stranger opens the link and sees the figures", () =>
  visit(browser, path, {}, async (page) => {
    await settled(page);
    assert.equal(await page.textContent("h1"), "Weather in two cities");
    assert.equal(await value(page, "days"), 2922);
    for (const kind of ["line", "bar", "table"]) {
      assert.ok(await page.isVisible(`[data-panel-kind="${kind}"]`), kind);
    }
    const notDrawn = await page.evaluate(() =>
      [...document.querySelectorAll("canvas")].filter((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return !data.some((byte) => byte !== 0);
      }).length,
    );
    assert.equal(notDrawn, 0, "every chart is drawn");
    await accessible(page);
    await screenshot(page, "share-desktop");
  }));

test("a filter changes the numbers, the address keeps it, reset undoes it", () =>
  visit(browser, path, {}, async (page) => {
    await settled(page);
    await page.selectOption('[data-filter="location"] select', { label: "Seattle" });
    await becomes(page, "days", 1461);
    assert.equal(new URL(page.url()).search, "?location=Seattle");
    await page.reload();
    await becomes(page, "days", 1461);
    await page.click('[data-action="reset"]');
    await becomes(page, "days", 2922);
    assert.equal(new URL(page.url()).search, "");
  }));

test("options of a filter are searched and chosen by keyboard", () =>
  visit(browser, path, {}, async (page) => {
    await settled(page);
    const field = page.locator('[data-filter="weather"] [role="combobox"]');
    await field.fill("sn");
    await page.waitForFunction(() => document.querySelectorAll('[data-filter="weather"] [role="option"]').length === 1);
    await field.press("ArrowDown");
    await field.press("Enter");
    await page.waitForSelector('[data-filter="weather"] .chip');
    await page.waitForFunction(() => Number(document.querySelector('[data-panel="days"] [data-value]').dataset.value) < 2922);
    await accessible(page);
  }));

test("a default can be cleared", () =>
  visit(browser, path, {}, async (page) => {
    await settled(page);
    const inputs = page.locator('[data-filter="period"] input[type="date"]');
    await inputs.nth(0).fill("2015-12-01");
    await becomes(page, "days", 62);
    await inputs.nth(0).fill("");
    await inputs.nth(1).fill("");
    await becomes(page, "days", 2922);
  }));

test("what a share locks is shown, what it allows is offered, what it hides is not there", () =>
  visit(browser, `/share/${env("NARROWED_TOKEN")}`, {}, async (page) => {
    await settled(page);
    const locked = page.locator('[data-filter="location"]');
    assert.match(await locked.textContent(), /Seattle/);
    assert.equal(await locked.locator("input, select, button").count(), 0);
    for (const gone of ["windy", "rainy"]) assert.equal(await page.locator(`[data-filter="${gone}"]`).count(), 0);
    const before = await value(page, "days");
    assert.ok(before > 0 && before < 1461);
    await page.locator('[data-filter="weather"] [role="combobox"]').click();
    const options = page.locator('[data-filter="weather"] [role="option"]');
    await options.first().waitFor();
    assert.deepEqual(await options.allTextContents(), ["rain", "snow"]);
    await options.nth(1).click();
    await page.waitForFunction((days) => Number(document.querySelector('[data-panel="days"] [data-value]').dataset.value) < days, before);
    await accessible(page);
    await screenshot(page, "share-narrowed");
  }));

test("each chart is there as a table too", () =>
  visit(browser, path, {}, async (page) => {
    await settled(page);
    const charts = page.locator('[data-panel]:has(canvas)');
    const count = await charts.count();
    assert.ok(count >= 3);
    for (let at = 0; at < count; at += 1) {
      const card = page.locator("[data-panel]:has(.card-toggle)").nth(at);
      await card.locator(".card-toggle").click();
      assert.ok((await card.locator("tbody tr").count()) > 0);
    }
    await accessible(page);
  }));

test("a phone in the dark has the same, and nothing sticks out", () =>
  visit(browser, path, { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true }, async (page) => {
    await settled(page);
    assert.equal(await value(page, "days"), 2922);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0);
    await accessible(page);
    await screenshot(page, "share-phone-dark");
  }));

test("words and a way back when the data is out of reach", () =>
  visit(
    browser,
    path,
    {},
    async (page) => {
      await settled(page);
      // The answer that the Worker gives while the control plane is away.
      let broken = true;
      await page.route("**/execute", (route) =>
        broken
          ? route.fulfill({
              status: 503,
              headers: { "retry-after": "60" },
              json: { error: "The service is not available right now.", error_code: "SERVICE_UNAVAILABLE", request_id: "r" },
            })
          : route.continue(),
      );
      await page.selectOption('[data-filter="location"] select', { label: "Seattle" });
      await page.waitForSelector('main[data-state="error"]');
      assert.match(await page.textContent("#notice"), /not available/);
      broken = false;
      await page.click('[data-action="retry"]');
      await becomes(page, "days", 1461);
    },
    ["503"],
  ));

test("a link that dies while it is open becomes the not-found page", () =>
  visit(
    browser,
    `/share/${env("DOOMED_TOKEN")}`,
    {},
    async (page) => {
      await settled(page);
      const revoked = await fetch(`${env("CONTROL_URL")}/api/v1/dashboard-shares/${env("DOOMED_ID")}`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${env("API_KEY")}` },
      });
      assert.equal(revoked.status, 200);
      await page.selectOption('[data-filter="location"] select', { label: "Seattle" });
      await page.waitForFunction(() => document.title === "This link doesn’t open anything");
      await accessible(page);
      await screenshot(page, "not-found");
    },
    ["401", "404"],
  ));
