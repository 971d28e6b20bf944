// Tuttu in the browser: events to the site's own gateway, and content back. The whole of it loads as one module,
// /tuttu.js, which finds its gateway by its own address and its options in its script element.

import { choose, refused } from "./consent.js";
import { record } from "./events.js";
import { complete, flush, push, resume, withdraw } from "./delivery.js";
import { converted, forget } from "./reactions.js";
import { global, settings, warn } from "./settings.js";
import { decide } from "./slots.js";

let address; // of the page view that was last counted
let first;
const ready = new Promise((resolve) => (first = resolve));

const here = () => location.href.split("#")[0];

/** Count a page view; none of this address comes by itself any more. */
const count = (name, properties) => {
  address = here();
  record("page", { name, properties });
};

const actions = {
  page(name, properties) {
    count(name, properties);
    first(decide());
  },
  track: (event, properties) => record("track", { event, properties }),
  identify(userId, traits, options) {
    settings.userId = userId || settings.userId; // on this page's later events as well
    record("identify", { traits, ...options });
  },
  group: (groupId, traits) => record("group", { groupId, traits }),
  consent(purposes) {
    if (!choose(purposes)) return;
    if (!refused()) return decide();
    forget();
    withdraw();
  },
  reset() {
    settings.userId = null;
    forget();
    push({ reset: true });
  },
  decide,
  converted,
};

/** Start the SDK; a page has one, so a second call returns the first. */
export const createTuttu = (options) => {
  if (settings.gateway) return global;
  Object.assign(settings, { gateway: new URL(".", import.meta.url) }, options);
  for (const name in actions) {
    global[name] = (...values) => (async () => actions[name](...values))().catch(warn);
  }
  global.ready = ready;
  global.queue?.forEach(([name, values, resolve]) => resolve(global[name](...values)));
  addEventListener("online", resume);
  addEventListener("pagehide", flush);
  if (settings.auto != "off") follow();
  return global;
};

/** Count a page view now and whenever the address changes. */
const follow = () => {
  const turn = () => here() == address || global.page();
  for (const name of ["pushState", "replaceState"]) {
    const original = history[name];
    history[name] = (...values) => {
      const { pathname } = location;
      original.apply(history, values);
      // A changed query alone is a new page only with an entry of its own in the history.
      if (name < "q" || pathname != location.pathname) setTimeout(turn);
    };
  }
  addEventListener("popstate", turn);
  if (address) return; // by a page() that was called before
  complete.then(() => address || count()); // the title may not be there yet
  first(decide()); // but slots hide at once
};

const element = [...document.scripts].find(({ src }) => src == import.meta.url);

/** The instance of the page's script element; undefined where the page has none. */
export const tuttu = element && createTuttu(element.dataset);
