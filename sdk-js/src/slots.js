// The places on the page that decisions fill: `<section data-tuttu="home hero">` with fields inside.
//
// A slot that is waiting for its answer is invisible, and has no data-tuttu-block; afterwards that names the block, or
// is empty where the default content stays. It waits 300 ms at most, and what was seen is not replaced by a late answer.

import { asks, pump } from "./delivery.js";
import { filled, watch } from "./reactions.js";
import { global } from "./settings.js";

// The first question's patience began with the snippet, if there is one.
let patience = 300 + (global.since - Date.now() || 0);

// A constructed sheet is no inline style: it passes any content security policy.
let sheet = {};
try {
  sheet = new CSSStyleSheet({ disabled: true });
  sheet.replaceSync("[data-tuttu]:not([data-tuttu-block]){visibility:hidden}");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
} catch {
  // A browser of before 2023: default content is visible until the answer.
}

export const slots = () => [...document.querySelectorAll("[data-tuttu]")];

/** Ask for placements, or for those of all slots; resolves to the answer once slots are filled. */
export const decide = (names, except) =>
  new Promise((done) => {
    let late;
    const reveal = () => {
      late = sheet.disabled = true;
      for (const { dataset } of slots()) dataset.tuttuBlock ||= "";
    };
    sheet.disabled = patience <= 0;
    setTimeout(reveal, patience);
    patience = 300;
    asks.push({
      names,
      settle({ placements = {}, visitor }) {
        for (const slot of late ? [] : slots()) {
          const decision = placements[slot.dataset.tuttu];
          if ((decision?.block || except) != except) show(slot, decision);
        }
        reveal();
        done({ placements, visitor });
      },
    });
    pump();
  });

/** Bring back the default content; the slot waits for an answer again. */
export const empty = (slot) => {
  filled.get(slot)?.undo.forEach((restore) => restore());
  filled.delete(slot);
  delete slot.dataset.tuttuBlock;
};

const show = (slot, decision) => {
  const detail = { ...decision, placement: slot.dataset.tuttu };
  const entry = { ...detail, undo: [() => clearTimeout(entry.timer)] };
  empty(slot);
  for (const element of [slot, ...slot.querySelectorAll("*")]) fill(element, entry);
  slot.dataset.tuttuBlock = decision.block;
  watch(slot, entry);
  slot.dispatchEvent(new CustomEvent("tuttu:shown", { bubbles: true, detail }));
};

const fill = (element, { content, html, undo }) => {
  for (const kind of ["text", "html", "href", "src"]) {
    const value = content[element.getAttribute("data-tuttu-" + kind)];
    if (value == null) continue;
    const text = [].concat(value).join(", ");
    if (/text|html/.test(kind)) {
      const before = [...element.childNodes];
      undo.push(() => element.replaceChildren(...before));
      element[html && kind == "html" ? "innerHTML" : "textContent"] = text;
    } else if (allowed(text)) {
      const before = element.getAttribute(kind);
      undo.push(() => (before == null ? element.removeAttribute(kind) : element.setAttribute(kind, before)));
      element.setAttribute(kind, text);
    }
  }
};

/** Links of the web, mail and telephone, and the site's own; the browser's own parser sees through disguises. */
const allowed = (link) => {
  const anchor = document.createElement("a");
  anchor.href = link;
  return /^(https?|mailto|tel):/.test(anchor.protocol);
};
