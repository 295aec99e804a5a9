// The e-mail portal, against the real Worker and control plane, and a mail server that keeps what it gets.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { codeFor, mailsTo } from "./mail.mjs";
import { accessible, becomes, env, launch, screenshot, settled, value, visit } from "./page.mjs";

const portal = `/portal/${env("COMPANY_SLUG")}`;
/** Whoever comes anew has no session to go on with, which the browser notes. */
const anew = ["401"];
let browser;
let customers;
let board;
let empty;
let invited = 0;
let visitors = 0;
/** The link of a share that is bound to a context. */
let link;

before(async () => {
  await mkdir(env("SCREENSHOTS"), { recursive: true });
  browser = await launch();
  customers = await manage("POST", "share-contexts", { name: "External customers", description: "Who buys" });
  board = await manage("POST", "share-contexts", { name: "Board" });
  empty = await manage("POST", "share-contexts", { name: "Suppliers" });
  for (const context of [customers, board]) {
    const share = { name: "Portal", share_type: "link", share_context_id: context.id };
    ({ url: link } = await manage("POST", `dashboards/${env("DASHBOARD_ID")}/shares`, share));
  }
});
after(() => browser.close());

async function manage(method, path, body) {
  const response = await fetch(`${env("CONTROL_URL")}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${env("API_KEY")}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}

/** Invites somebody new into these contexts. */
async function invite(...contexts) {
  const email = `person${(invited += 1)}.${process.pid}@example.com`;
  const removals = [];
  for (const { id } of contexts) {
    const member = await manage("POST", `share-contexts/${id}/members`, { member_type: "external_email", email });
    removals.push(() => manage("DELETE", `share-contexts/${id}/members/${member.id}`));
  }
  return { email, removals };
}

/** A first visit of the portal, from a network of its own: only so many codes may be asked for from one. */
function come(options, see, { path = portal, expected = [] } = {}) {
  const extraHTTPHeaders = { "cf-connecting-ip": `192.0.2.${(visitors += 1)}` };
  return visit(browser, path, { extraHTTPHeaders, ...options }, see, [...anew, ...expected]);
}

async function ask(page, email) {
  await page.waitForSelector("#ask:not([hidden])");
  await page.fill("#email", email);
  await page.press("#email", "Enter");
  await page.waitForSelector("#enter:not([hidden])");
}

async function enter(page, code) {
  await page.fill("#code", code);
  await page.press("#code", "Enter");
}

async function signIn(page, email) {
  await ask(page, email);
  await enter(page, await codeFor(email));
  await page.waitForSelector("#inside:not([hidden])");
}

async function listed(page) {
  await page.waitForSelector('main[data-state="ready"] .portal-list > *');
}

async function open(page, context) {
  await listed(page);
  await page.click(`[data-context="${context.id}"] a`);
  await settled(page);
}

async function choose(page, city) {
  await page.selectOption('[data-filter="location"] select', { label: city });
}

async function isOut(page, words) {
  await page.waitForSelector("#ask:not([hidden])");
  assert.match(await page.textContent("#door-why"), words);
  assert.ok(await page.isHidden("#inside"));
  assert.equal(await page.textContent("#panels"), "", "no figures are left");
}

function focused(page) {
  return page.evaluate(() => document.activeElement?.id);
}

/** Answers the next call of this kind as if its token had ended; gives what tells how many it has so answered. */
async function refuseNext(page, pattern) {
  let count = 0;
  const json = { error: "The token is invalid or has expired.", error_code: "TOKEN_INVALID", request_id: "r" };
  const refuse = (route) => {
    count += 1;
    return route.fulfill({ status: 401, json });
  };
  await page.route(pattern, refuse, { times: 1 });
  return () => count;
}

test("an invited person signs in by a code from the mail, looks around, and leaves", async () => {
  const { email } = await invite(customers, board);
  await come({}, async (page) => {
    await page.waitForSelector("#ask:not([hidden])");
    assert.equal(await page.title(), "Sign in");
    assert.equal(await focused(page), "email");
    assert.equal(await page.getAttribute("#email", "autocomplete"), "email");
    await accessible(page);
    await screenshot(page, "portal-email");

    await ask(page, ` ${email} `);
    assert.equal(await page.title(), "Enter the code");
    assert.equal(await focused(page), "code");
    assert.equal(await page.getAttribute("#code", "autocomplete"), "one-time-code");
    assert.equal(await page.getAttribute("#code", "inputmode"), "numeric");
    const why = await page.textContent("#door-why");
    assert.ok(why.includes(email) && why.startsWith("If ") && why.includes("ten minutes"), why);
    assert.ok(await page.isDisabled("#again"), "another code must wait");
    assert.match(await page.textContent("#again"), /Send again in \d+ s/);
    await accessible(page);
    await screenshot(page, "portal-code");

    await enter(page, await codeFor(email));
    await listed(page);
    assert.equal(await page.title(), "Shared dashboards");
    assert.equal(await focused(page), "title");
    assert.deepEqual(await page.locator(".portal-group > h2").allTextContents(), ["Board", "External customers"]);
    await accessible(page);
    await screenshot(page, "portal-list");

    await open(page, customers);
    assert.equal(await page.title(), "Weather in two cities");
    assert.equal(await page.textContent("#context"), "External customers");
    assert.equal(await value(page, "days"), 2922);
    assert.equal(await focused(page), "title");
    await choose(page, "Seattle");
    await becomes(page, "days", 1461);
    const { search, hash } = new URL(page.url());
    assert.equal(search, "?location=Seattle");
    assert.ok(hash.startsWith(`#/${customers.id}/`), hash);
    const field = page.locator('[data-filter="weather"] [role="combobox"]');
    await field.click();
    await page.locator('[data-filter="weather"] [role="option"]').first().waitFor();
    await field.press("Escape");
    await accessible(page);
    await screenshot(page, "portal-dashboard");

    await page.goBack();
    await listed(page);
    assert.equal(new URL(page.url()).search + new URL(page.url()).hash, "");
    await page.goForward();
    await becomes(page, "days", 1461);
    await page.click("#all");
    await listed(page);
    assert.equal(page.url(), new URL(portal, env("EDGE_URL")).href);

    const kept = await page.evaluate(() => [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href, JSON.stringify(history.state)].join());
    assert.equal(kept, `,{},{},${page.url()},null`, "scripts keep nothing");
    await page.click("#sign-out");
    await isOut(page, /You are signed out\./);
    await screenshot(page, "portal-signed-out");
    await page.reload();
    await isOut(page, /^Enter your e-mail/);
  });
});

