/** The filters of an embed, less what its token keeps from the viewer. */

import type { Filter } from "../api";

/** A filter of which nothing may be set is left out, unless it only shows what is fixed. */
export function permitted(filters: Filter[], allowed: string[]): Filter[] {
  return filters
    .map((filter) => ({
      ...filter,
      withheld: filter.parameters.filter((name) => !allowed.includes(name)),
    }))
    .filter(({ mode, parameters, withheld }) => mode === "locked" || withheld.length < parameters.length);
}
