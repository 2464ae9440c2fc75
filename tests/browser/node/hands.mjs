// What the tour does with a page: it clicks and types, and the API says what has changed. With
// HANDS=keyboard there is no mouse: see by_keyboard.mjs.

import { createServer } from "node:http";
import { takeMouseAway } from "./by_keyboard.mjs";
import { equal, eventually, listen, openPage, rest, scene, visit } from "./console.mjs";
import { watchUse } from "./controls.mjs";

const CLICK_MS = 4000;
export const HAS_MOUSE = process.env.HANDS !== "keyboard";

export async function visitor(browser, topic) {
  const { page, context, seen } = await openPage(browser, { acceptDownloads: true });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  page.setDefaultTimeout(CLICK_MS);
  await watchUse(context);
  if (!HAS_MOUSE) await takeMouseAway(page, context);
  const dialog = page.locator("dialog[open]");
  const field = (name) => dialog.locator(`[name="${name}"]`);
  const press = (name, within = page) => within.getByRole("button", { name, exact: typeof name === "string" }).first().click();

  // Fill the fields of the dialog: a choice by its name, a set by the labels of its boxes.
  async function fill(fields) {
    for (const [name, value] of Object.entries(fields)) {
      if (Array.isArray(value)) for (const label of value) await dialog.getByLabel(label, { exact: true }).check();
      else if ((await field(name).evaluate((each) => each.tagName)) === "SELECT") await field(name).selectOption(value);
      else await field(name).fill(value);
    }
  }

  const closed = () => dialog.waitFor({ state: "detached" });

  // Fill the dialog that is open, and press its button.
  async function answer(fields, action) {
    await dialog.waitFor();
    await fill(fields);
    await press(action, dialog);
    await closed();
  }

  async function ask(opener, fields, action, within = page) {
    await press(opener, within);
    await answer(fields, action);
  }

  const tab = (name) => page.getByRole("tab", { name, exact: true }).click();
  const row = (table, text) => page.getByRole("table", { name: table, exact: true }).getByRole("row").filter({ hasText: text }).first();
  const shown = (text, within = page) => within.getByText(text).first().waitFor();
  const step = (name, run) =>
    scene(topic, name, async () => {
      try {
        await run();
      } catch (error) {
        const troubles = await page.locator(".trouble").allTextContents().catch(() => []);
        if (process.env.OUTPUT) await page.screenshot({ path: `${process.env.OUTPUT}/${topic}-${name.replaceAll(/\W+/g, "-")}.png` });
        throw new Error(`${error.stack}\n${page.url()}\n${troubles.join("\n")}`);
      }
    });
  // The server refuses what was just done; the browser says so, and only this once.
  const refused = () =>
    eventually(() => {
      const at = seen.errors.findLastIndex((each) => /status of 400/.test(each));
      return at >= 0 && seen.errors.splice(at, 1);
    }, "refused");
  return { page, context, seen, refused, dialog, field, press, fill, answer, ask, closed, tab, row, shown, step, go: (address) => visit(page, address) };
}

export const copied = (page) => page.evaluate(() => navigator.clipboard.readText());

// A receiver of webhooks that answers what `status` says.
export async function switchedReceiver() {
  const state = { status: 200, received: [], url: "" };
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      state.received.push(body);
      response.writeHead(state.status).end("{}");
    });
  });
  state.url = `${await listen(server)}/tour`;
  return state;
}

// Whether an object is gone, by the API.
export const isGone = (path) => rest.get(path).then(() => false, (error) => / 404 /.test(error.message));

// Wait until what the API answers has these values.
export async function holds(path, expected, pick = (found) => found) {
  let last;
  await eventually(async () => {
    // Not there yet: 404.
    last = pick(await rest.get(path).catch(() => ({})));
    return last && Object.entries(expected).every(([name, value]) => JSON.stringify(last[name]) === JSON.stringify(value));
  }, `${path}: ${JSON.stringify(expected)}`, 10_000).catch(() => {
    for (const [name, value] of Object.entries(expected)) equal(last?.[name], value, `${path}, ${name}`);
  });
  return last;
}
