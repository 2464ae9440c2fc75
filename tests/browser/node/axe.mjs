// Every page in both themes and at both widths: accessibility, layout, requests to others, errors.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { addresses } from "./addresses.mjs";
import { check, NARROW, openPage, scene, seed, violations, visit, WIDE, withBrowser } from "./console.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const { OUTPUT } = process.env;

export async function findings(page, rules = { runOnly: TAGS }) {
  // The policy of the page refuses injected scripts, so the checker is evaluated in it.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const found = await page.evaluate((options) => globalThis.axe.run(document, options), rules);
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

// Runs in the page: what is wider than the screen, and controls whose text is cut.
function layout() {
  const found = [];
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) found.push(`the page is ${over} px too wide`);
  for (const each of document.querySelectorAll("main *")) {
    if (each.closest("pre, .tabs, .unseen, svg") || !each.checkVisibility()) continue;
    const { right, width } = each.getBoundingClientRect();
    if (width > 1 && right > innerWidth + 1 && found.length < 5) found.push(`beyond the screen by ${Math.round(right - innerWidth)} px: ${each.outerHTML.slice(0, 100)}`);
  }
  for (const each of document.querySelectorAll("button, .badge, h1, [role=tab], th, .button")) {
    if (each.closest(".cut") || !each.checkVisibility() || getComputedStyle(each).position === "absolute") continue;
    if (each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflow !== "visible")
      found.push(`cut: ${each.textContent.slice(0, 60)}`);
  }
  for (const each of document.querySelectorAll("button, a.button, select, input:not([type=checkbox], [type=radio], .unseen)")) {
    const box = each.getBoundingClientRect();
    if (each.checkVisibility() && box.width && (box.height < 24 || box.width < 24))
      found.push(`target of ${Math.round(box.width)} × ${Math.round(box.height)} px: ${each.outerHTML.slice(0, 120)}`);
  }
  return found;
}

// A page is loaded once; its four looks differ in colours and widths only.
async function look(page, name, address) {
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: "light" });
  await visit(page, address);
  for (const viewport of [WIDE, NARROW]) {
    await page.setViewportSize(viewport);
    for (const theme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: theme });
      const isFirst = theme === "light";
      const found = isFirst ? [...(await findings(page)), ...(await page.evaluate(layout))] : await findings(page, { runOnly: ["color-contrast"] });
      check("axe", `${name} at ${viewport.width} px, ${theme}`, found.length === 0, found.join("\n"));
      if (OUTPUT) await page.screenshot({ path: `${OUTPUT}/${name}-${viewport.width}-${theme}.png` });
    }
  }
}

async function showsRemovedLabels(browser) {
  const { page, context } = await openPage(browser);
  await visit(page, "requests");
  await page.evaluate(() => document.querySelector(".search input").removeAttribute("aria-label"));
  await page.evaluate(() => document.querySelector(".search input").removeAttribute("placeholder"));
  const found = await findings(page);
  check("axe", "a removed label is reported", found.some((each) => each.startsWith("label")), found.join("\n"));
  await context.close();
}

const { sids } = await seed();
const pages = await addresses(sids);
await withBrowser(async (browser) => {
  const { page, seen } = await openPage(browser);
  for (const [name, address] of Object.entries(pages)) await scene("axe", name, () => look(page, name, address));
  const wrong = [...seen.errors, ...seen.foreign, ...seen.dialogs, ...(await violations(page))];
  check("axe", "no errors, no requests to others", wrong.length === 0, wrong.join("\n"));
  await showsRemovedLabels(browser);
});
