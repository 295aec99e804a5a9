// Links that ask something before they open, against the real Worker and control plane.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { accessible, becomes, env, launch, screenshot, settled, value, visit } from "./page.mjs";

const locked = `/share/${env("LOCKED_TOKEN")}`;
let browser;

before(async () => {
  await mkdir(env("SCREENSHOTS"), { recursive: true });
  browser = await launch();
});
after(() => browser.close());

async function type(page, password) {
  await page.fill("#password", password);
  await page.click('button[type="submit"]');
}

test("the right password shows the dashboard, and a reload keeps it", () =>
  visit(browser, `${locked}?location=Seattle`, {}, async (page) => {
    assert.equal(await page.title(), "This link needs a password");
    assert.ok(await page.evaluate(() => document.activeElement?.id === "password"), "the field has the focus");
    assert.equal(await page.getAttribute("#password", "autocomplete"), "current-password");
    await accessible(page);
    await screenshot(page, "unlock");
    await type(page, env("LOCKED_PASSWORD"));
    await becomes(page, "days", 1461);
    assert.equal(new URL(page.url()).search, "?location=Seattle", "the address is kept");
    await page.reload();
    await becomes(page, "days", 1461);
    const kept = await page.evaluate(() => [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href].join());
    assert.ok(!kept.includes("eyJ") && !kept.includes(env("LOCKED_PASSWORD")), "no script can read the grant");
  }));

test("a wrong password is said in words, and another try is one keystroke away", () =>
  visit(
    browser,
    locked,
    {},
    async (page) => {
      await type(page, "guess");
      await page.waitForFunction(() => document.querySelector("#problem").textContent !== "");
      assert.match(await page.textContent("#problem"), /not the password/);
      assert.equal(await page.getAttribute("#password", "aria-invalid"), "true");
      await accessible(page);
      await screenshot(page, "unlock-wrong");
      await page.keyboard.type("x".repeat(129));
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.querySelector("#problem").textContent.includes("128"));
      await page.check("#show");
      assert.equal(await page.getAttribute("#password", "type"), "text");
    },
    ["401", "422"],
  ));

test("by keyboard alone, on a phone, in the dark", () =>
  visit(browser, locked, { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true }, async (page) => {
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0);
    await accessible(page);
    await screenshot(page, "unlock-phone-dark");
    await page.keyboard.type(env("LOCKED_PASSWORD"));
    await page.keyboard.press("Enter");
    await settled(page);
    assert.equal(await value(page, "days"), 2922);
  }));

test("too many tries are told how long to wait", () =>
  visit(
    browser,
    locked,
    {},
    async (page) => {
      await page.route("**/unlock", (route) =>
        route.fulfill({
          status: 429,
          headers: { "retry-after": "840" },
          json: { error: "Too many requests.", error_code: "RATE_LIMITED", request_id: "r" },
        }),
      );
      await type(page, "guess");
      await page.waitForFunction(() => document.querySelector("#problem").textContent.includes("14 minutes"));
    },
    ["429"],
  ));

test("when the owner changes the password, an open page asks for the new one and comes back to where it was", () =>
  visit(
    browser,
    `/share/${env("CHANGING_TOKEN")}`,
    {},
    async (page) => {
      await type(page, env("LOCKED_PASSWORD"));
      await settled(page);
      const changed = await fetch(`${env("CONTROL_URL")}/api/v1/dashboard-shares/${env("CHANGING_ID")}/password`, {
        method: "PUT",
        headers: { authorization: `Bearer ${env("API_KEY")}`, "content-type": "application/json" },
        body: JSON.stringify({ password: "second" }),
      });
      assert.equal(changed.status, 200);
      await page.selectOption('[data-filter="location"] select', { label: "Seattle" });
      await page.waitForSelector("#password");
      await type(page, "second");
      await becomes(page, "days", 1461);
    },
    ["401"],
  ));

test("a counted link opens on purpose, once, and is then dead for others", async () => {
  const path = `/share/${env("COUNTED_TOKEN")}`;
  await visit(browser, path, {}, async (page) => {
    assert.equal(await page.title(), "Open this link?");
    await accessible(page);
    await screenshot(page, "unlock-counted");
    await page.click('button[type="submit"]');
    await settled(page);
    assert.equal(await value(page, "days"), 2922);
    await page.reload();
    await settled(page);
  });
  await visit(browser, path, {}, async (page) => assert.match(await page.title(), /doesn’t open/), ["404"]);
});
