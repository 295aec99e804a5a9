// The page of a data product, against the real Worker and control plane.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { accessible, env, launch, screenshot, visit } from "./page.mjs";

const path = `/share/${env("PRODUCT_TOKEN")}`;
const LARGE = Number(env("LARGE_ROWS"));
let browser;

before(async () => {
  await mkdir(env("SCREENSHOTS"), { recursive: true });
  browser = await launch();
});
after(() => browser.close());

/** Waits until all rows in sight are there. */
async function drawn(page) {
  await page.waitForSelector('main[data-state="ready"]');
  await page.waitForFunction(
    () => document.querySelector(".grid-table tbody tr") && !document.querySelector(".grid-wait"),
  );
}

const cells = (page, column) =>
  page.$$eval(".grid-table tbody tr", (rows, at) => rows.map((row) => row.cells[at].textContent), column);

test("a stranger sees the table, with its types", () =>
  visit(browser, path, {}, async (page) => {
    await drawn(page);
    assert.equal(await page.textContent("h1"), "Birds struck by aircraft");
    assert.equal(await page.textContent("#count"), "10,000 rows");
    assert.equal(await page.getAttribute(".grid-table", "aria-rowcount"), "10001");
    const types = await page.$$eval(".grid-type", (all) => all.map((type) => type.textContent));
    assert.ok(types.includes("date") && types.includes("integer") && types.includes("text"), types.join());
    assert.ok((await page.locator(".grid-table tbody tr").count()) < 60, "only rows in sight are in the page");
    await accessible(page);
    await screenshot(page, "product-desktop");
  }));

test("columns sort up, down, and back", () =>
  visit(browser, path, {}, async (page) => {
    await drawn(page);
    const button = page.locator('button[data-column="Speed IAS in knots"]');
    const at = await page.$$eval(".grid-table th", (heads) =>
      heads.findIndex((head) => head.querySelector('[data-column="Speed IAS in knots"]')),
    );
    for (const [direction, sign] of [["ascending", 1], ["descending", -1]]) {
      await button.click();
      await page.waitForSelector(`th[aria-sort="${direction}"]`);
      await drawn(page);
      const speeds = (await cells(page, at)).filter((text) => text !== "–").map((text) => Number(text.replaceAll(",", "")));
      assert.deepEqual(speeds, [...speeds].sort((a, b) => sign * (a - b)));
    }
    await button.click();
    await page.waitForFunction(() => !document.querySelector("[aria-sort]"));
  }));

test("a search finds rows, and says when there is none", () =>
  visit(browser, path, {}, async (page) => {
    await drawn(page);
    await page.fill("#search", "STARLING");
    await page.waitForFunction(() => /found/.test(document.querySelector("#count").textContent));
    await drawn(page);
    await screenshot(page, "product-search");
    await page.fill("#search", "no such bird at all");
    await page.waitForFunction(() => document.querySelector("#count").textContent === "No row has that");
    await page.waitForSelector(".grid-empty:not([hidden])");
    await accessible(page);
    await page.fill("#search", "");
    await drawn(page);
    assert.equal(await page.textContent("#count"), "10,000 rows");
  }));