test("who is not invited sees the very same, and gets no mail", async () => {
  const stranger = `stranger.${process.pid}@example.com`;
  await come({}, async (page) => {
    await ask(page, stranger);
    const why = await page.textContent("#door-why");
    assert.equal(why, `If ${stranger} is invited, a code is on its way to it. It works for ten minutes.`);
    await enter(page, "1234-5678");
    await page.waitForFunction(() => document.querySelector("#code-problem").textContent !== "");
    assert.equal(await page.textContent("#code-problem"), "That code doesn’t work. Check it, or have a new one sent.");
    assert.deepEqual(await mailsTo(stranger), []);
  });
  for (const path of ["/portal/no-such-company", link]) {
    await come(
      {},
      async (page) => {
        await page.waitForSelector("#ask:not([hidden])");
        assert.equal(
          await page.textContent("#door-why"),
          "Enter your e-mail address. If it is invited, a code to sign in with is sent to it.",
        );
        assert.equal(await page.title(), "Sign in", "nothing tells what the link opens");
        if (path === link) assert.equal(new URL(page.url()).pathname, portal);
      },
      { path },
    );
  }
});

test("mistakes are said at the field, and a code works however it is written", async () => {
  const { email } = await invite(customers);
  await come(
    {},
    async (page) => {
      await page.waitForSelector("#ask:not([hidden])");
      await enterEmail(page, "nobody");
      assert.match(await page.textContent("#email-problem"), /Enter an e-mail address/);
      assert.equal(await focused(page), "email");
      await ask(page, email);
      await enter(page, "1234");
      assert.match(await page.textContent("#code-problem"), /eight digits/);

      const code = await codeFor(email);
      const wrong = code === "0000-0000" ? "0000-0001" : "0000-0000";
      await enter(page, wrong);
      await page.waitForFunction(() => document.querySelector("#code-problem").textContent.includes("doesn’t work"));
      assert.equal(await page.inputValue("#code"), wrong);
      assert.equal(await page.getAttribute("#code", "aria-invalid"), "true");
      assert.equal(await focused(page), "code");
      await accessible(page);
      await screenshot(page, "portal-code-wrong");

      // Pasted from a mail, into what is selected.
      await page.evaluate((text) => {
        const field = document.querySelector("#code");
        field.select();
        document.execCommand("insertText", false, text);
      }, `  ${code.replace("-", " ")} `);
      assert.equal(await page.textContent("#code-problem"), "");
      await page.keyboard.press("Enter");
      await listed(page);
    },
    { expected: ["422"] },
  );
});

async function enterEmail(page, text) {
  await page.fill("#email", text);
  await page.press("#email", "Enter");
}

