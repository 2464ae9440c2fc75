// Every dialog that a button of a page opens. No change reaches the server: it is refused as busy, so
// that each button shows its error too.

import { eventually, move, quiet } from "./console.mjs";

const CLICKS_MAX = 60;
// Operations of POST that change nothing that a page shows.
const READS = /\/(session|Tokens|TokenChecks|WebhookSignatures)$/;
const BUSY = { status: 429, contentType: "application/json", headers: { "twilio-request-id": `RQ${"0".repeat(32)}` } };
const PROBLEM = { code: 20429, message: "Too many requests: this is a test of what is refused.", status: 429 };

export async function refuseChanges(context) {
  await context.route("**/parlour/console/**", (route) => {
    const method = route.request().method();
    const isRead = method === "GET" || (method === "POST" && READS.test(route.request().url()));
    return isRead ? route.fallback() : route.fulfill({ ...BUSY, json: PROBLEM });
  });
}

// Runs in the page: presses the next button that was not tried, and returns what it is called. A button
// is named by its text or icon, and by the part of the page that it is in.
function pressNext(tried) {
  for (const button of document.querySelectorAll("main button:not([role=tab], dialog *)")) {
    if (button.disabled || !button.checkVisibility()) continue;
    const icon = button.querySelector("use")?.getAttribute("href").split("#")[1];
    const part = button.closest("table, section, li, form, header");
    const place = part?.ariaLabel ?? part?.querySelector("h1, h2, h3")?.textContent ?? part?.className ?? "";
    const name = `${button.textContent.trim() || icon} (${place.slice(0, 60)})`;
    if (tried.includes(name)) continue;
    button.click();
    return name;
  }
  return "";
}

// Runs in the page: what kind of dialog is open, by its fields and the first word of its title.
function openDialog() {
  const dialog = document.querySelector("dialog[open]");
  const fields = [...(dialog?.querySelectorAll("[name]") ?? [])].map((each) => each.name);
  return dialog && `${dialog.querySelector("h2").textContent.split(" ")[0]} ${[...new Set(fields)]}`;
}

const closeAll = (page) => page.evaluate(() => document.querySelectorAll("dialog[open]").forEach((each) => each.close()));
const drawn = (page) => page.evaluate(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next))));
const done = (page) => quiet(page, 30).then(() => drawn(page));

// Look at what a button has opened, and at the error when it is sent. `known` has kinds of dialogs.
async function visitDialog(page, known, look) {
  const kind = await page.evaluate(openDialog);
  if (!kind) return;
  if (!known.has(kind)) {
    known.add(kind);
    await look(kind, "open");
    await page.evaluate(() => document.querySelector("dialog[open] form").requestSubmit());
    await done(page);
    if (await page.locator("dialog[open] .trouble").count()) await look(kind, "refused");
  }
  await closeAll(page);
  await eventually(async () => !(await page.evaluate(openDialog)), `${kind} is closed`, 10_000, 15);
}

// Press each button of the page that is shown, but those of `tried`, and look at the dialogs.
export async function eachDialog({ page, seen }, { tried, known }, look) {
  const address = page.url();
  for (let count = 0; count < CLICKS_MAX; count += 1) {
    const name = await page.evaluate(pressNext, [...tried]);
    if (!name) return;
    tried.add(name);
    await done(page);
    if (seen.errors.length) throw new Error(`after a click on ${name}: ${seen.errors.splice(0)}`);
    await visitDialog(page, known, look);
    if (new URL(page.url()).pathname !== new URL(address).pathname) await move(page, address);
  }
}
