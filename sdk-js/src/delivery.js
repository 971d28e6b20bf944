// The way to the gateway: one request at a time and in order, until every event is answered for.
//
// An event leaves the queue when the gateway has it or will never take it; until then it is sent again with the same
// messageId, which the gateway recognizes. The queue is mirrored in localStorage under one key that all tabs share:
// each tab adds its own events and takes away those that are settled, so none is lost; two tabs may send the same one.
//
// The queue also holds marks, items without a type: the requests that carry a reset or a withdrawal.

import { choice, refused, waiting } from "./consent.js";
import { context } from "./events.js";
import { settings, warn } from "./settings.js";
import { slots } from "./slots.js";
import { load, save } from "./storage.js";

const inMirror = () => load("tuttu_queue") || [];

let queue = inMirror(); // what earlier pages left behind goes first
const known = new Set(queue.map(({ messageId }) => messageId)); // all that this page sees to: queued or settled
export const asks = []; // questions: {names of placements, settle(answer)}
let requests = 0; // under way
let stored; // whether localStorage holds the queue
let answered; // the gateway knows this visitor: before that, a second request would be a second visitor
let timer; // set while waiting to try again
let held; // for how long the gateway itself said to wait
let failures = 0;

/** Resolves when the document is complete, so that all slots are known, and is not just rendered in advance. */
export const complete = new Promise((resolve) => {
  const later = (change) => document.addEventListener(change, resolve);
  if (document.prerendering) later("prerenderingchange");
  else if (document.readyState == "loading") later("readystatechange");
  else resolve();
});

const mirror = () => {
  if (waiting()) return;
  const items = [...inMirror().filter(({ messageId }) => !known.has(messageId)), ...queue];
  stored = save("tuttu_queue", items[0] && items.slice(-100));
};

/** Queue an event or a mark. */
export const push = (item) => {
  if (item.type && refused()) return;
  const messageId = `${Date.now()}-${Math.random()}`; // need only differ from this visitor's others
  known.add(messageId);
  queue = [...queue, { ...item, messageId }].slice(-1000);
  mirror();
  pump();
};

/** Forget all that is unsent, and tell the gateway the refusal. */
export const withdraw = () => {
  queue = [];
  save("tuttu_queue");
  answered = false;
  push({});
};

/**
 * Return the first items that fit into one request; a mark goes first or not at all. Requests that are to outlive their
 * page have 64 KiB at most (Fetch standard, 4.6), and a character has up to 3 bytes.
 */
const next = (items) => {
  let size = 0;
  return (waiting() ? [] : items).filter(
    (item, i) => (size += i && !item.type ? Infinity : JSON.stringify(item).length) < 20_000 || !i,
  );
};

export const pump = async () => {
  await complete.then(); // and all calls of this turn, which go together
  if (requests) return;
  const items = timer ? [] : next(queue);
  // A decision builds on all that happened before it, so it goes with the last of the queue; or nowhere for now.
  const questions = items[0] && items.length < queue.length ? [] : asks.splice(0);
  if (items[0] || questions[0]) {
    await send(items, questions).catch(warn); // filling a slot may break a rule of the page, such as Trusted Types
    pump();
  }
};

/** Send what is unsent while the page goes, except what can wait in storage for a better moment. */
export const flush = () => {
  if (stored && (held || (requests && !answered))) return;
  for (let items, rest = queue; (items = next(rest))[0]; rest = rest.slice(items.length)) send(items, []);
};

const send = async (items, questions) => {
  const placements = timer
    ? []
    : questions.flatMap(({ names }) => names || slots().map((slot) => slot.dataset.tuttu)).slice(0, 50);
  const batch = items.filter(({ type }) => type);
  let kept = items;
  let answer = {};
  if (items[0] || placements[0]) {
    const reset = items[0]?.reset;
    const body = JSON.stringify({
      writeKey: settings.writeKey,
      sentAt: new Date(),
      context: context(),
      consent: waiting() ? [] : choice,
      reset,
      batch,
      placements,
    });
    answered &&= !reset;
    requests++;
    held = 0;
    try {
      const response = await fetch(`${settings.gateway}v1/${placements[0] ? "decide" : "batch"}`, {
        method: "POST",
        body, // as text/plain, which needs no preflight
        credentials: waiting() ? "omit" : "include",
        keepalive: body.length < 22_000,
        signal: AbortSignal.timeout?.(10_000),
      });
      held = +response.headers.get("retry-after") || 0; // a date is not understood
      if (response.ok) {
        answer = await response.json();
        kept = batch.filter((_, i) =>
          answer.rejected.some(
            ({ index, code, message }) => index == i && (/unavailable|too_late/.test(code) || warn(message)),
          ),
        );
        answered ||= batch[0];
      } else if (!/408|429|5../.test(response.status)) {
        warn(await response.text());
        kept = [];
      }
    } catch {
      // No answer: as if the network were away.
    }
    requests--;
    queue = queue.filter((item) => kept.includes(item) || !items.includes(item));
    mirror();
    if (kept[0]) {
      // Again after 1 s, doubling up to 60 s, each client at a moment of its own; or when the gateway says.
      clearTimeout(timer);
      timer = setTimeout(resume, 1000 * Math.max(held, (Math.min(60, 2 ** failures++) * (1 + Math.random())) / 2));
    } else failures = 0;
  }
  questions.forEach(({ settle }) => settle(answer || {}));
};

/** Try again now. */
export const resume = () => {
  clearTimeout(timer);
  timer = held = 0;
  pump();
};
