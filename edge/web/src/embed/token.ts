/**
 * Where an embed's token lives: in memory, and in this entry of the session's
 * history so that a reload and "back" find it. It leaves the address at once,
 * and is never in a cookie or a storage, which a frame may not have.
 */

/** The same page without a token; it goes on with the one that the history holds. */
const HOME = "/embed/d/self";

/** The token of the address, which loses it, or of an earlier visit; `null` when there is neither. */
export function takeToken(): string | null {
  if (location.pathname !== HOME) {
    const token = location.pathname.split("/")[3] ?? "";
    keepToken(token);
    return token;
  }
  const state = history.state as { token?: unknown } | null;
  return typeof state?.token === "string" ? state.token : null;
}

export function keepToken(token: string): void {
  history.replaceState({ token }, "", `${HOME}${location.search}${location.hash}`);
}

/** When a token was made, in milliseconds; `null` when it can't be read, which only the server may judge. */
export function issuedAt(token: string): number | null {
  try {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { iat } = JSON.parse(atob(payload)) as { iat?: unknown };
    return typeof iat === "number" ? iat * 1000 : null;
  } catch {
    return null;
  }
}
