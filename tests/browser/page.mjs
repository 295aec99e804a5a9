// A browser page that fails its test on whatever a visitor should never meet: a script error, a breach of
// the content security policy, a request to another host.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Names a needed variable of the environment. */
export function env(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set`);
  return value;
}

export function launch() {
  return chromium.launch({
    executablePath: env("CHROMIUM_BIN"),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Opens `path` in a fresh profile and calls `visit` with the page; `expected` are console errors that belong to it. */
export async function visit(browser, path, options, visit, expected = []) {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "UTC", ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !expected.some((part) => text.includes(part))) faults.push(`console: ${text}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(env("EDGE_URL")) && !url.startsWith("data:") && !url.startsWith("blob:")) faults.push(`asks ${url}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(event.violatedDirective));
  });
  try {
    await page.goto(env("EDGE_URL") + path);
    await visit(page);
    faults.push(...(await page.evaluate(() => globalThis.violations)).map((directive) => `violates ${directive}`));
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
  }
}

/** Waits until the figures stand still. */
export async function settled(page) {
  await page.waitForSelector('main[data-state="ready"]');
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'));
}

/** The raw value of a number. */
export async function value(page, panel) {
  return Number(await page.getAttribute(`[data-panel="${panel}"] [data-value]`, "data-value"));
}

/** Waits until a number is what it should be. */
export async function becomes(page, panel, expected) {
  await page.waitForSelector(`[data-panel="${panel}"] [data-value="${expected}"]`);
}

export function screenshot(page, name) {
  return page.screenshot({ path: join(env("SCREENSHOTS"), `${name}.png`), fullPage: true });
}

/** Fails on anything that axe finds, in words. */
export async function accessible(page) {
  // Injected by the test's own channel: the page's policy would refuse it as a script.
  await page.evaluate(await readFile(axe, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`), []);
}
