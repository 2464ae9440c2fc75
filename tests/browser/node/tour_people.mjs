// The tour of Users, Phones and Clients.

import { equal, eventually, rest } from "./console.mjs";
import { holds, isGone } from "./hands.mjs";

export async function users({ page, step, ask, shown, go }, sids) {
  let path = "";
  await step("a user is created", async () => {
    await go("users");
    await ask("User", { Identity: "tour", FriendlyName: "Tina Our" }, "Save");
    const { users: all } = await rest.get("/v1/Users?PageSize=100");
    const made = all.find((each) => each.identity === "tour");
    equal(made?.friendly_name, "Tina Our");
    path = `/v1/Users/${made.sid}`;
  });
  await step("a user is edited", async () => {
    await page.getByRole("link", { name: "tour", exact: true }).click();
    await ask("Edit", { FriendlyName: "Tina", Attributes: '{"seat": 4}' }, "Save", page.locator(".panel"));
    await holds(path, { friendly_name: "Tina", attributes: '{"seat":4}' });
    await shown("Tina", page.getByRole("table", { name: "Users", exact: true }));
  });
  await step("a user is deleted", async () => {
    await ask("Delete", {}, "Delete", page.locator(".panel"));
    await eventually(() => isGone(path), "deleted");
  });
  await step("the conversations of a user, and the way to sit in", async () => {
    await go(`users/${sids["users[0]"]}`);
    await shown("Order 4711", page.locator(".panel"));
    await page.getByRole("link", { name: "Close", exact: true }).click();
    await page.getByRole("row", { name: /^alice/ }).click();
    await page.getByRole("link", { name: "Sit in", exact: true }).click();
    await shown("connected");
  });
}

export async function phones({ page, step, ask, go, press }, sids) {
  const path = `/parlour/v1/VirtualPhones/${encodeURIComponent("+15550177")}`;
  const handset = page.getByRole("region", { name: "Phone +15550177" });
  await step("a phone is made", async () => {
    await go("phones");
    await ask("Phone", { Address: "+15550177", Name: "Tour" }, "Create");
    await handset.waitFor();
    await holds(path, { name: "Tour" });
  });
  await step("a phone writes to an address", async () => {
    await ask("New message", { To: "+15550999", Body: "Is anybody there?" }, "Send", handset);
    await holds(`${path}/Messages`, { body: "Is anybody there?", direction: "sent" }, (found) => found.messages[0]);
  });
  await step("a phone answers in its thread", async () => {
    await handset.getByLabel("Message", { exact: true }).fill("Hello again");
    await press("Send", handset);
    await holds(`${path}/Messages`, { body: "Hello again" }, (found) => found.messages[1]);
    await handset.getByText("Hello again").waitFor();
  });
  await step("a phone in a conversation: its message is taken, its webhooks are shown", async () => {
    const dana = page.getByRole("region", { name: "Phone +15550100" });
    await page.getByLabel("Show a phone").selectOption("+15550100");
    await dana.getByLabel("Message", { exact: true }).fill("By phone");
    await press("Send", dana);
    await dana.getByText("By phone").waitFor();
    const hook = dana.getByRole("link", { name: "onMessageAdded" });
    await hook.waitFor();
    await dana.locator(".bubble", { hasText: "By phone" }).getByRole("button", { name: "webhooks" }).click();
    await hook.waitFor({ state: "detached" });
    const order = (await rest.get("/v1/Conversations/order-4711/Messages?Order=desc&PageSize=1")).messages[0];
    equal([order.author, order.body], ["+15550100", "By phone"]);
  });
  await step("a phone sends a file in a thread, and to a group", async () => {
    await page.getByLabel("Show a phone").selectOption("+15550177");
    await handset.getByLabel("File", { exact: true }).setInputFiles({ name: "note.txt", mimeType: "text/plain", buffer: Buffer.from("note") });
    await press("Send", handset);
    await holds(`${path}/Messages`, { content_type: "text/plain" }, (found) => found.messages[2]?.media[0]);
    const ours = "+12025550177";
    const others = ["+12025550101", "+12025550102"];
    await rest.post("/parlour/v1/VirtualPhones", { Address: ours });
    await go(`phones?on=${encodeURIComponent(ours)}`);
    const group = page.getByRole("region", { name: `Phone ${ours}` });
    await ask("New message", { To: others[0], Body: "To one" }, "Send", group);
    await ask("New message", { To: others.join("\n"), Body: "To both" }, "Send", group);
    await holds(`/parlour/v1/VirtualPhones/${encodeURIComponent(ours)}/Messages`, { group: [...others, ours] }, (found) => ({ group: found.messages[1]?.group?.toSorted() }));
    await group.getByText("To both").waitFor();
    await group.getByLabel("Thread").selectOption(others[0]);
    await group.getByText("To one").waitFor();
    await go("phones");
  });
  await step("WhatsApp on the same number: a message is read", async () => {
    const emre = page.getByRole("region", { name: "Phone whatsapp:+15550102" });
    await page.getByLabel("Show a phone").selectOption("whatsapp:+15550102");
    await emre.getByLabel("Message", { exact: true }).fill("And on Saturday?");
    await press("Send", emre);
    await emre.getByText("And on Saturday?").waitFor();
    await rest.post(`/v1/Conversations/${sids["conversations.hours"]}/Messages`, { Author: "support", Body: "Until noon." });
    await emre.locator(".bubble", { hasText: "Until noon." }).getByRole("button", { name: "Read" }).click();
    await holds("/parlour/v1/VirtualPhones/whatsapp%3A%2B15550102/Messages", { status: "read" }, (found) => found.messages.at(-1));
    await emre.getByLabel("Channel").selectOption("rcs:");
    await eventually(async () => !(await isGone("/parlour/v1/VirtualPhones/rcs%3A%2B15550102")), "the phone of RCS");
    await press("Hide", page.getByRole("region", { name: "Phone rcs:+15550102" }));
  });
  await step("the behaviour of a phone", async () => {
    await page.getByLabel("Show a phone").selectOption("+15550177");
    await ask("Behaviour", { Behaviour: "undeliverable", ErrorCode: "30003" }, "Save", handset);
    await holds(path, { behaviour: "undeliverable", error_code: 30003 });
    await handset.getByText("undeliverable 30003").waitFor();
  });
  await step("a phone is hidden, shown and removed", async () => {
    await press("Hide", handset);
    await handset.waitFor({ state: "detached" });
    await page.getByLabel("Show a phone").selectOption("+15550177");
    await ask("Remove", {}, "Remove", handset);
    await eventually(() => isGone(path), "removed");
  });
}

