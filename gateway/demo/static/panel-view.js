// The panel's parts, drawn from one answer of the gateway. Everything from outside is set as text.

import { words } from "./words.js";

const MOST_POINTS = 60; // a bar's full length
const MOST_INTEREST = 12;

/** Return the panel's sections for an answer; `slots` are the placements of this page. */
export function drawing(answer, slots, consent) {
  const said = answer.explanation;
  return [
    standing(answer, said, consent),
    ...Object.entries(answer.placements).map(([name, decision]) => placement(name, decision, slots.includes(name))),
    section(words.scores, ...said.scores.map(score)),
    section(words.segments, make("ul", { class: "segments" }, ...said.segments.map(segment))),
    section(words.facts, facts(said)),
  ].filter(Boolean);
}

/** Make an element; attributes that are null are left out, children may be texts. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const section = (title, ...children) => make("section", {}, make("h3", {}, title), ...children);
/** Names and descriptions stand as they are written in the rules, which are in English here. */
const english = (text, attributes = {}) => make("span", { lang: "en", ...attributes }, text);

function standing(answer, said, consent) {
  const read = !said.unread;
  const who = !read ? words.unknownVisitor : answer.visitor?.returning ? words.returning : words.fresh;
  const reason = consent ? said.unread : "asked";
  const steps = Object.fromEntries(said.steps.map((step) => [step.kind, step]));
  return make(
    "section",
    { class: "standing" },
    make("p", { class: "who", "data-key": "who" }, who, read ? ` · ${words.visits(Math.max(said.visits, 1))}` : ""),
    make("dl", {}, step(words.stage, steps.stage), step(words.temperature, steps.temperature)),
    make("p", { class: "consent", "data-key": "consent" }, `${words.consent}: `, permission(consent)),
    read ? null : make("p", { class: "note" }, words.unread[reason] ?? said.unread),
  );
}

function permission(consent) {
  const given = Object.keys(words.purposes).map((purpose) => {
    const allowed = consent?.includes(purpose);
    return make("span", { class: allowed ? "yes" : "no" }, `${allowed ? "✓" : "–"} ${words.purposes[purpose]}`);
  });
  return make("span", { class: "purposes" }, ...given);
}

function step(label, { kind, name, steps }) {
  const whys = steps.map((each) => make("li", {}, make("b", { lang: "en" }, each.name), ` ${each.lacking?.why ?? each.why}`));
  return make(
    "div",
    { "data-key": kind, class: `step ${kind} is-${name}` },
    make("dt", {}, label),
    make("dd", {}, english(name), fold(`fold ${kind}`, words.why, make("ul", { class: "whys" }, ...whys))),
  );
}

function fold(key, summary, ...children) {
  return make("details", { "data-key": key }, make("summary", {}, summary), ...children);
}

function placement(name, decision, here) {
  const receipt = decision.receipt ?? [];
  const winner = receipt.find((candidate) => candidate.outcome === "won");
  const losers = receipt.filter((candidate) => candidate.outcome === "lost");
  return make(
    "section",
    { class: "placement", "data-placement": name },
    make("h3", {}, here ? words.here : words.elsewhere, " ", english(name, { class: "name" })),
    make(
      "div",
      { class: "winner", "data-key": `won ${name}` },
      make("b", { lang: "en" }, decision.block ?? "–"),
      make("p", {}, winner?.why ?? decision.reason),
      where(winner?.where),
    ),
    here ? difference(name, decision) : null,
    losers.length
      ? fold(`fold ${name}`, words.losers(losers.length), make("ul", { class: "losers" }, ...grouped(losers).map(loser)))
      : null,
  );
}

/** Say what the page shows when that is not what the gateway would choose by now. */
function difference(name, { block, content }) {
  const slot = [...document.querySelectorAll("[data-tuttu-block]")].find((each) => each.dataset.tuttu === name);
  const what = slot?.dataset.tuttuBlock;
  const title = slot?.querySelector('[data-tuttu-text="title"]')?.textContent;
  if (!slot || what === block || (!what && title === content?.title)) return null;
  return make("p", { class: "note" }, words.differs, " ", what ? english(what) : words.standard);
}

