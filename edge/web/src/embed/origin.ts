/**
 * Which sites may stand around the view. The server's `frame-ancestors` says it
 * first; the page says it again where that header could not know the token.
 */

/** Whether an origin is one of the listed: exact ones, or `https://*.example.com` for all below it. */
export function fits(origin: string, allowed: string[]): boolean {
  return allowed.some((pattern) => {
    // The parser leaves out a port that goes without saying, as origins do.
    const { origin: written } = new URL(pattern);
    const [scheme, below] = written.split("*");
    if (scheme === undefined || below === undefined) return origin === written;
    return origin.startsWith(scheme) && origin.endsWith(below) && origin.length > written.length - 1;
  });
}

/** Whether every page around this one is of a listed site, as far as the browser tells. */
export function ancestorsFit(allowed: string[]): boolean {
  return [...(location.ancestorOrigins ?? [])].every((origin) => fits(origin, allowed));
}
