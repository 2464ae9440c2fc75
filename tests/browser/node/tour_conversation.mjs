// The tour of Conversations: what a conversation has, and what may be done with it.

import { equal, eventually, rest } from "./console.mjs";
import { copied, HAS_MOUSE, holds, isGone } from "./hands.mjs";

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async function messages({ page, step, press, answer, shown, go }, path) {
  const list = async () => (await rest.get(`${path}/Messages`)).messages;
  const send = async (author, text) => {
    await page.getByLabel("Author").fill(author);
    await page.getByLabel("Message", { exact: true }).fill(text);
    await press("Send");
  };
  const added = async () => (await rest.get(`/parlour/v1/Events?ConversationSid=${path.split("/").pop()}`)).events.filter((each) => each.event_type === "onMessageAdded");
  await step("a message is sent as anybody, and fires", async () => {
    await go(path.replace("/v1/C", "c"));
    await send("alice", "From the console");
    await eventually(async () => (await list()).length === 1, "sent");
    const [message] = await list();
    equal([message.author, message.body], ["alice", "From the console"]);
    equal((await added())[0].fires_webhooks, true, "fires");
  });
  await step("a silent message with a file", async () => {
    await page.getByRole("switch").click();
    await page.setInputFiles("input[type=file]", { name: "dot.png", mimeType: "image/png", buffer: Buffer.from(PIXEL, "base64") });
    await press("Without it");
    await page.setInputFiles("input[type=file]", { name: "dot.png", mimeType: "image/png", buffer: Buffer.from(PIXEL, "base64") });
    await press("Send");
    await eventually(async () => (await list())[1]?.media?.[0].filename === "dot.png", "the file is sent");
    equal((await added())[1].fires_webhooks, false, "silent");
    await page.locator("img[alt='dot.png']").waitFor();
    const [opened] = await Promise.all([page.context().waitForEvent("page"), press("Download")]);
    await opened.close();
  });
  await step("the receipts of a message", async () => {
    // By keys it is the button of the message, not the word as well.
    await page.getByRole("button", { name: HAS_MOUSE ? /delivered for/ : "Message 0: details" }).first().click();
    await shown("+15550100", page.getByRole("list", { name: "Receipts" }));
  });
  await step("a message is edited", async () => {
    const card = page.locator(".message .card");
    await card.getByRole("button", { name: "Edit" }).click();
    await answer({ Body: "Edited", Attributes: '{"colour": "red"}' }, "Save");
    await holds(`${path}/Messages`, { body: "Edited", attributes: '{"colour":"red"}' }, (found) => found.messages[0]);
    await shown("Edited", page.locator(".message .text"));
  });
  await step("a message is removed", async () => {
    await page.locator(".message .card").getByRole("button", { name: "Remove" }).click();
    await answer({}, "Remove");
    await eventually(async () => (await list()).length === 1, "removed");
  });
}

async function participants({ page, step, ask, tab, press, dialog, fill, closed, shown }, path) {
  const list = async () => (await rest.get(`${path}/Participants`)).participants;
  await step("a participant by identity", async () => {
    await tab("Participants");
    await ask("Add a participant", { Identity: "alice" }, "Add");
    await eventually(async () => (await list())[0]?.identity === "alice", "alice is added");
  });
  await step("a participant by address", async () => {
    await ask("Add a participant", { "MessagingBinding.Address": "+15550100", "MessagingBinding.ProxyAddress": "+15550997" }, "Add");
    await eventually(async () => (await list())[1]?.messaging_binding.proxy_address === "+15550997", "the address is added");
    await ask("Edit +15550100", { "MessagingBinding.ProxyAddress": "+15550996" }, "Save");
    await holds(`${path}/Participants`, { proxy_address: "+15550996" }, (found) => found.participants[1].messaging_binding);
  });
  await step("role and attributes of a participant; a mistake in JSON is named", async () => {
    const [{ chat_service_sid: service }] = [await rest.get(path)];
    const { roles } = await rest.get(`/v1/Services/${service}/Roles`);
    const admin = roles.find((each) => each.friendly_name === "channel admin") ?? roles.findLast((each) => each.type === "conversation");
    await press("Edit alice");
    await fill({ Attributes: '{"vip": tru}' });
    await shown(/Line 1/, dialog);
    await fill({ Attributes: '{"vip": true}', RoleSid: admin.sid });
    await press("Save", dialog);
    await closed();
    await holds(`${path}/Participants`, { attributes: '{"vip":true}', role_sid: admin.sid }, (found) => found.participants[0]);
  });
}