/** Put blocks that lost for one and the same reason together, those of the other language last. */
function grouped(losers) {
  const groups = new Map();
  for (const { block, why, unmet } of losers) {
    const group = groups.get(why) ?? { why, blocks: [], other: Number(isAboutLanguage(unmet)) };
    group.blocks.push(block);
    groups.set(why, group);
  }
  return [...groups.values()].sort((a, b) => a.other - b.other);
}

function isAboutLanguage(unmet) {
  return unmet?.head === "language" || (unmet?.head === "not" && unmet.actual[0].head === "language");
}

function loser({ why, blocks }) {
  return make("li", {}, make("p", {}, make("b", { lang: "en" }, blocks.join(", ")), ` ${why}`));
}

const where = (place) => (place ? make("code", {}, place.replace(/:\d+$/, "")) : null);

function score({ kind, name, value, shown, half_life: halfLife, lines }) {
  const most = kind === "score" ? MOST_POINTS : MOST_INTEREST;
  const given = lines.filter((line) => line.count);
  return make(
    "div",
    { class: `score ${kind}`, "data-key": `${kind} ${name}` },
    make("p", {}, english(name, { class: "name" }), ` ${words[kind]}`, make("b", {}, signed(shown))),
    bar(value / most),
    make("ul", {}, ...(given.length ? given.map(point) : [make("li", { class: "none" }, words.noPoints)])),
    make("p", { class: "decay" }, halfLife ? words.halves(halfLife) : words.lasting),
  );
}

/** Draw a bar; its number stands beside it, so it is decoration. The policy allows styles that a script sets. */
function bar(share) {
  const filled = make("i", {});
  filled.style.width = `${Math.round(100 * Math.min(1, Math.max(0, share)))}%`;
  return make("div", { class: "bar", "aria-hidden": "true" }, filled);
}

function point({ points, shown, what }) {
  return make("li", {}, make("b", {}, (points < 0 ? "" : "+") + signed(shown)), " ", make("span", {}, what));
}

const signed = (text) => text.replace("-", "\u2212");

function segment({ name, about, holds, lacking }) {
  return make(
    "li",
    { class: holds ? "in" : "out", "data-key": `segment ${name}` },
    make("b", {}, english(name), make("i", {}, holds ? words.inside : words.outside)),
    about && document.documentElement.lang === "en" ? make("p", {}, about) : null,
    lacking ? make("p", { class: "why" }, lacking.why) : null,
  );
}

function facts(said) {
  const { facts: seen, profile } = said;
  const company = profile?.company ?? seen.company ?? {};
  const known = {
    first_name: profile?.traits?.firstName,
    owns: profile?.owns?.join(", "),
    company: company.name,
    industry: company.industry,
    employees: company.employees,
    country: seen.country,
    city: seen.city,
    device: seen.device,
    browser: [seen.browser, seen.os].filter(Boolean).join(", "),
    language: seen.language,
    since: profile?.first_visit ? new Date(profile.first_visit).toLocaleDateString(document.documentElement.lang) : null,
  };
  const always = ["company", "country", "city", "device", "browser", "language"];
  const rows = Object.entries(known).filter(([name, value]) => value || always.includes(name));
  const lacking = !seen.country && !seen.city;
  return make(
    "div",
    {},
    make("dl", { class: "facts" }, ...rows.map(fact)),
    lacking ? make("p", { class: "hint" }, `${words.hint} `, make("code", {}, "tuttu data fetch"), ".") : null,
  );
}

function fact([name, value]) {
  const shown = value ? String(value) : make("span", { class: "unknown" }, words.unknown);
  return make("div", { "data-key": `fact ${name}` }, make("dt", {}, words.names[name]), make("dd", {}, shown));
}
