// What the visitor allows. Nothing but the choice itself is kept before a choice was made, or after a refusal.

import { settings } from "./settings.js";
import { load, save } from "./storage.js";

export let choice = load("tuttu_consent");

export const waiting = () => !choice && settings.consent == "wait";

/** Tell whether the choice was "no" to both purposes that allow a profile. */
export const refused = () => choice && !/analytics|personalization/.test(choice);

/** Remember a choice; tells whether it is another than before. */
export const choose = (list) => {
  const before = `${choice}`;
  choice = [...list];
  save("tuttu_consent", choice);
  return before != choice;
};
