// What arrived by mail: a sink writes each message into a folder.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { env } from "./page.mjs";

const CODE = /\b\d{4}-\d{4}\b/;

/** All messages to this address, oldest first. */
export async function mailsTo(address) {
  const names = (await readdir(env("MAIL_DIR"))).filter((name) => name.endsWith(".json"));
  const numbers = names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
  const mails = await Promise.all(
    numbers.map(async (number) => JSON.parse(await readFile(join(env("MAIL_DIR"), `${number}.json`), "utf8"))),
  );
  return mails.filter(({ to }) => to.includes(address));
}

/** The code in message number `count` to this address, for which it waits. */
export async function codeFor(address, count = 1) {
  const begun = Date.now();
  for (;;) {
    const mail = (await mailsTo(address))[count - 1];
    if (mail) return mail.text.match(CODE)[0];
    assert.ok(Date.now() - begun < 15_000, `no message ${count} to ${address}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
