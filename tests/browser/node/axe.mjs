// Every page, panel and dialog in both themes and at both widths, and as refusals, a lost stream,
// sign-in and an operator without rights show it: accessibility, layout, requests to others, errors.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { addresses, illustrated, oneOfEach, scopedWebhooks } from "./addresses.mjs";
import { check, CONSOLE, eventually, inTabs, move, NARROW, openPage, rest, scene, seed, settled, visit, WIDE, withBrowser } from "./console.mjs";
import { eachDialog, refuseChanges } from "./dialogs.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const CONTRAST = ["color-contrast"];
const { OUTPUT, OPERATOR_SID, OPERATOR_SECRET } = process.env;

async function findings(page, runOnly = TAGS, within = "html") {
  // The policy of the page refuses injected scripts, so the checker is evaluated in it.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const options = { runOnly, resultTypes: ["violations"] };
  const found = await page.evaluate(([root, given]) => globalThis.axe.run(root, given), [within, options]);
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

// A look: width, theme, and what is checked in which part. All differ in colours and widths only, and
// the frame around the pages has looks of its own.
const ALL = [[WIDE, "light", TAGS], [WIDE, "dark", CONTRAST], [NARROW, "light", TAGS], [NARROW, "dark", CONTRAST]];
const PAGE = [ALL[0], ...ALL.slice(1).map((each) => [...each, "main"])];
// Of what has the same parts as pages that are checked in all looks.
const SAME = [[WIDE, "light", []], [NARROW, "dark", TAGS, "main"]];
const DIALOG = [[WIDE, "dark", TAGS, "dialog[open]"], [NARROW, "light", TAGS, "dialog[open]"]];
const REFUSED = [[WIDE, "light", []], [NARROW, "light", []]];

async function look(page, name, looks = ALL) {
  for (const [viewport, theme, rules, within] of looks) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme: theme });
    const found = rules.length ? await findings(page, rules, within) : [];
    if (rules !== CONTRAST) found.push(...(await page.evaluate(layout)));
    check("axe", `${name} at ${viewport.width} px, ${theme}`, found.length === 0, found.join("\n"));
    if (OUTPUT) await page.screenshot({ path: `${OUTPUT}/${name.replaceAll(/\W+/g, "-")}-${viewport.width}-${theme}.png` });
  }
}

const lookAtDialog = (page) => async (kind, state) => {
  // The buttons at the bottom cover a part of a long form, from which it can be scrolled away.
  await page.evaluate(() => document.querySelector("dialog[open] .actions").style.setProperty("position", "static"));
  await look(page, `dialog ${kind}, ${state}`, state === "open" ? DIALOG : REFUSED);
  await page.setViewportSize(WIDE);
};

function nothingWrong(name, wrong) {
  check("axe", `${name}: no errors, no requests to others`, wrong.length === 0, wrong.slice(0, 5).join("\n"));
}

// --- What is looked at ----------------------------------------------------------------------------

async function tab(browser) {
  const made = await openPage(browser);
  await made.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await refuseChanges(made.context);
  await visit(made.page, "nowhere");
  return made;
}

async function pagesAndDialogs(browser, pages) {
  const dialogs = { tried: new Set(), known: new Set() };
  const wrong = await inTabs(Object.entries(pages), () => tab(browser), async (made, [name, address]) => {
    await scene("axe", name, async () => {
      await made.page.setViewportSize(WIDE);
      await move(made.page, address);
      await look(made.page, name, PAGE);
      await made.page.setViewportSize(WIDE);
      await eachDialog(made, dialogs, lookAtDialog(made.page));
    });
  });
  nothingWrong("pages", wrong);
  check("axe", "many kinds of dialogs", dialogs.known.size >= 45, [...dialogs.known].join("\n"));
}

// All lists and objects are refused: as an error of the server, or as too many requests.
async function refusals(browser, pages) {
  const wrong = await inTabs(Object.entries(pages), async () => {
    const made = await tab(browser);
    let count = 0;
    await made.context.route(/console\/api\//, (route) => {
      count += 1;
      const [status, code, message] = count % 2 ? [500, 20500, "An internal server error has occurred"] : [429, 20429, "Too many requests"];
      return route.fulfill({ status, json: { status, code, message }, headers: { "twilio-request-id": `RQ${"0".repeat(32)}` } });
    });
    return made;
  }, async ({ page }, [name, address]) => {
    await scene("axe", `${name} is refused`, async () => {
      await move(page, address);
      const isNamed = async () => WITHOUT_DATA.has(name) || /Too many requests|internal server error/.test(await page.textContent("main"));
      await eventually(isNamed, "the page says what failed", 5000);
      await look(page, `${name}, refused`, SAME);
    });
  });
  nothingWrong("refused pages", wrong.filter((each) => !/status of 500/.test(each)));
}

const WITHOUT_DATA = new Set(["tokens", "test-triggers", "unknown"]);

