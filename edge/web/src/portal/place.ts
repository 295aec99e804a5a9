/**
 * Where somebody is in the portal: a dashboard, named by the fragment `#/{context}/{dashboard}`, or the
 * list. The query is the dashboard's, for its filters.
 */

export interface Place {
  contextId: string;
  slug: string;
}

/** The dashboard that a fragment names; `null` for the list. */
export function placeFrom(hash: string): Place | null {
  const [, contextId, slug, ...more] = hash.split("/");
  if (!hash.startsWith("#/") || !contextId || !slug || more.length > 0) return null;
  try {
    return { contextId: decodeURIComponent(contextId), slug: decodeURIComponent(slug) };
  } catch {
    return null;
  }
}

export function hashOf({ contextId, slug }: Place): string {
  return `#/${encodeURIComponent(contextId)}/${encodeURIComponent(slug)}`;
}

/** The page's own part of the address. */
export function companyFrom(pathname: string): string {
  return pathname.split("/")[2] ?? "";
}