test("values are shown as exactly as they are kept", async () => {
  const call = async (method, path, type, body) => {
    const headers = { authorization: `Bearer ${env("API_KEY")}`, "content-type": type };
    const answer = await fetch(`${env("CONTROL_URL")}${path}`, { method, headers, body });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  };
  const { id } = await call("POST", "/api/v1/data-products", "application/json", JSON.stringify({ name: "Of Arrow" }));
  const file = await readFile(new URL("../../control/src/product/parquet/tests/written/pyarrow.parquet", import.meta.url));
  await call("PUT", `/api/v1/data-products/${id}/file`, "application/vnd.apache.parquet", file);
  const { share } = await call("POST", `/v1/data-products/${id}/share`, "application/json", "{}");
  await visit(browser, `/share/${share.token}`, { viewport: { width: 6_000, height: 800 } }, async (page) => {
    await drawn(page);
    const column = async (title) =>
      cells(page, await page.$$eval(".grid-table th", (heads, title) => heads.findIndex((head) => head.textContent.startsWith(title)), title));
    assert.deepEqual(await column("Int64"), ["-9223372036854775808", "9223372036854775807", "–"]);
    assert.deepEqual(await column("Ids"), ["[4611686018427387905]", "[]", "–"]);
    assert.deepEqual(await column("Double"), ["-1.5", "–", "–"]);
    assert.deepEqual(await column("Micros"), ["29 Feb 2024, 23:59:59.25", "31 Dec 1969, 23:59:59", "–"]);
    assert.deepEqual(await column("Before"), ["31 Dec 1969, 23:59:59.999999", "31 Dec 1969, 23:59:58.999999", "–"]);
    assert.deepEqual(await column("Bounds"), ["31 Dec 9999, 23:59:59", "1 Jan 1, 00:00:00", "–"]);
    const cut = await page.$$eval(".grid-table td", (all) =>
      all.filter((td) => td.textContent.length < 32 && td.scrollWidth > td.clientWidth).map((td) => td.textContent),
    );
    assert.deepEqual(cut, [], "numbers and times are not cut");
    await screenshot(page, "product-values");
  });
});

test("a large table is scrolled to its end", () =>
  visit(browser, `/share/${env("LARGE_TOKEN")}`, {}, async (page) => {
    await drawn(page);
    assert.equal((await cells(page, 0))[0], "0");
    const begun = Date.now();
    await page.evaluate(() => {
      const box = document.querySelector(".grid-scroll");
      box.scrollTop = box.scrollHeight;
    });
    const last = new Intl.NumberFormat("en-GB").format(LARGE - 1);
    await page.waitForFunction(
      (text) => [...document.querySelectorAll(".grid-table tbody tr")].at(-1)?.cells[0].textContent === text,
      last,
    );
    console.log(`the last of ${LARGE} rows after ${Date.now() - begun} ms`);
    const bottom = await page.evaluate(() => {
      const row = [...document.querySelectorAll(".grid-table tbody tr")].at(-1).getBoundingClientRect();
      return document.querySelector(".grid-scroll").getBoundingClientRect().bottom - row.bottom;
    });
    assert.ok(bottom > -2 && bottom < 40, `the last row is in sight: ${bottom}`);
    await page.focus(".grid-scroll");
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.querySelector(".grid-table tbody tr")?.cells[0].textContent === "0");
  }));

test("a file is downloaded", () =>
  visit(browser, path, {}, async (page) => {
    await drawn(page);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#downloads a >> nth=0")]);
    assert.equal(download.suggestedFilename(), "birds-struck-by-aircraft.csv");
    assert.equal(await download.failure(), null);
  }));

test("a phone in the dark has the same, and nothing sticks out", () =>
  visit(browser, path, { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true }, async (page) => {
    await drawn(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0);
    await accessible(page);
    await screenshot(page, "product-phone-dark");
  }));

test("words and a way back when the rows are out of reach", () =>
  visit(
    browser,
    path,
    {},
    async (page) => {
      await drawn(page);
      let broken = true;
      await page.route("**/data?*", (route) =>
        broken
          ? route.fulfill({
              status: 503,
              headers: { "retry-after": "60" },
              json: { error: "The service is not available right now.", error_code: "SERVICE_UNAVAILABLE", request_id: "r" },
            })
          : route.continue(),
      );
      await page.click('button[data-column="Flight Date"]');
      await page.waitForSelector('main[data-state="error"]');
      assert.match(await page.textContent("#notice"), /not available/);
      broken = false;
      await page.click('[data-action="retry"]');
      await drawn(page);
    },
    ["503"],
  ));

test("a link that dies while it is open becomes the not-found page", () =>
  visit(
    browser,
    `/share/${env("DOOMED_TOKEN")}`,
    {},
    async (page) => {
      await drawn(page);
      const revoked = await fetch(`${env("CONTROL_URL")}/v1/data-products/${env("DOOMED_ID")}/share`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${env("API_KEY")}` },
      });
      assert.equal(revoked.status, 200);
      await page.fill("#search", "o");
      await page.waitForFunction(() => document.title === "This link doesn’t open anything");
      await accessible(page);
    },
    ["401", "404"],
  ));
