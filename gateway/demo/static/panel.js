// The panel: what the gateway knows about this visitor and why the page shows what it shows.
//
// It asks the gateway with `explain=1` and no events, which writes nothing, each time the SDK got an answer. Before the
// visitor allowed personalization it asks without cookies.

import { choice, choose } from "./consent.js";
import { keep } from "./memory.js";
import { drawing } from "./panel-view.js";
import { tell } from "./sdk.js";
import { words } from "./words.js";

const SETTLE_MS = 120;
const FACTORY = { name: "Acme Oy", industry: "manufacturing", employees: 120 };

const root = document.documentElement;
const EXPLAIN = `/v1/decide?explain=1&language=${root.lang}`;
const panel = document.querySelector(".panel");
const tab = document.querySelector(".panel-tab");
const body = panel.querySelector(".panel-body");
const time = panel.querySelector(".panel-time");
const status = panel.querySelector("[role=status]");
let timer = 0;
let notice = ""; // what the visitor must do first, until they have
let asked = 0; // counts questions, so that a late answer never replaces a newer one

export function startPanel() {
  tab.addEventListener("click", () => toggle(true));
  panel.querySelector(".panel-close").addEventListener("click", () => toggle(false));
  panel.addEventListener("keydown", ({ key }) => key === "Escape" && toggle(false));
  panel.addEventListener("click", ({ target }) => scenarios[target.dataset.scenario]?.());
  for (const type of ["pointerover", "focusin"]) body.addEventListener(type, point);
  for (const type of ["pointerleave", "focusout"]) body.addEventListener(type, () => outline(""));
  tab.setAttribute("aria-expanded", String(root.dataset.panel === "open"));
  body.textContent = words.wait;
  document.addEventListener("tuttu:shown", refresh);
  document.addEventListener("havainto:consent", () => {
    notice = "";
    refresh();
  });
  watchAnswers();
  refresh();
}

const scenarios = {
  async factory() {
    notice = choice()?.includes("personalization") ? "" : words.needsConsent;
    if (notice) return say(notice);
    await tell("group", "acme", FACTORY);
    await tell("decide");
  },
  async reset() {
    keep("sessionStorage", "customer", null);
    await tell("reset");
    await tell("page");
    refresh();
  },
  erase: () => choose([]),
};

function toggle(open) {
  root.dataset.panel = open ? "open" : "closed";
  try {
    sessionStorage.setItem("havainto.panel", root.dataset.panel);
  } catch {
    // Without storage the next page decides anew.
  }
  tab.setAttribute("aria-expanded", String(open));
  (open ? panel : tab).focus();
}

/** Refresh when any other request to the gateway has ended, whoever sent it. */
function watchAnswers() {
  const observer = new PerformanceObserver((list) => {
    const others = list.getEntries().filter(({ name }) => name.includes("/v1/") && !name.endsWith(EXPLAIN));
    if (others.length) refresh();
  });
  observer.observe({ type: "resource", buffered: true });
}

function refresh() {
  clearTimeout(timer);
  timer = setTimeout(ask, SETTLE_MS);
}

async function ask() {
  const question = ++asked;
  const slots = [...document.querySelectorAll("[data-tuttu]")].map((slot) => slot.dataset.tuttu);
  const consent = choice();
  const allowed = consent?.includes("personalization");
  const page = { path: location.pathname, url: location.href, title: document.title, referrer: document.referrer };
  const body = {
    writeKey: "demo",
    placements: [...new Set([...slots, "home hero"])],
    context: { page, locale: root.lang },
    consent: allowed ? consent : [],
  };
  let answer = null;
  try {
    const credentials = allowed ? "same-origin" : "omit";
    const response = await fetch(EXPLAIN, { method: "POST", credentials, body: JSON.stringify(body) });
    if (!response.ok) return question === asked && say(words.refused, true);
    answer = await response.json();
  } catch {
    return question === asked && say(words.away, true);
  }
  if (question === asked) show(answer, slots, consent);
}

function show(answer, slots, consent) {
  const first = !body.querySelector("section");
  const before = signatures();
  const open = new Set([...body.querySelectorAll("details[open]")].map((details) => details.dataset.key));
  const unopened = first ? new Set(["fold home hero"]) : open;
  body.replaceChildren(...drawing(answer, slots, consent));
  for (const details of body.querySelectorAll("details")) details.open = unopened.has(details.dataset.key);
  if (!first) highlight(before);
  time.textContent = notice || words.updated(new Date().toLocaleTimeString(root.lang));
  const hero = answer.placements["home hero"]?.block;
  const said = words.announce(hero, answer.visitor?.temperature ?? words.unknown);
  if (!first && status.textContent !== said) status.textContent = said;
}

/** Say a sentence at the foot of the panel, or as all that there is to say. */
function say(sentence, instead = false) {
  status.textContent = sentence;
  time.textContent = sentence;
  if (instead) body.textContent = sentence;
}

function signatures() {
  return new Map([...body.querySelectorAll("[data-key]")].map((part) => [part.dataset.key, part.textContent]));
}

function highlight(before) {
  for (const part of body.querySelectorAll("[data-key]:not(details)")) {
    if (before.get(part.dataset.key) !== part.textContent) part.classList.add("changed");
  }
}

/** Outline the place on the page that the pointed part of the panel is about. */
function point({ target }) {
  outline(target.closest("[data-placement]")?.dataset.placement ?? "");
}

function outline(placement) {
  for (const slot of document.querySelectorAll("[data-tuttu]")) {
    slot.classList.toggle("pointed", slot.dataset.tuttu === placement);
  }
}