async function sitIn({ page, step, press, go, shown }, browserOf) {
  const connections = async () => (await rest.get("/parlour/v1/Connections")).connections.filter((each) => each.identity === "support");
  const second = await browserOf();
  await step("sit in as a user", async () => {
    await go("clients");
    await page.getByLabel("Identity", { exact: true }).fill("support");
    await press("Sit in");
    await page.getByText("connected", { exact: true }).waitFor();
    await eventually(async () => (await connections()).length === 1, "connected");
    await page.getByRole("link", { name: /Opening hours/ }).click();
    await shown("Are you open on Sunday?", page.getByRole("log"));
  });
  await step("typing is seen by another client, and a message is sent", async () => {
    const alice = second.page;
    const order = (await rest.get("/v1/Conversations/order-4711")).sid;
    await second.go(`clients?identity=alice&conversation=${order}`);
    await alice.getByText("connected", { exact: true }).waitFor();
    await page.getByRole("link", { name: /Order 4711/ }).click();
    await page.getByLabel("Message as support").pressSequentially("Eleven sharp");
    await alice.getByText("support is typing …").waitFor();
    await press("Send", page.locator(".composer"));
    await holds("/v1/Conversations/order-4711/Messages?Order=desc&PageSize=1", { author: "support", body: "Eleven sharp" }, (found) => found.messages[0]);
    await alice.locator(".message .text", { hasText: "Eleven sharp" }).waitFor();
  });
  await step("frames are filtered, held, opened and saved", async () => {
    const frames = page.getByRole("region", { name: "Frames" });
    await frames.getByLabel("Filter frames").fill("Typing");
    await frames.locator("summary", { hasText: /[Tt]yping/ }).first().click();
    await frames.locator("pre").first().waitFor();
    await press("Pause", frames);
    equal(await frames.getByRole("button", { name: "Pause" }).getAttribute("aria-pressed"), "true");
    const [saved] = await Promise.all([page.waitForEvent("download"), press("Save", frames)]);
    equal(saved.suggestedFilename(), "frames-support.jsonl");
  });
  await step("a connection is ended", async () => {
    await second.go("clients");
    await second.press("End the connection of support");
    const [before] = await connections();
    await second.answer({}, "End");
    await eventually(async () => !(await connections()).some((each) => each.sid === before.sid), "ended");
    await page.getByRole("link", { name: "Leave" }).click();
    await page.getByRole("heading", { level: 1, name: "Clients" }).waitFor();
  });
  await second.context.close();
}

export async function clients(hand, sids, browserOf) {
  const { page, step, press, ask, go, row } = hand;
  await sitIn(hand, browserOf);
  await step("a token is made and checked; a broken one is refused", async () => {
    await go("clients?tab=tokens");
    await ask("Make a token", { Identity: "alice", Ttl: "600" }, "Make");
    await row("Checks", "Signature").getByText("passed").first().waitFor();
    const token = await page.getByLabel("Access token").inputValue();
    equal((await rest.post("/parlour/v1/TokenChecks", { Token: token })).valid, true);
    await page.getByLabel("Access token").fill(`${token.slice(0, -3)}AAA`);
    await press("Check");
    await page.getByText("failed", { exact: true }).waitFor();
  });
}
