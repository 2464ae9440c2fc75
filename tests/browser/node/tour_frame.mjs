// The tour of what surrounds the pages: menu, search, pickers, theme, help, and narrow windows.

import { ACCOUNT_SID, AUTH_TOKEN, BASE_URL, equal, eventually, rest, settled } from "./console.mjs";
import { copied, holds } from "./hands.mjs";

const WIDE = { width: 1280, height: 800 };
const OTHER = `AC${"0".repeat(31)}7`;

async function menu({ page, step, go }, sids) {
  const rail = page.getByRole("navigation", { name: "Pages" });
  await step("the menu leads to each page", async () => {
    await go("users");
    const names = (await rail.getByRole("link").allTextContents()).map((each) => each.trim().replace(/\s*\d+ failing$/, ""));
    equal(names.length, 17, "pages");
    for (const name of names) {
      await rail.getByRole("link", { name: new RegExp(`^${name}( \\d+ failing)?$`) }).click();
      await rail.locator("[aria-current=page]", { hasText: name }).waitFor();
      await page.waitForFunction((title) => document.title.startsWith(title) && document.querySelector("main h1:not(.unseen)"), name);
    }
    await page.getByRole("link", { name: "Parlour", exact: true }).click();
    await page.getByRole("heading", { name: "Conversations", level: 1 }).waitFor();
  });
  await step("tabs lead to each other", async () => {
    for (const [address, label] of [["settings", "Settings"], ["test", "Functions of test mode"], ["clients", "Clients"], ["webhooks", "About webhooks"], [`conversations/${sids["conversations.lamp"]}`, "About the conversation"]]) {
      await go(address);
      const tabs = page.getByRole("tablist", { name: label }).getByRole("tab");
      const count = await tabs.count();
      for (let at = count - 1; at >= 0; at -= 1) {
        await tabs.nth(at).click();
        await page.waitForFunction(([name, place]) => document.querySelectorAll(`[aria-label="${name}"] [role=tab]`)[place].ariaSelected === "true", [label, at]);
        await settled(page);
        equal(await page.getByRole("tabpanel").count(), 1, "panels");
      }
    }
  });
}

async function bar({ page, step, go, press, dialog, closed }, sids) {
  await step("the field at the top goes to a SID, and searches", async () => {
    const field = page.getByRole("searchbox", { name: "Search, or go to a SID" });
    await go("start");
    await field.fill(sids["users[0]"]);
    await field.press("Enter");
    await page.locator(".panel").getByText("Alice Moreno").waitFor();
    await field.fill("ben");
    await field.press("Enter");
    await page.locator(".items a").filter({ hasText: "Return of a lamp" }).waitFor();
    equal(await page.locator(".items a").count(), 1, "found");
  });
  await step("theme, keys and time zone are chosen, and stay", async () => {
    const theme = page.getByRole("button", { name: /^Theme/ });
    const dark = () => page.evaluate(() => document.documentElement.dataset.theme);
    for (const name of ["light", "dark"]) {
      await theme.click();
      await eventually(async () => (await dark()) === name, name);
    }
    await press("Help and keys");
    await dialog.getByText("replay the attempt").waitFor();
    await dialog.getByLabel("Times in UTC").click();
    await dialog.getByLabel("Single letters are keys").click();
    await press("Done", dialog);
    await closed();
    await go("events");
    equal(await dark(), "dark", "after a reload");
    const [shown, exact] = await page.locator("td time").first().evaluate((time) => [time.textContent, time.dateTime]);
    equal(exact.includes(shown), true, `${shown} is UTC`);
    await press("Help and keys");
    for (const name of ["Times in UTC", "Single letters are keys"]) await dialog.getByLabel(name).click();
    await press("Done", dialog);
    await closed();
    equal(JSON.parse(await page.evaluate(() => localStorage.parlour)), { theme: "dark", zone: "", shortcuts: "" }, "preferences");
    await theme.click();
  });
}

