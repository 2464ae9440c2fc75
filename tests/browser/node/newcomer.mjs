// A newcomer's first quarter of an hour on an empty server: send a request, answer from a phone, find
// out why a webhook fails, and retry it.

import { CONSOLE, equal, eventually, openPage, receiver, rest, scene, settled, withBrowser } from "./console.mjs";

const go = async (page, name) => {
  await page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await settled(page);
};
const press = (within, name) => within.getByRole("button", { name, exact: true }).click();

async function sendsFirstRequest(page) {
  await page.goto(CONSOLE);
  await page.getByText("Waiting for the first request").waitFor();
  await rest.post("/v1/Conversations", { FriendlyName: "Order 4711" });
  await page.getByText("It works.").waitFor();
}

async function addsPhone(page) {
  await go(page, "Conversations");
  await page.getByText("Order 4711").first().click();
  await page.getByRole("tab", { name: "Participants" }).click();
  await press(page, "Add a participant");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/^Address/).fill("+15550100");
  await dialog.getByLabel(/^Proxy address/).fill("+15550999");
  await press(dialog, "Add");
  await page.getByRole("cell", { name: "+15550999" }).waitFor();
}

async function setsWebhook(page, url) {
  await go(page, "Settings");
  await page.locator("section", { hasText: "Webhooks of the account" }).last().getByRole("button", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/^Post webhook URL/).fill(url);
  await dialog.getByLabel("onMessageAdded", { exact: true }).check();
  await press(dialog, "Save");
  await dialog.waitFor({ state: "detached" });
  const found = await rest.get("/v1/Configuration/Webhooks");
  equal([found.post_webhook_url, found.method], [url, "POST"], "webhooks of the account");
}

async function answersFromPhone(page) {
  await rest.post("/v1/Conversations/" + (await rest.get("/v1/Conversations")).conversations[0].sid + "/Messages", { Author: "alice", Body: "Your parcel is on its way." });
  await go(page, "Phones");
  await page.getByText("Your parcel is on its way.").waitFor();
  await page.getByPlaceholder("Message").fill("Before noon?");
  await press(page, "Send");
  await page.getByRole("log").getByText("Before noon?").waitFor();
}

async function findsOutWhyAndRetries(page, hooks) {
  await go(page, "Webhooks");
  await page.getByRole("table").getByRole("link").first().click();
  await page.getByText("Refused: the receiver answered 500").waitFor();
  hooks.isBroken = false;
  const delivered = page.getByText("Delivered: the receiver answered 200");
  // An automatic retry may come first: then the newest attempt is in the list.
  await press(page, "Retry now");
  await eventually(() => delivered.isVisible(), "a delivered attempt");
}

const hooks = { isBroken: true };
Object.assign(hooks, await receiver(() => (hooks.isBroken ? 500 : 200)));
await withBrowser(async (browser) => {
  const { page, seen } = await openPage(browser);
  page.setDefaultTimeout(10_000);
  const steps = {
    "sends a first request": () => sendsFirstRequest(page),
    "adds a phone": () => addsPhone(page),
    "sets a webhook": () => setsWebhook(page, hooks.url),
    "answers from the phone": () => answersFromPhone(page),
    "finds out why a webhook fails, and retries it": () => findsOutWhyAndRetries(page, hooks),
    "sees no error": () => equal(seen.errors, []),
  };
  for (const [name, run] of Object.entries(steps)) await scene("newcomer", name, run);
});