async function lostStream(browser) {
  const made = await openPage(browser);
  await made.context.route(/\/Events/, (route) => (/event-stream/.test(route.request().headers().accept) ? route.abort() : route.fallback()));
  await visit(made.page, "conversations");
  await made.page.locator(".banner").waitFor();
  await look(made.page, "lost stream");
  await made.context.close();
}

async function frame(browser) {
  const { page, context } = await openPage(browser, { viewport: NARROW });
  await visit(page, "conversations");
  await look(page, "frame");
  await page.setViewportSize(NARROW);
  await page.getByRole("button", { name: "Menu" }).click();
  await look(page, "open menu", [ALL[2], ALL[3]]);
  await page.setViewportSize(WIDE);
  await page.getByRole("button", { name: "Help and keys" }).click();
  await page.locator("dialog[open]").waitFor();
  await look(page, "help", DIALOG);
  await context.close();
}

// Signed out, refused, and in again as an operator who may only view. Returns the cookie.
async function signIn(browser) {
  const { page, context } = await openPage(browser);
  await visit(page, "sessions");
  await page.getByRole("button", { name: "Sign out" }).click();
  const dialog = page.getByRole("dialog");
  const press = async (secret) => {
    await dialog.getByLabel("Account, API key or operator key").fill(OPERATOR_SID);
    await dialog.getByLabel("Auth token or secret").fill(secret);
    await dialog.getByRole("button", { name: "Sign in" }).click();
  };
  await dialog.waitFor();
  await look(page, "sign-in over a page");
  await press("wrong");
  await dialog.getByRole("alert").waitFor();
  await look(page, "sign-in, refused");
  await press(OPERATOR_SECRET);
  await dialog.waitFor({ state: "detached" });
  await settled(page);
  const storageState = await context.storageState();
  await context.close();
  return storageState;
}

async function firstSignIn(browser) {
  const { page, context } = await openPage(browser);
  await context.route("**/parlour/console/session", (route) => route.fulfill({ status: 401, json: { status: 401, code: 20003, message: "Sign in." } }));
  await page.goto(CONSOLE);
  await page.getByRole("dialog").waitFor();
  await look(page, "sign-in");
  await context.close();
}

async function viewer(browser, pages) {
  const storageState = await signIn(browser);
  const wrong = await inTabs(Object.entries(pages), async () => {
    const made = await openPage(browser, { storageState });
    await visit(made.page, "nowhere");
    return made;
  }, async ({ page }, [name, address]) => {
    await scene("axe", `${name} for a viewer`, async () => {
      await move(page, address);
      const open = await page.locator("main :is(button.danger, .composer textarea):enabled:visible").count();
      if (open) throw new Error(`${open} controls that change something`);
      await look(page, `${name} for a viewer`, SAME);
    });
  });
  nothingWrong("pages of a viewer", wrong.filter((each) => !/status of 403/.test(each)));
}

async function secretShownOnce(browser) {
  const { page, context } = await openPage(browser);
  await visit(page, "settings?tab=keys");
  await page.getByRole("button", { name: "New key", exact: true }).click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByRole("button", { name: "Create" }).click();
  await page.getByText("Shown once").waitFor();
  await look(page, "a new secret", DIALOG);
  await context.close();
}

async function showsRemovedLabels(browser) {
  const { page, context } = await openPage(browser);
  const removeLabel = (selector) => page.evaluate((found) => {
    const field = document.querySelector(found);
    for (const name of ["aria-label", "placeholder"]) field.removeAttribute(name);
    field.closest("label")?.replaceWith(field);
  }, selector);
  const reports = async (what, within) => {
    const found = await findings(page, TAGS, within);
    check("axe", `a removed label ${what} is reported`, found.some((each) => each.startsWith("label")), found.join("\n"));
  };
  await visit(page, "users");
  await removeLabel(".search input");
  await reports("of a page");
  await page.getByRole("button", { name: "User", exact: true }).click();
  await page.locator("dialog[open]").waitFor();
  await removeLabel("dialog [name=Identity]");
  await reports("of a dialog", "dialog[open]");
  await context.close();
}

const { sids, hooks } = await seed();
const { default_chat_service_sid: service } = await rest.get("/v1/Configuration");
const places = { service, order: sids["conversations.order"], url: hooks.url };
await scopedWebhooks("Sample", places);
await rest.post("/parlour/v1/Snapshots", { Name: "sample" });
const refused = { ...(await oneOfEach("Sample", places)), image: !(await illustrated("picture.png", places)) };
check("axe", "no list is empty", JSON.stringify(refused) === '{"image":false}', JSON.stringify(refused));
const pages = await addresses(sids);
await withBrowser(async (browser) => {
  await pagesAndDialogs(browser, pages);
  await refusals(browser, pages);
  await viewer(browser, pages);
  for (const each of [firstSignIn, lostStream, frame, secretShownOnce, showsRemovedLabels])
    await scene("axe", each.name, () => each(browser));
});
