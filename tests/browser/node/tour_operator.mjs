// The tour of the pages of operators.

import { api, equal, eventually } from "./console.mjs";

const basic = (name, secret) => ({ Authorization: `Basic ${btoa(`${name}:${secret}`)}` });

// What the operator's own call answers, through the page's session.
const asked = (page, path) => page.evaluate(async (url) => (await fetch(url, { headers: { "Parlour-Console": "1" } })).json(), `/parlour/console/api/-/parlour/v1/Operator/${path}`);

async function reports({ page, step, go, shown, row }) {
  await step("health, queues, media and the server's settings", async () => {
    await go("health");
    const health = await asked(page, "Health");
    for (const each of health.checks) await shown(each.name, page.locator("main li"));
    await go("queues");
    await shown("Event log");
    for (const each of (await asked(page, "Queues")).jobs) await row("Jobs", each.name.replaceAll("_", " ")).waitFor();
    await go("media");
    await shown("Not attached to a message");
    await go("server");
    await row("Settings", "--console").waitFor();
  });
}

async function accounts({ page, step, go, press, ask, dialog, field, row, closed, shown }) {
  let owner = {};
  let sid = "";
  const secretOf = async () => {
    await page.getByText("Shown once").waitFor();
    const pair = await dialog.locator("dd code").allTextContents();
    await press("I have it", dialog);
    await closed();
    return pair;
  };
  const may = (headers) => api("GET", "/v1/Conversations", undefined, headers).then(() => true, () => false);
  await step("an account is made; its secret signs in", async () => {
    await go("accounts");
    await press("New account");
    await field("FriendlyName").fill("Tour account");
    await press("New account", dialog);
    const [name, secret] = await secretOf();
    [sid, owner] = [name, basic(name, secret)];
    equal(await may(owner), true, "signs in");
  });
  await step("an account gets a key", async () => {
    await press("New key", row("Accounts", "Tour account"));
    await field("FriendlyName").fill("Second");
    await press("New key", dialog);
    equal(await may(basic(...(await secretOf()))), true, "the key signs in");
  });
  await step("an account is suspended, reopened and closed", async () => {
    await ask("Suspend", {}, "Suspend", row("Accounts", "Tour account"));
    await eventually(async () => !(await may(owner)), "suspended");
    await ask("Reopen", {}, "Reopen", row("Accounts", "Tour account"));
    await eventually(() => may(owner), "reopened");
    await press("Close", row("Accounts", "Tour account"));
    await field("typed").fill("AC1");
    await press("Close", dialog);
    await shown("That is not the SID of the account.", dialog);
    equal(await may(owner), true, "not closed");
    await field("typed").fill(sid);
    await press("Close", dialog);
    await closed();
    await eventually(async () => !(await may(owner)), "closed");
  });
  await step("the audit log has these changes, with filters", async () => {
    await go("audit");
    const lines = () => page.getByRole("table", { name: "Audit" }).getByRole("row").count();
    const before = await lines();
    await press("Load more");
    await eventually(async () => (await lines()) > before, "more lines");
    const { audit } = await asked(page, "Audit?PageSize=20");
    const { operation } = audit.find((each) => each.subject_sid === sid);
    for (const [label, text] of [["Operation", operation], ["Account SID", sid], ["Who", audit[0].principal.name]]) {
      await page.getByLabel(label, { exact: true }).fill(text);
      await page.getByLabel(label, { exact: true }).press("Enter");
      await page.waitForURL((url) => url.search.includes(text));
    }
    await row("Audit", operation).waitFor();
    equal(audit.filter((each) => each.subject_sid === sid).length >= 3, true, "lines");
  });
}

export async function operator(hand, sids, visitor) {
  await reports(hand);
  await accounts(hand);
  const { page, step, go } = hand;
  await step("another session is ended", async () => {
    await go("sessions");
    const before = await page.locator("[data-row]").evaluateAll((rows) => rows.map((each) => each.dataset.row));
    const second = await visitor();
    await second.go("users");
    const signedIn = () => second.page.evaluate(async () => (await fetch("/parlour/console/session")).status);
    equal(await signedIn(), 200, "signed in");
    await go("sessions");
    const now = await page.locator("[data-row]").evaluateAll((rows) => rows.map((each) => each.dataset.row));
    const made = now.find((each) => !before.includes(each));
    await page.locator(`[data-row="${made}"]`).getByRole("button", { name: "End" }).click();
    await eventually(async () => (await signedIn()) === 401, "ended");
    await second.context.close();
  });
}
