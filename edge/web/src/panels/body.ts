/** What a card holds: each kind of panel makes one of these. */

import type { PanelResult } from "../api";

export interface Body {
  element: HTMLElement;
  /** Whether there is anything to show; if not, the card says so instead. */
  hasContent(result: PanelResult): boolean;
  /** Shows a result in place of the earlier one. */
  show(result: PanelResult): void;
  /** Lets go of what outlives its element; only charts have any. */
  close?(): void;
}
