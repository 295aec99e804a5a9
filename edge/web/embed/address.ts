/** Where an embed is, and the token that opens it. */

import type { Params } from "./embed";
import { isObject } from "./protocol";

export interface Address {
  origin: string;
  token: string;
  /** First values of filters that stand in an `embed_url`. */
  query: string;
}

/** Reads an `embed_url`, a token, or an object that holds one; `origin` is where a bare token belongs. */
export function addressOf(given: unknown, origin: string): Address {
  const text = isObject(given) ? (given["embed_url"] ?? given["token"]) : given;
  if (typeof text !== "string" || text === "") throw new Error("neither a token nor an embed_url");
  if (!text.includes("/")) return { origin, token: text, query: "" };
  const url = new URL(text, origin);
  return { origin: url.origin, token: url.pathname.split("/").pop() ?? "", query: url.search };
}

/** What the frame loads. */
export function frameUrl({ origin, token, query }: Address, params: Params): string {
  const url = new URL(`/embed/d/${token}${query}`, origin);
  for (const [name, value] of Object.entries(params)) {
    url.searchParams.delete(name);
    for (const item of Array.isArray(value) ? value : [value]) {
      url.searchParams.append(name, String(item ?? ""));
    }
  }
  return url.href;
}
