// Lighthouse over the demo's pages of a running gateway, on a phone and on a desk: `make bench-pages`.
// Prints one line a page; ends with 1 when performance or accessibility is below 95, or anything moves by 0.02.
// Performance is a measurement: run it while the machine does nothing else.

import { launch } from "chrome-launcher"
import lighthouse, { desktopConfig } from "lighthouse"

const GATEWAY = process.argv[2] || "http://127.0.0.1:8080"
const PAGES = ["", "tuotteet", "tuotteet/raportointi", "hinnoittelu", "vertailu/taulukkolaskenta",
  "artikkelit/yksi-luku", "esittely", "asiakkaalle", "en", "en/prices"]
const WANTED = 0.95
const MOST_SHIFT = 0.02
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"]

let poor = 0
for (const [form, config] of [["phone", undefined], ["desktop", desktopConfig]]) {
  for (const page of PAGES) {
    const chrome = await launch({ chromePath: process.env.CHROMIUM || "/usr/bin/chromium", chromeFlags: FLAGS })
    const onlyCategories = ["performance", "accessibility", "best-practices"]
    const run = await lighthouse(`${GATEWAY}/demo/${page}`, { port: chrome.port, logLevel: "error", onlyCategories }, config)
    await chrome.kill()
    const { categories, audits } = run.lhr
    const shift = audits["cumulative-layout-shift"].numericValue
    const scores = Object.values(categories).map(({ id, score }) => `${id} ${Math.round(score * 100)}`)
    const good = categories.performance.score >= WANTED && categories.accessibility.score >= WANTED && shift < MOST_SHIFT
    poor += !good
    console.log(good ? "good" : "POOR", form.padEnd(7), `/demo/${page}`.padEnd(32), scores.join(", "), `CLS ${shift.toFixed(3)}`)
  }
}
process.exit(poor ? 1 : 0)