async function webhooksAndTimers({ page, step, ask, tab, press, dialog }, path) {
  const hooks = async () => (await rest.get(`${path}/Webhooks`)).webhooks;
  await step("a webhook of the conversation: added, edited, removed", async () => {
    await tab("Webhooks");
    await ask("Add a webhook", { "Configuration.Url": "http://127.0.0.1:9/own", filters: ["onMessageAdded"] }, "Add");
    await eventually(async () => (await hooks())[0]?.configuration.filters[0] === "onMessageAdded", "added");
    await ask(/^Edit http/, { "Configuration.Method": "GET", filters: ["onMessageUpdated"] }, "Save");
    await holds(`${path}/Webhooks`, { method: "GET", filters: ["onMessageAdded", "onMessageUpdated"] }, (found) => found.webhooks[0].configuration);
    await ask(/^Remove http/, {}, "Remove");
    await eventually(async () => !(await hooks()).length, "removed");
  });
  await step("timers are set; the clock is advanced to one", async () => {
    await tab("Timers");
    await ask("Set timers", { "Timers.Inactive": "PT10M", "Timers.Closed": "P1D" }, "Save");
    await eventually(async () => (await rest.get(path)).timers.date_closed, "both are set");
    await press("Advance the clock to this timer", page.getByRole("region", { name: "Becomes inactive" }));
    await holds(path, { state: "inactive" });
  });
  await step("states: active, inactive", async () => {
    await ask("Make active now", {}, "Make active");
    await holds(path, { state: "active" });
    await ask("Make inactive now", {}, "Make inactive");
    await holds(path, { state: "inactive" });
    await ask("Make active", {}, "Make active");
    await holds(path, { state: "active" });
    await ask("Make inactive", {}, "Make inactive");
    await holds(path, { state: "inactive" });
    await ask("Make active", {}, "Make active");
  });
  await step("events and JSON of the conversation; the SID is copied", async () => {
    await tab("Events");
    await page.getByRole("table", { name: "Events" }).getByRole("row").nth(5).waitFor();
    await tab("JSON");
    await page.locator("pre").getByText(path.split("/").pop()).first().waitFor();
    await press("Copy", page.locator("figure.json").first());
    equal(JSON.parse(await copied(page)).sid, path.split("/").pop(), "copied");
    await press("Copy curl");
    await eventually(async () => (await copied(page)).startsWith("curl -u"), "the call is copied");
    await press(`Copy ${path.split("/").pop()}`);
    await eventually(async () => (await copied(page)) === path.split("/").pop(), "the SID is copied");
    equal(await dialog.count(), 0);
  });
}

async function filters({ page, step, press, go }) {
  const names = () => page.locator(".items a").allTextContents();
  const only = (...parts) => eventually(async () => {
    const found = await names();
    return found.length === parts.length && parts.every((part) => found.some((each) => each.includes(part)));
  }, `the list has ${parts}`);
  const search = async (text) => {
    const field = page.getByRole("searchbox", { name: "Identity or address" });
    await field.fill(text);
    await field.press("Enter");
  };
  await step("filters of the list", async () => {
    await go("conversations");
    await page.getByLabel("State", { exact: true }).selectOption("closed");
    await only("Order 4680");
    await page.getByLabel("State", { exact: true }).selectOption("");
    await search("ben");
    await only("Return of a lamp");
    await search("order-4711");
    await only("Order 4711");
    await search("whatsapp:+15550102");
    await only("Opening hours");
    await search("");
    await press("Dates");
    await page.getByLabel("from", { exact: true }).fill("2099-01-01");
    await page.getByLabel("from", { exact: true }).blur();
    await only();
    await page.getByLabel("from", { exact: true }).fill("1999-01-01");
    await page.getByLabel("from", { exact: true }).blur();
    await page.waitForURL(/since=1999-01-01/);
    await page.getByLabel("to", { exact: true }).fill("2000-01-01");
    await page.getByLabel("to", { exact: true }).blur();
    await page.waitForURL(/until=2000-01-01/);
  });
}

export async function conversations(hand) {
  const { page, step, ask, go, tab } = hand;
  let path = "";
  await step("a conversation is created", async () => {
    await go("conversations");
    await ask("New", { FriendlyName: "Tour", UniqueName: "tour" }, "Create");
    await page.waitForURL(/CH[0-9a-f]{32}/);
    path = `/v1/Conversations/${/CH[0-9a-f]{32}/.exec(page.url())[0]}`;
    await holds(path, { friendly_name: "Tour", unique_name: "tour" });
  });
  await participants(hand, path);
  await messages(hand, path);
  await webhooksAndTimers(hand, path);
  await step("name and attributes are edited", async () => {
    await ask("Edit", { FriendlyName: "Tour, renamed", Attributes: '{"a": 1}' }, "Save");
    await holds(path, { friendly_name: "Tour, renamed", attributes: '{"a":1}' });
    await page.locator(".items").getByText("Tour, renamed").waitFor();
  });
  await step("a participant is removed", async () => {
    await tab("Participants");
    await ask("Remove alice", {}, "Remove");
    await eventually(async () => (await rest.get(`${path}/Participants`)).participants.length === 1, "removed");
  });
  await step("a conversation is closed, and deleted", async () => {
    await ask("Close", {}, "Close");
    await holds(path, { state: "closed" });
    const { sid } = await rest.post("/v1/Conversations", { FriendlyName: "To close" });
    await go(`conversations/${sid}?tab=timers`);
    await ask("Close now", {}, "Close");
    await holds(`/v1/Conversations/${sid}`, { state: "closed" });
    await rest.remove(`/v1/Conversations/${sid}`);
    await go(`conversations/${path.split("/").pop()}`);
    await page.getByText(/This conversation is closed/).waitFor();
    await ask("Delete", {}, "Delete");
    await eventually(() => isGone(path), "deleted");
  });
  await filters(hand);
}