async function pickers({ page, step, go, ask }) {
  await step("the service picker: lists and new conversations are of the service", async () => {
    const { sid } = await rest.post("/v1/Services", { FriendlyName: "Branch" });
    const picker = page.getByLabel("Service", { exact: true });
    await go("conversations");
    await picker.selectOption("Branch");
    await page.getByText("No conversations yet").or(page.getByText("Nothing matches")).first().waitFor();
    await ask("New", { FriendlyName: "In the branch" }, "Create");
    await holds(`/v1/Services/${sid}/Conversations`, { friendly_name: "In the branch" }, (found) => found.conversations[0]);
    await page.locator(".items a").filter({ hasText: "In the branch" }).waitFor();
    equal(await page.locator(".items a").count(), 1, "rows");
    await picker.selectOption("Default service");
    await page.locator(".items a").filter({ hasText: "Order 4711" }).waitFor();
    await rest.remove(`/v1/Services/${sid}`);
  });
  await step("the account picker", async () => {
    await rest.post("/parlour/v1/Accounts", { Sid: OTHER, FriendlyName: "Neighbour", AuthToken: "token of the neighbour" });
    await go("users");
    await page.getByLabel("Account", { exact: true }).selectOption("Neighbour");
    await page.waitForURL(`**/${OTHER}/users`);
    await page.getByText("No users yet").waitFor();
    await page.getByLabel("Account", { exact: true }).selectOption(ACCOUNT_SID);
    await page.getByRole("link", { name: "alice", exact: true }).waitFor();
    await rest.remove(`/parlour/v1/Accounts/${OTHER}`);
  });
}

async function narrow({ page, step, go, press }, sids) {
  const rail = page.getByRole("navigation", { name: "Pages" });
  await step("below 900 px: the menu opens and closes; lists and details are two screens", async () => {
    await page.setViewportSize({ width: 800, height: 800 });
    await go("conversations");
    equal(await rail.isVisible(), false, "the menu is closed");
    await press("Menu");
    await rail.getByRole("link", { name: "Users", exact: true }).click();
    await page.getByRole("heading", { name: "Users", level: 1 }).waitFor();
    equal(await rail.isVisible(), false, "the menu is closed again");
    await page.setViewportSize({ width: 390, height: 844 });
    await go("conversations");
    await page.locator(`[data-row="${sids["conversations.lamp"]}"]`).click();
    await page.getByRole("heading", { name: "Return of a lamp" }).waitFor();
    equal(await page.locator(".items").isVisible(), false, "the list is away");
    await page.getByRole("link", { name: "Back to the list" }).click();
    await page.locator(".items").waitFor();
    await go(`phones?on=${encodeURIComponent("+15550100,+15550101")}`);
    const phone = (name) => page.getByRole("region", { name: `Phone ${name}` });
    equal([await phone("+15550100").isVisible(), await phone("+15550101").isVisible()], [true, false], "one phone");
    await page.getByRole("tab", { name: "+15550101" }).click();
    await phone("+15550101").waitFor();
    await go(`clients?identity=alice&conversation=${sids["conversations.order"]}`);
    await page.getByRole("link", { name: "Back", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "alice" }).waitFor();
    await page.setViewportSize(WIDE);
  });
}

export async function frame(hand, sids) {
  const { page, step, go, press } = hand;
  await menu(hand, sids);
  await bar(hand, sids);
  await pickers(hand);
  await narrow(hand, sids);
  await step("the lines of Start are copied", async () => {
    await go("start");
    await press("Copy");
    const text = await copied(page);
    equal([text.includes(BASE_URL), text.includes(ACCOUNT_SID)], [true, true], text);
  });
}

// The very last part.
export async function signOut({ page, step, go, press, answer }) {
  await step("signed out, the page asks; an account signs in", async () => {
    const session = () => page.evaluate(async () => (await fetch("/parlour/console/session")).json());
    await go("sessions");
    await press("Sign out");
    await page.getByRole("dialog").getByLabel("Auth token or secret").waitFor();
    equal((await session()).code, 20003);
    await answer({ Name: ACCOUNT_SID, Secret: AUTH_TOKEN }, "Sign in");
    equal((await session()).account_sid, ACCOUNT_SID);
  });
}
