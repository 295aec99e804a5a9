/** Tells how high the content is, so that the page around needs no second scroll bar. */

/**
 * Reports each change. Gives a function that looks at once: in a frame that is
 * scrolled out of sight browsers observe nothing, and the page around would
 * only grow when its reader comes near.
 */
export function watchHeight(report: (height: number) => void): () => void {
  let told = 0;
  const look = (): void => {
    // The body grows with its content alone; the root element is never lower than the frame.
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height === told) return;
    told = height;
    report(height);
  };
  new ResizeObserver(look).observe(document.body);
  return look;
}
