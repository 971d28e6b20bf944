// What the visitor does with filled content: seen for a second, clicked, dismissed, converted.

import { flush } from "./delivery.js";
import { record } from "./events.js";
import { decide, empty } from "./slots.js";
import { load, save } from "./storage.js";

export const filled = new Map(); // slot -> its decision, with its timer and what undoes its content

const seen = new Set(); // tokens of counted showings
let last = load("tuttu_seen", "sessionStorage") || {}; // placement -> what was seen there, for conversions later on

const observer = new IntersectionObserver((entries) => entries.forEach(look), {
  threshold: [...Array(101).keys()].map((percent) => percent / 100),
});

/** Watch a slot's decision; one without a token could not be redeemed. */
export const watch = (slot, decision) => {
  filled.set(slot, decision);
  decision.timer = clearTimeout(decision.timer);
  observer.unobserve(slot); // or observe() would not look anew
  if (decision.decision) observer.observe(slot);
};

/** Start or stop a slot's second: half of it is visible, or half of the window is filled by it. */
const look = ({ target, intersectionRatio, intersectionRect }) => {
  const decision = filled.get(target) || {};
  if ((intersectionRatio < 0.5 && intersectionRect.height < innerHeight / 2) || document.hidden) {
    decision.timer = clearTimeout(decision.timer);
  } else {
    decision.timer ||= setTimeout(() => {
      if (!seen.has(decision.decision)) react("Shown", decision);
      seen.add(decision.decision);
    }, 1000);
  }
};

addEventListener("visibilitychange", () => {
  if (document.hidden) flush();
  filled.forEach((decision, slot) => watch(slot, decision)); // a hidden page is not seen: each second begins anew
});

const react = (kind, { decision, placement, block }) => {
  if (!decision) return;
  last[placement] = { decision, placement, block };
  save("tuttu_seen", last, "sessionStorage");
  record("track", { event: "Content " + kind, properties: last[placement] });
};

export const converted = (placement) => react("Converted", last[placement] || {});

/** Forget whose content was seen. */
export const forget = () => {
  last = {};
  save("tuttu_seen", 0, "sessionStorage");
  filled.forEach((decision) => (decision.decision = 0));
};

// In the capture phase: a page that stops its events keeps its reactions.
addEventListener(
  "click",
  ({ target }) => {
    const within = (selector) => target.closest?.(selector); // scripts dispatch clicks on the document as well
    const goal = within("[data-tuttu-convert]:not(form)");
    const slot = within("[data-tuttu]");
    const decision = filled.get(slot);
    if (decision) {
      if (within("[data-tuttu-dismiss]")) {
        empty(slot);
        react("Dismissed", decision);
        decide([decision.placement], decision.block);
      } else if (within("a,button,[type=submit]")) react("Clicked", decision);
    }
    if (goal) converted(goal.dataset.tuttuConvert);
  },
  true,
);

addEventListener("submit", ({ target }) => converted(target.dataset?.tuttuConvert), true);