test("another code and another address can be asked for, and who comes back from the mail finds the form", async () => {
  const { email } = await invite(customers);
  await come(
    {},
    async (page) => {
      await page.clock.install();
      await page.reload();
      await ask(page, email);
      const first = await codeFor(email);
      await page.reload();
      await page.waitForSelector("#enter:not([hidden])");
      assert.match(await page.textContent("#door-why"), new RegExp(email));
      assert.ok(await page.isDisabled("#again"));
      await page.clock.fastForward(31_000);
      await page.waitForSelector("#again:not([disabled])");
      assert.equal(await page.textContent("#again"), "Send again");
      let asked = 0;
      // The server's own thirty seconds are not over.
      await page.route("**/share-auth/request", (route) => {
        asked += 1;
        return asked === 1
          ? route.fulfill({ status: 202, json: { status: "sent" } })
          : route.fulfill({
              status: 429,
              headers: { "retry-after": "840" },
              json: { error: "Too many requests.", error_code: "RATE_LIMITED", request_id: "r" },
            });
      });
      await page.click("#again");
      await page.waitForFunction(() => document.querySelector("#news").textContent.includes("new code"));
      assert.equal(await focused(page), "code");
      assert.ok(await page.isDisabled("#again"));
      await accessible(page);
      await screenshot(page, "portal-code-again");
      await page.clock.fastForward(31_000);
      await page.click("#again");
      await page.waitForFunction(() => document.querySelector("#code-problem").textContent.includes("14 minutes"));
      await page.click("#other");
      assert.equal(await focused(page), "email");
      assert.equal(await page.inputValue("#email"), email);
      await page.press("#email", "Enter");
      await page.waitForFunction(() => document.querySelector("#email-problem").textContent.includes("14 minutes"));
      await page.unroute("**/share-auth/request");
      await page.route("**/share-auth/request", (route) => route.fulfill({ status: 202, json: { status: "sent" } }));
      await page.press("#email", "Enter");
      await page.waitForSelector("#enter:not([hidden])");
      await enter(page, first.replace("-", ""));
      await listed(page);
    },
    { expected: ["429"] },
  );
});

test("a link into the portal is kept through signing in, a reload keeps the person, and tabs go together", async () => {
  const { email } = await invite(customers);
  let path;
  await come({}, async (page) => {
    await signIn(page, email);
    await open(page, customers);
    path = `${portal}?location=Seattle${new URL(page.url()).hash}`;
    // The first ones are not waited for: what they ask must not undo the last.
    await page.reload({ waitUntil: "domcontentloaded" });
    await page.reload({ waitUntil: "domcontentloaded" });
    await page.reload();
    await becomes(page, "days", 2922);
    // The next address of the same page loads nothing by itself.
    await page.goto("about:blank");
    await page.goto(new URL(path, env("EDGE_URL")).href);
    await becomes(page, "days", 1461);

    const other = await page.context().newPage();
    await other.goto(new URL(portal, env("EDGE_URL")).href);
    await listed(other);
    // Both tabs must have a new token, at the same time.
    const refused = [await refuseNext(page, "**/execute"), await refuseNext(other, /\/dashboards\/[^/]+\?context_id=/)];
    await Promise.all([page.click('[data-action="reset"]'), open(other, customers)]);
    await becomes(page, "days", 2922);
    await becomes(other, "days", 2922);
    assert.deepEqual(refused.map((count) => count()), [1, 1]);

    await page.click("#sign-out");
    await isOut(page, /signed out/);
    await isOut(other, /^Enter your e-mail/);
  });
  const second = await invite(customers);
  await come(
    {},
    async (page) => {
      const other = await page.context().newPage();
      await other.goto(new URL(portal, env("EDGE_URL")).href);
      await other.waitForSelector("#ask:not([hidden])");
      await signIn(page, second.email);
      await becomes(page, "days", 1461);
      await listed(other);
    },
    { path },
  );
});

test("a token is fetched anew before it ends, and when a sleeping tab wakes up", async () => {
  const { email } = await invite(customers);
  await come({}, async (page) => {
    await page.clock.install();
    await page.reload();
    await signIn(page, email);
    await open(page, customers);
    let fetched = 0;
    page.on("response", (response) => {
      if (response.url().endsWith("/share-auth/refresh") && response.ok()) fetched += 1;
    });
    const wake = (hidden) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    const renewed = async (after, act) => {
      const before = fetched;
      const answer = page.waitForResponse("**/share-auth/refresh");
      await act();
      await answer;
      assert.equal(fetched, before + 1, after);
    };
    await page.clock.fastForward(8 * 60_000);
    assert.equal(fetched, 0, "too early");
    await renewed("a minute before its end", () => page.clock.fastForward(70_000));
    await wake(true);
    await page.clock.fastForward(60 * 60_000);
    assert.equal(fetched, 1, "nobody looks");
    await renewed("awake", () => wake(false));
    await page.clock.fastForward(60 * 60_000);
    await choose(page, "Seattle");
    await becomes(page, "days", 1461);
  });
});

