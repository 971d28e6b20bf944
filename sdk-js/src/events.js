// Segment's event shapes.

import { push } from "./delivery.js";
import { settings } from "./settings.js";

/** What the page is now; `credentials` says that we send cookies, so that the gateway may give one. */
export const context = () => ({
  page: {
    path: location.pathname,
    url: location.href,
    search: location.search,
    referrer: document.referrer,
    title: document.title,
  },
  locale: document.documentElement.lang || navigator.language,
  credentials: true,
});

/** Queue an event as it is now; what cannot be JSON throws here, before it is queued. */
export const record = (type, fields) =>
  push(
    JSON.parse(JSON.stringify({ type, userId: settings.userId, ...fields, timestamp: new Date(), context: context() })),
  );
