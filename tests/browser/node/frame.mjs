// The frame: the account that is used comes first, and a key signs in where it may not see all.

import { api, BASE_URL, CONSOLE, equal, eventually, openPage, rest, scene, settled, visit, withBrowser } from "./console.mjs";

const { API_KEY_SID, API_KEY_SECRET } = process.env;

// An account that sorts first, and has no traffic.
await rest.post("/parlour/v1/Accounts", { Sid: `AC${"0".repeat(31)}1`, FriendlyName: "Busy", AuthToken: "token of the busy account" });
const busy = `Basic ${btoa(`AC${"0".repeat(31)}1:token of the busy account`)}`;
for (let number = 0; number < 40; number += 1) await api("POST", "/v1/Users", { Identity: `user ${number}` }, { Authorization: busy });

await withBrowser(async (browser) => {
  const { page, seen } = await openPage(browser);
  await scene("frame", "the console opens with the account that has traffic", async () => {
    await page.goto(CONSOLE);
    await settled(page);
    await eventually(() => new URL(page.url()).pathname.includes(`AC${"0".repeat(31)}1`), page.url());
    const text = await page.textContent('select[aria-label="Account"] option:checked');
    if (!/Busy \(\d+ requests in 5 min\)/.test(text)) throw new Error(text);
  });
  await scene("frame", "signed out, the page asks; a wrong secret is said; an API key signs in", async () => {
    await visit(page, "sessions");
    await page.getByRole("button", { name: "Sign out" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Account, API key or operator key").fill(API_KEY_SID);
    await dialog.getByLabel("Auth token or secret").fill("wrong");
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await dialog.getByRole("alert").waitFor();
    await dialog.getByLabel("Auth token or secret").fill(API_KEY_SECRET);
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await dialog.waitFor({ state: "detached" });
  });
  await scene("frame", "what a key may not see is left out, without an error", async () => {
    await visit(page, "conversations");
    await page.getByRole("heading", { level: 1, name: "Conversations" }).waitFor();
    equal(await page.locator(".trouble").count(), 0);
    equal(await page.getByRole("link", { name: "Accounts" }).count(), 0);
  });
  await scene("frame", "no errors of the page", async () => equal(seen.errors.filter((each) => !/status of 403/.test(each)), []));
  equal(new URL(page.url()).origin, BASE_URL);
});