test("who is removed is out at the next step, and nobody else is", async () => {
  const [leaving, staying] = [await invite(customers), await invite(customers)];
  await come({}, async (page) => {
    await signIn(page, leaving.email);
    await open(page, customers);
    await come({}, async (other) => {
      await signIn(other, staying.email);
      await open(other, customers);
      for (const remove of leaving.removals) await remove();
      await choose(page, "Seattle");
      await isOut(page, /^You are signed out: your sign-in has ended, or you were taken off the list\./);
      assert.equal(await focused(page), "email");
      await accessible(page);
      await screenshot(page, "portal-removed");
      await choose(other, "Seattle");
      await becomes(other, "days", 1461);
    });
    await page.reload();
    await isOut(page, /^Enter your e-mail/);
  });
});

test("who is removed from one context keeps the others", async () => {
  const { email, removals } = await invite(customers, board);
  await come(
    {},
    async (page) => {
      await signIn(page, email);
      await open(page, customers);
      await removals[0]();
      await choose(page, "Seattle");
      await page.waitForSelector("#notice:not([hidden])");
      assert.equal(await page.textContent("#notice"), "That dashboard is no longer shared with you.");
      await listed(page);
      assert.deepEqual(await page.locator(".portal-group > h2").allTextContents(), ["Board"]);
      assert.equal(new URL(page.url()).search, "");
      await accessible(page);
      await screenshot(page, "portal-gone");
      await open(page, board);
      assert.ok(await page.isHidden("#notice"));
    },
    { expected: ["400"] },
  );
});

test("while a server is away the person stays, and goes on when it is back", async () => {
  const { email } = await invite(empty, customers);
  await come(
    {},
    async (page) => {
      await signIn(page, email);
      await listed(page);
      let isAway = true;
      const json = { error: "The service is not available right now.", error_code: "SERVICE_UNAVAILABLE", request_id: "r" };
      await page.route("**/api/v1/**", (route) =>
        isAway ? route.fulfill({ status: 503, headers: { "retry-after": "60" }, json }) : route.continue(),
      );
      await page.click(`[data-context="${customers.id}"] a`);
      await page.waitForSelector('main[data-state="error"]');
      assert.match(await page.textContent("#notice"), /not available/);
      await screenshot(page, "portal-away");
      await page.click("#sign-out");
      await page.waitForFunction(() => document.querySelector("#notice").textContent.includes("not available"));
      await page.reload();
      await page.waitForSelector('main[data-state="error"]');
      assert.ok(await page.isHidden("#door"), "nobody knows that somebody is out");
      isAway = false;
      await page.click('[data-action="retry"]');
      await settled(page);
      assert.equal(await value(page, "days"), 2922);
    },
    { expected: ["503"] },
  );
});

test("who has nothing is told so", async () => {
  const { email } = await invite(empty);
  await come({ colorScheme: "dark" }, async (page) => {
    await signIn(page, email);
    await listed(page);
    assert.match(await page.textContent("#list"), /Nothing is shared with you right now/);
    await accessible(page);
    await screenshot(page, "portal-empty-dark");
  });
});

test("by keyboard alone, on a phone, in the dark", async () => {
  const { email } = await invite(customers, board);
  const phone = { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true };
  await come(phone, async (page) => {
    const looks = async (name) => {
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(overflow, 0, name);
      await accessible(page);
      await screenshot(page, name);
    };
    const tabTo = async (id) => {
      for (let steps = 0; steps < 20; steps += 1) {
        await page.keyboard.press("Tab");
        if ((await focused(page)) === id) return;
      }
      assert.fail(`no way to ${id}`);
    };
    await page.waitForSelector("#ask:not([hidden])");
    await looks("portal-email-phone-dark");
    await page.keyboard.type(email);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#enter:not([hidden])");
    await looks("portal-code-phone-dark");
    await page.keyboard.type(await codeFor(email));
    await page.keyboard.press("Enter");
    await listed(page);
    await looks("portal-list-phone-dark");
    // After the heading, which has the focus, comes the first dashboard.
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await settled(page);
    assert.equal(await value(page, "days"), 2922);
    await looks("portal-dashboard-phone-dark");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    assert.equal(await focused(page), "all");
    await page.keyboard.press("Enter");
    await listed(page);
    await page.keyboard.press("Shift+Tab");
    assert.equal(await focused(page), "sign-out");
    await page.keyboard.press("Enter");
    await isOut(page, /signed out/);
    await tabTo("email");
  });
});
