/** What the portal asks for whoever is signed in. */

import { type DashboardApi, type Executed, json, type Option, type Parameters, post, type Resolved } from "../api";
import type { Context, Session } from "./session";

/** A dashboard that somebody shares with the person. */
export interface Listed {
  context: Context;
  slug: string;
  title: string;
  description?: string | null;
  share: { expires_at: string | null };
}

export interface Listing {
  /** All there are; fewer may be listed. */
  total: number;
  records: Listed[];
}

export class PortalApi {
  readonly #session: Session;
  readonly #base: string;

  constructor(slug: string, session: Session) {
    this.#session = session;
    this.#base = `/api/v1/share-portal/${slug}/dashboards`;
  }

  async dashboards(): Promise<Listing> {
    return json(await this.#session.call(this.#base, {}));
  }

  /** One dashboard, as one context shares it. */
  dashboard(contextId: string, slug: string): PortalDashboardApi {
    return new PortalDashboardApi(this.#session, `${this.#base}/${encodeURIComponent(slug)}`, contextId);
  }
}

export class PortalDashboardApi implements DashboardApi {
  readonly #session: Session;
  readonly #base: string;
  readonly #contextId: string;

  constructor(session: Session, base: string, contextId: string) {
    this.#session = session;
    this.#base = base;
    this.#contextId = contextId;
  }

  resolve(): Promise<Resolved> {
    return this.#read(`?${this.#query({})}`, {});
  }

  execute(parameters: Parameters, signal: AbortSignal): Promise<Executed> {
    return this.#read("/execute", { ...post({ context_id: this.#contextId, parameters }), signal });
  }

  async options(slug: string, search: string, signal: AbortSignal): Promise<Option[]> {
    const path = `/filters/${encodeURIComponent(slug)}/options?${this.#query(search ? { search } : {})}`;
    return (await this.#read<{ options: Option[] }>(path, { signal })).options;
  }

  #query(more: Record<string, string>): string {
    return new URLSearchParams({ context_id: this.#contextId, ...more }).toString();
  }

  async #read<T>(path: string, init: RequestInit): Promise<T> {
    return json<T>(await this.#session.call(this.#base + path, init));
  }
}
