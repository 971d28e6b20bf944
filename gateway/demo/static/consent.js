// The consent banner. What the visitor chose is the site's to remember; the SDK and the gateway act on it.

import { keep, recall } from "./memory.js";
import { tell } from "./sdk.js";

const ALL = ["analytics", "personalization"];
const banner = document.querySelector(".banner");
const form = document.querySelector("#consent-form");
const fieldset = form.querySelector("fieldset");
const boxes = [...form.querySelectorAll("input")];
let opener = null; // the button that opened the banner again

/** Return the purposes that the visitor chose, null before the choice. */
export function choice() {
  return recall("localStorage", "consent");
}

/** Make a choice: remember it, hand it on, and tell the page (`havainto:consent`). */
export async function choose(purposes) {
  keep("localStorage", "consent", purposes);
  close();
  await tell("consent", purposes);
  if (!purposes.length) await tell("decide"); // content that was chosen with the profile goes too
  document.dispatchEvent(new CustomEvent("havainto:consent", { detail: purposes }));
}

export function startConsent() {
  banner.hidden = false; // the style sheet shows it only while the page asks
  form.addEventListener("click", ({ target }) => {
    if (target.dataset.consent === "all") choose(ALL);
    if (target.dataset.consent === "none") choose([]);
    if (target.dataset.consent === "choose") expand(true);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    choose(boxes.filter((box) => box.checked).map((box) => box.value));
  });
  for (const button of document.querySelectorAll("[data-open-consent]")) {
    button.addEventListener("click", () => open(button));
  }
  banner.addEventListener("keydown", ({ key }) => key === "Escape" && choice() && close());
}

function open(button) {
  opener = button;
  document.documentElement.dataset.asked = "yes";
  for (const box of boxes) box.checked = (choice() || []).includes(box.value);
  expand(true);
  banner.focus();
}

function close() {
  document.documentElement.dataset.asked = "no";
  expand(false);
  opener?.focus();
  opener = null;
}

function expand(shown) {
  const chooser = form.querySelector('[data-consent="choose"]');
  fieldset.hidden = !shown;
  form.querySelector("[type=submit]").hidden = !shown;
  chooser.hidden = shown;
  chooser.setAttribute("aria-expanded", String(shown));
}
