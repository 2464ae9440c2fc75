// The main paths by keyboard alone: nothing is clicked; each change is checked through the API.

import { check, equal, eventually, rest, seed, violations, withBrowser } from "./console.mjs";
import { holds, switchedReceiver, visitor } from "./hands.mjs";

const TABS_MAX = 80;

// Keys, and where the focus is.
function keys(page) {
  const press = (...names) => names.reduce((last, name) => last.then(() => page.keyboard.press(name)), Promise.resolve());
  const type = (text) => page.keyboard.insertText(text);
  const focus = () =>
    page.evaluate(() => {
      const at = document.activeElement;
      const name = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.getAttribute("title") ?? (at.matches("body, dialog") ? "" : at.textContent);
      return { name: name.trim(), field: at.name ?? "", row: at.closest("[data-row]")?.dataset.row ?? "", role: at.getAttribute("role") ?? at.tagName.toLowerCase(), isSeen: at.matches(":focus-visible") };
    });
  // Go on with Tab until an element has the focus.
  async function to(isIt, what, key = "Tab") {
    for (let count = 0; count < TABS_MAX; count += 1) {
      const at = await focus();
      if (isIt(at)) {
        if (!at.isSeen && count > 0) throw new Error(`the focus is not seen on ${what}`);
        return at;
      }
      await press(key);
    }
    throw new Error(`not reached by ${key}: ${what}`);
  }
  const toName = (name, key) => to((at) => (name instanceof RegExp ? name.test(at.name) : at.name === name), name, key);
  const toField = (field) => to((at) => at.field === field, field);
  return { press, type, focus, to, toName, toField };
}

async function frame({ page, step, go, dialog, closed }, { press, type, toName, focus }, sids) {
  await step("the skip link, and the menu", async () => {
    await go("conversations");
    await press("Tab");
    equal((await focus()).name, "Skip to the page");
    await press("Enter");
    await eventually(() => page.evaluate(() => document.activeElement.id === "main"), "the focus is in the page");
    await go("conversations");
    await toName("Requests");
    await press("Enter");
    await page.getByRole("heading", { name: "Requests", level: 1 }).waitFor();
  });
  await step("/ goes to a pasted SID", async () => {
    await press("/");
    equal((await focus()).name, "Search, or go to a SID");
    await type(sids["conversations.order"]);
    await press("Enter");
    await page.getByRole("heading", { name: "Order 4711", level: 2 }).waitFor();
  });
  await step("? shows the keys; Esc closes; the theme changes", async () => {
    await press("?");
    await dialog.getByText("replay the attempt").waitFor();
    await press("Escape");
    await closed();
    await go("conversations");
    await toName(/^Theme/);
    for (const theme of ["light", "dark", ""]) {
      await press("Enter");
      await eventually(() => page.evaluate((name) => document.documentElement.dataset.theme === name, theme), `theme ${theme}`);
    }
  });
}

async function conversation({ page, step, go, dialog, closed }, { press, type, to, toName, toField, focus }, sids) {
  const order = sids["conversations.order"];
  const path = `/v1/Conversations/${order}`;
  await step("a row by j, k and Enter; tabs by arrows and [ ]", async () => {
    await go("conversations");
    const first = await to((at) => at.row.startsWith("CH"), "the list");
    await press("j");
    const second = await focus();
    if (second.row === first.row) throw new Error("j did not move");
    await press("k");
    equal((await focus()).row, first.row, "k goes back");
    while ((await focus()).row !== order) await press("j");
    await press("Enter");
    await page.getByRole("heading", { name: "Order 4711", level: 2 }).waitFor();
    await toName("Messages");
    await press("ArrowRight");
    await page.waitForURL(/tab=participants/);
    await eventually(async () => (await focus()).name === "Participants", "the focus follows");
    await press("]");
    await page.waitForURL(/tab=webhooks/);
    await press("[", "[");
    await page.waitForURL((url) => !url.search.includes("tab="));
  });
  await step("a message is sent", async () => {
    await toName("Author");
    await type("support");
    await press("Tab");
    await type("By keys");
    await press("Enter");
    await holds(`${path}/Messages?Order=desc&PageSize=1`, { author: "support", body: "By keys" }, (found) => found.messages[0]);
    equal((await focus()).name, "Message", "the focus stays");
  });
  await step("attributes are edited in a dialog", async () => {
    await go(`conversations/${order}`);
    await toName("Edit");
    await press("Enter");
    await dialog.waitFor();
    await toField("Attributes");
    await press("Control+a");
    await type('{"by": "keys"}');
    await toName("Save");
    await press("Enter");
    await closed();
    await holds(path, { attributes: '{"by":"keys"}' });
    equal((await focus()).name, "Edit", "the focus is back");
  });
}

