/**
 * Colours for canvases, which can't see style sheets: read from the custom
 * properties of `tokens.css`, and read again when the scheme changes, be it the
 * reader's or the one that an embed names.
 */

export interface Theme {
  font: string;
  text: string;
  muted: string;
  grid: string;
  edge: string;
  surface: string;
  /** One colour per series, in a fixed order; more series begin again. */
  series: string[];
}

const SERIES = 8;

export function theme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    font: read("--font"),
    text: read("--ink"),
    muted: read("--muted"),
    grid: read("--grid"),
    edge: read("--edge"),
    surface: read("--surface"),
    series: Array.from({ length: SERIES }, (_, index) => read(`--series-${index + 1}`)),
  };
}

export function seriesColour(colours: Theme, index: number): string {
  return colours.series[index % colours.series.length] ?? colours.text;
}

/** Calls back whenever light and dark may have been switched; answers what ends that. */
export function onThemeChange(callback: () => void): () => void {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(callback);
  scheme.addEventListener("change", callback);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    scheme.removeEventListener("change", callback);
    observer.disconnect();
  };
}

export function prefersStillness(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
