// The customer area: two pretended customers, whom the site makes known to the gateway with an identify call.

import { keep, recall } from "./memory.js";
import { tell } from "./sdk.js";

const CUSTOMERS = {
  matti: {
    traits: { firstName: "Matti", plan: "pro", owns: ["insight pro"] },
    company: { name: "Konepaja Laine", industry: "manufacturing", employees: 140 },
  },
  sanna: {
    traits: { firstName: "Sanna", plan: "basic", owns: ["insight"] },
    company: { name: "Lumotukku", industry: "wholesale", employees: 64 },
  },
};

export function startCustomer() {
  const desk = document.querySelector("#desk");
  if (!desk) return;
  for (const button of document.querySelectorAll("[data-customer]")) {
    button.addEventListener("click", () => (button.dataset.customer ? logIn(button.dataset.customer) : logOut()));
  }
  greet(recall("sessionStorage", "customer"));
}

async function logIn(name) {
  const { traits, company } = CUSTOMERS[name];
  if (recall("sessionStorage", "customer")) await tell("reset"); // one browser, another person
  keep("sessionStorage", "customer", name);
  greet(name);
  await tell("identify", `${name}@customer.example`, traits);
  await tell("group", company.name, company);
}

async function logOut() {
  keep("sessionStorage", "customer", null);
  greet(null);
  await tell("reset");
}

function greet(name) {
  const greeting = document.querySelector("#greeting");
  greeting.dataset.default ??= greeting.textContent;
  const known = CUSTOMERS[name];
  greeting.textContent = known
    ? greeting.dataset.greeting.replace("{name}", known.traits.firstName)
    : greeting.dataset.default;
  document.querySelector("#desk").hidden = !known;
  document.querySelector(".people").hidden = Boolean(known);
}
