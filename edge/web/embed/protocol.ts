/** What an embedded page and the page around it say to one another, by `postMessage`. */

/** Marks our messages among those of others, and says which version they are. */
export const VERSION = 1;

export type Theme = "light" | "dark" | "auto";

export type Params = Record<string, unknown>;

/** From the page around to the frame. */
export type ToFrame =
  | { type: "hello" }
  | { type: "token"; token: string }
  | { type: "params"; params: Params }
  | { type: "theme"; theme: Theme };

/** From the frame to the page around. */
export type ToHost =
  | { type: "ready" }
  | { type: "height"; height: number }
  | { type: "params"; params: Params }
  | { type: "error"; code: string; message: string }
  | { type: "token-expiring"; expires_at: string; seconds: number };

/** The message as it travels. */
export function sealed<M extends ToFrame | ToHost>(message: M): M & { postern: typeof VERSION } {
  return { postern: VERSION, ...message };
}

/** Whether something that arrived is a message of ours; its fields are still to be checked. */
export function isOurs(data: unknown): data is { type: unknown } & Record<string, unknown> {
  return typeof data === "object" && data !== null && "postern" in data && data.postern === VERSION;
}

export function isObject(value: unknown): value is Params {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isTheme(value: unknown): value is Theme {
  return value === "light" || value === "dark" || value === "auto";
}
