// A browser page that fails its test on whatever a visitor should never meet: a script error, a breach of
// the content security policy, a request to another host.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
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

function program() {
  return {
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
  };
}

export function launch() {
  return chromium.launch(program());
}

/** A browser that keeps cookies and storage from other sites' frames, as one of its settings. */
export async function launchWithoutThirdParties() {
  const folder = await mkdtemp(join(tmpdir(), "postern-browser-"));
  let profiles = 0;
  return {
    async newContext(options) {
      const profile = join(folder, String((profiles += 1)));
      await mkdir(join(profile, "Default"), { recursive: true });
      await writeFile(join(profile, "Default/Preferences"), JSON.stringify({ profile: { cookie_controls_mode: 1 } }));
      return chromium.launchPersistentContext(profile, { ...program(), ...options });
    },
    close: () => rm(folder, { recursive: true }),
  };
}

/**
 * Opens `path` in a fresh profile and calls `visit` with the page; `expected` are console errors that belong to it.
 * The path may be an address of one of the `hosts` among the options, which the page may ask too.
 */
export async function visit(browser, path, { hosts = [], ...options }, visit, expected = []) {
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
    if (![env("EDGE_URL"), ...hosts, "data:", "blob:"].some((known) => url.startsWith(known))) faults.push(`asks ${url}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(event.violatedDirective));
  });
  try {
    await page.goto(new URL(path, env("EDGE_URL")).href);
    await visit(page);
    for (const frame of page.frames()) {
      const violations = await frame.evaluate(() => globalThis.violations ?? []);
      faults.push(...violations.map((directive) => `violates ${directive}`));
    }
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
