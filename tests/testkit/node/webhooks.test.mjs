import assert from "node:assert/strict";
import { after, before, beforeEach, mock, test } from "node:test";
import { kit, messageOf, twilio } from "./kit.mjs";

const FIRES = { xTwilioWebhookEnabled: "true" };
let account;
let hooks;
let conversations;

before(async () => {
  account = await (await kit.connectParlour()).createAccount();
  hooks = await account.webhooks();
  conversations = account.client(twilio).conversations.v1.conversations;
  const filters = ["onMessageAdd", "onMessageAdded", "onConversationAdded"];
  await hooks.configure({ filters });
});

beforeEach(async () => {
  await account.settle();
  hooks.forget();
  hooks.accept();
});

test("a webhook is found by its event and its parameters", async () => {
  const arrival = hooks.waitFor("onConversationAdded", { FriendlyName: /^Order/ });
  const { sid } = await conversations.create({ friendlyName: "Order 1", ...FIRES });
  const webhook = await arrival;
  assert.equal(webhook.params.ConversationSid, sid);
  assert.equal(webhook.event, "onConversationAdded");
  assert.ok(webhook.idempotencyToken);
  assert.equal(hooks.all.length, 1);
});

test("what did not arrive is explained", async () => {
  const wait = (params) => messageOf(() => hooks.waitFor("onMessageAdded", params, { timeout: 1 }));
  assert.match(await wait({}), /No webhook has arrived at all.*xTwilioWebhookEnabled/s);
  const { sid } = await conversations.create({ friendlyName: "Order 2", ...FIRES });
  await hooks.waitFor("onConversationAdded");
  assert.match(await wait({}), /Only these arrived: onConversationAdded\./);
  await conversations(sid).messages.create({ body: "Hello", author: "alice", ...FIRES });
  await hooks.waitFor("onMessageAdded");
  const text = await wait({ Author: "alice", Body: "Bye" });
  assert.match(text, /with \{Author: "alice", Body: "Bye"\}.*nearest of 1 has Body "Hello"\./s);
});

test("an unknown event is refused, and not counted as never received", async () => {
  for (const call of [
    () => hooks.none("onMesageAdded"),
    () => hooks.waitFor("onMesageAdded"),
    async () => hooks.answer({ status: 503, event: "onMesageAdded" }),
  ]) {
    assert.match(await messageOf(call), /^onMesageAdded is no event\. The events are onMessageAdd,/);
  }
});

test("fake timers of a test stop no call of the kit", async () => {
  mock.timers.enable();
  try {
    await conversations.create({ friendlyName: "Order 4", ...FIRES });
    await hooks.waitFor("onConversationAdded", { FriendlyName: "Order 4" });
    const wait = () => hooks.waitFor("onUserAdded", {}, { timeout: 1 });
    assert.match(await messageOf(wait), /^No onUserAdded .* arrived within 1 ms\./);
    await account.settle();
  } finally {
    mock.timers.reset();
  }
});

test("actions are amended and rejected", async () => {
  const { sid } = await conversations.create({});
  const { messages } = conversations(sid);
  hooks.amend({ body: "Changed" });
  assert.equal((await messages.create({ body: "Hello", ...FIRES })).body, "Changed");
  hooks.reject();
  await assert.rejects(messages.create({ body: "Hello", ...FIRES }), { code: 50056 });
  hooks.accept();
  assert.equal((await messages.create({ body: "Hello", ...FIRES })).body, "Hello");
});

test("an attempt that was answered with 500 is retried", async () => {
  hooks.answer({ status: 500, event: "onConversationAdded" });
  await conversations.create({ friendlyName: "Order 3", ...FIRES });
  const wait = (RetryCount) => hooks.waitFor("onConversationAdded", { RetryCount });
  assert.equal((await wait(1)).idempotencyToken, (await wait(0)).idempotencyToken);
});

test("nothing arrives after a settlement", async () => {
  await conversations.create({ friendlyName: "silent" });
  await hooks.none();
  await conversations.create({ friendlyName: "loud", ...FIRES });
  const text = await messageOf(() => hooks.none("onConversationAdded"));
  assert.match(text, /^1 webhooks arrived where none was expected:\n {2}- onConversationAdded CH/);
});

test("a conversation and a service have receivers of their own", async () => {
  const scoped = await account.webhooks();
  const { sid } = await conversations.create({});
  await scoped.configure({ conversationSid: sid, filters: ["onMessageAdded"] });
  await conversations(sid).messages.create({ body: "Hello", ...FIRES });
  assert.equal((await scoped.waitFor("onMessageAdded")).params.ConversationSid, sid);
  await scoped.configure({ serviceSid: account.serviceSid, filters: ["onUserAdded"], method: "GET" });
  await account.client(twilio).conversations.v1.users.create({ identity: "carol", ...FIRES });
  assert.equal((await scoped.waitFor("onUserAdded", { Identity: "carol" })).method, "GET");
  const wrong = () => scoped.configure({ filters: ["onMessageAddde"] });
  assert.match(await messageOf(wrong), /onMessageAddde is no event\. The events are onMessageAdd,/);
  await scoped.close();
});

test("a request without the account's signature fails the test", async () => {
  const own = await account.webhooks();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const response = await fetch(own.url, { method: "POST", headers, body: "EventType=onUserAdded" });
  assert.equal(response.status, 403);
  const text = await messageOf(() => own.waitFor("onUserAdded"));
  assert.match(text, /has not signed:\n {2}- POST .*with the signature \(none\)/);
  assert.deepEqual(own.all, []);
  await own.close();
});

test("signatures are those that the official library checks", async () => {
  const { isGenuine, signatureOf } = await import(new URL("lib/signatures.js", process.env.TESTKIT));
  const url = "http://127.0.0.1:8080/webhooks?a=1";
  const form = new URLSearchParams([["B", "2"], ["A", "é"], ["List", "y"], ["List", "x"]]);
  const fields = { B: "2", A: "é", List: ["y", "x"] };
  const signature = signatureOf("secret", url, form);
  assert.ok(twilio.validateRequest("secret", signature, url, fields));
  assert.ok(isGenuine("secret", url, { form, body: "", signature }));
  assert.ok(!isGenuine("other", url, { form, body: "", signature }));
  const hash = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
  const withHash = `${url}&bodySHA256=${hash}`;
  const given = { form: null, signature: signatureOf("secret", withHash, null) };
  assert.ok(isGenuine("secret", withHash, { ...given, body: "hello world" }));
  assert.ok(!isGenuine("secret", withHash, { ...given, body: "hello" }));
});

after(async () => {
  await hooks.close();
});
