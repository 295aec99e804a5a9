/** The share page: resolves the link and opens its dashboard. Start reading here. */

import { ShareApi, tokenFrom } from "./api";
import { Dashboard } from "./dashboard";
import { region } from "./dom";
import { expiry, freshness } from "./footer";
import { leave } from "./leave";
import { inWords, Notice } from "./notice";

const notice = new Notice(region("notice"));
const api = new ShareApi(tokenFrom(location.pathname));

void open();

async function open(): Promise<void> {
  try {
    const resolved = await api.resolve();
    const dashboard = new Dashboard(resolved, {
      api,
      notice,
      showsFilters: true,
      settled: (executed) => {
        if (!executed) return;
        region("freshness").replaceChildren(...freshness(executed), ...expiry(resolved.share.expires_at));
      },
      failed: fail,
      changed: () => {},
    });
    await dashboard.run();
  } catch (cause) {
    fail(cause, () => void open());
  }
}

function fail(cause: unknown, retry: () => void): void {
  const error = inWords(cause);
  if (error.code === "TOKEN_INVALID") return leave();
  // The grant has ended: the form stands at this address, and keeps it.
  if (error.code === "AUTH_REQUIRED") return location.reload();
  region("main").dataset["state"] = "error";
  notice.show(error, retry);
}