async function phone({ step, go, page }, { press, type, to }) {
  await step("a phone writes", async () => {
    await go(`phones?on=${encodeURIComponent("+15550100")}`);
    await page.getByRole("region", { name: "Phone +15550100" }).locator(".composer").waitFor();
    await to((at) => at.field === "Body", "the composer of the phone");
    await type("From the phone, by keys");
    await press("Enter");
    await holds("/v1/Conversations/order-4711/Messages?Order=desc&PageSize=1", { author: "+15550100", body: "From the phone, by keys" }, (found) => found.messages[0]);
  });
}

async function attempts({ page, step, go, dialog, closed }, { press, to, toName, focus }) {
  const receiver = await switchedReceiver();
  const hook = { PostWebhookUrl: receiver.url, Filters: "onConversationAdded" };
  await rest.post("/v1/Configuration/Webhooks", hook);
  const { sid } = await rest.post("/v1/Conversations", { FriendlyName: "Keys" }, { "X-Twilio-Webhook-Enabled": "true" });
  const path = `/parlour/v1/WebhookAttempts?ConversationSid=${sid}`;
  const list = async () => (await rest.get(path)).webhook_attempts;
  const [attempt] = await eventually(async () => (await list()).length && list(), "an attempt");
  await step("a panel opens with Enter; Esc gives the focus back to its row", async () => {
    await go(`webhooks?conversation=${sid}`);
    await to((at) => at.row === attempt.sid, "the attempt");
    await press("Enter");
    await page.locator(".panel").getByText(/^Delivered/).waitFor();
    equal((await focus()).role, "h2", "the focus is in the panel");
    await press("Escape");
    await eventually(async () => (await focus()).row === attempt.sid, "the focus is back");
  });
  await step("single letters are switched off, and on", async () => {
    const letters = dialog.getByLabel("Single letters are keys");
    await press("?");
    // Else Tab moves the focus of the page, which it gets back from the dialog.
    await letters.waitFor();
    await toName(/Single letters are keys/);
    await press("Space");
    equal(await letters.isChecked(), false, "letters are switched off");
    await toName("Done");
    await press("Enter");
    await closed();
    await press("r", "?", "/");
    equal(await dialog.count(), 0, "letters do nothing");
    equal((await focus()).name === "Search, or go to a SID", false, "letters do nothing");
    await to((at) => at.name === "Help and keys", "help", "Shift+Tab");
    await press("Enter");
    await letters.waitFor();
    await toName(/Single letters are keys/);
    await press("Space", "Escape");
    await closed();
  });
  await step("r replays an attempt, after a question", async () => {
    await to((at) => at.row === attempt.sid, "the attempt");
    await press("Enter");
    await page.locator(".panel").getByText(/^Delivered/).waitFor();
    await press("r");
    await dialog.getByText(/gets it again/).waitFor();
    await toName("Replay");
    await press("Enter");
    await eventually(async () => (await list()).length === 2, "replayed");
    await page.waitForURL((url) => !url.pathname.endsWith(attempt.sid));
  });
}

const { sids } = await seed();
await withBrowser(async (browser) => {
  const hand = await visitor(browser, "keyboard");
  const { page, seen } = hand;
  // No click by mistake: the program has no mouse.
  page.mouse.click = page.click = () => Promise.reject(new Error("a click"));
  const keyboard = keys(page);
  for (const part of [frame, conversation, phone, attempts]) await part(hand, keyboard, sids);
  const wrong = [...seen.errors, ...seen.foreign, ...seen.dialogs, ...(await violations(page))];
  check("keyboard", "no errors, no requests to others", wrong.length === 0, wrong.join("\n"));
});
