/**
 * Which sites may stand around the view. The server's `frame-ancestors` says it
 * first; the page says it again where that header could not know the token.
 */

/**
 * Whether an origin is one of the listed: exact ones, or `https://*.example.com`
 * for all below it. They come in the spelling in which browsers write origins,
 * so texts are compared, and no parser has a say in what `*` is.
 */
export function fits(origin: string, allowed: string[]): boolean {
  return allowed.some((pattern) => {
    const [scheme = "", below] = pattern.split("*");
    if (below === undefined) return origin === pattern;
    return origin.startsWith(scheme) && origin.endsWith(below) && origin.length > scheme.length + below.length;
  });
}

/** Whether every page around this one is of a listed site, as far as the browser tells. */
export function ancestorsFit(allowed: string[]): boolean {
  return [...(location.ancestorOrigins ?? [])].every((origin) => fits(origin, allowed));
}
