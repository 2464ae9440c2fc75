// The frame: the account that is used comes first, and a key signs in where it may not see all.

import { api, BASE_URL, CONSOLE, equal, eventually, openPage, receiver, rest, scene, settled, visit, withBrowser } from "./console.mjs";

const { API_KEY_SID, API_KEY_SECRET } = process.env;

// An account that sorts first, and has no traffic.
await rest.post("/parlour/v1/Accounts", { Sid: `AC${"0".repeat(31)}1`, FriendlyName: "Busy", AuthToken: "token of the busy account" });
const busy = `Basic ${btoa(`AC${"0".repeat(31)}1:token of the busy account`)}`;
for (let number = 0; number < 40; number += 1) await api("POST", "/v1/Users", { Identity: `user ${number}` }, { Authorization: busy });

// Where the search goes.
const other = "0".repeat(32);
const places = (cursor, service) => ({
  [`CH${other}`]: `/conversations/CH${other}`,
  [`US${other}`]: `/users/US${other}`,
  [cursor]: `/events/${cursor}`,
  [`RL${other}`]: "/settings?tab=roles",
  [`SK${other}`]: "/settings?tab=keys",
  [service]: `/conversations?service=${service}`,
  somebody: "search=somebody",
});

await withBrowser(async (browser) => {
  const { page, seen } = await openPage(browser);
  await scene("frame", "the console opens with the account that has traffic", async () => {
    await page.goto(CONSOLE);
    await settled(page);
    await eventually(() => new URL(page.url()).pathname.includes(`AC${"0".repeat(31)}1`), page.url());
    equal(await page.textContent('select[aria-label="Account"] option:checked'), "Busy");
  });
  await scene("frame", "another account shows that its requests go elsewhere", async () => {
    await visit(page, "start");
    const options = page.locator('select[aria-label="Account"] option');
    equal(await options.filter({ hasText: /^Test account$/ }).count(), 1);
    equal(await options.filter({ hasText: /^Busy \(\d+ requests in 5 min\)$/ }).count(), 1);
  });
  await scene("frame", "a SID or a cursor goes to what it names", async () => {
    await rest.post("/v1/Conversations");
    const { cursor } = (await rest.get("/parlour/v1/Events?PageSize=1")).events[0];
    const { default_chat_service_sid: service } = await rest.get("/v1/Configuration");
    for (const [text, place] of Object.entries(places(cursor, service))) {
      await page.keyboard.press("/");
      await page.keyboard.type(text);
      await page.keyboard.press("Enter");
      await eventually(() => page.url().endsWith(place), `${text}: ${page.url()}`);
      await settled(page);
    }
  });
  await scene("frame", "receivers that fail are counted in the menu", async () => {
    const target = await receiver(() => 500);
    await rest.post("/v1/Configuration/Webhooks", { PostWebhookUrl: target.url, Filters: "onConversationAdded" });
    await rest.post("/v1/Conversations", { FriendlyName: "Fails" }, { "X-Twilio-Webhook-Enabled": "true" });
    await page.getByRole("link", { name: /^Webhooks.*1 failing/ }).waitFor();
    await rest.post("/v1/Configuration/Webhooks", { PostWebhookUrl: "" });
  });
  await scene("frame", "the clock of test mode runs, and follows the server", async () => {
    const badge = page.getByTitle("The clock of test mode");
    await rest.post("/parlour/v1/Clock", { Mode: "frozen", Now: "2031-05-06T07:08:09Z" });
    await badge.getByText("virtual 2031-05-06 07:08:09, frozen").waitFor();
    await rest.post("/parlour/v1/Clock", { Mode: "shifted", Now: "2031-05-06T07:08:09Z" });
    await eventually(async () => /shifted/.test(await badge.textContent()), "another mode");
    const first = await badge.textContent();
    await eventually(async () => (await badge.textContent()) !== first, "the clock runs");
  });
  await scene("frame", "a row that cannot be drawn shows its JSON; a page that cannot says so", async () => {
    const { sid } = await rest.post("/v1/Conversations", { FriendlyName: "Whole" });
    await rest.post(`/v1/Conversations/${sid}/Messages`, { Author: "one", Body: "drawn" });
    await rest.post(`/v1/Conversations/${sid}/Messages`, { Author: "other", Body: "not drawn" });
    await page.route("**/Messages?**", async (route) => {
      const response = await route.fetch();
      const body = await response.json();
      body.messages[0].media = 1;
      return route.fulfill({ response, json: body });
    });
    await visit(page, `conversations/${sid}`);
    await page.locator(".message .text", { hasText: /^drawn$/ }).waitFor();
    await page.locator("li code", { hasText: "not drawn" }).waitFor();
    await page.route("**/Users?**", async (route) => {
      const response = await route.fetch();
      return route.fulfill({ response, json: { ...(await response.json()), users: [null] } });
    });
    await page.getByRole("link", { name: "Users", exact: true }).click();
    await page.getByRole("heading", { name: "This page could not be drawn" }).waitFor();
    await page.getByRole("link", { name: "Phones", exact: true }).click();
    await page.getByRole("heading", { name: "Phones", level: 1 }).waitFor();
    await page.unrouteAll();
  });
  await scene("frame", "an answer to an earlier call does not undo a sign-out", async () => {
    let answer;
    const left = new Promise((done) => (answer = done));
    await visit(page, "start");
    await page.route("**/WebhookEndpoints", async (route) => {
      await left;
      return route.fulfill({ status: 401, json: { code: 20003 } });
    });
    await page.waitForRequest(/WebhookEndpoints/);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("dialog").waitFor();
    const answered = page.waitForResponse(/WebhookEndpoints/);
    answer();
    await answered;
    await settled(page);
    equal(await page.evaluate(async () => (await fetch("/parlour/console/session")).status), 401);
    await page.unrouteAll();
    await page.reload();
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
