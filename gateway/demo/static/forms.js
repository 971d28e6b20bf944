// The forms of a company that does not exist: they count as events, and nothing that was typed leaves the page.

import { tell } from "./sdk.js";

export function startForms() {
  for (const form of document.querySelectorAll("form[data-form]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const topic = form.querySelector("select")?.value;
      tell("track", form.dataset.form, topic ? { topic } : {});
      form.querySelector(".thanks").textContent = form.dataset.thanks;
      form.classList.add("sent");
    });
  }
}
