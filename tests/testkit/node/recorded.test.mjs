import assert from "node:assert/strict";
import { before, test } from "node:test";
import { kit, messageOf, twilio } from "./kit.mjs";

let account;
let conversations;

before(async () => {
  account = await (await kit.connectParlour()).createAccount();
  const client = account.client(twilio, { autoRetry: true });
  conversations = client.conversations.v1.conversations;
});

test("a request fails as often as it was to", async () => {
  const busy = { operation: "CreateConversation", status: 429, times: 2, name: "busy" };
  const fault = await account.faults.add(busy);
  const idle = await account.faults.add({ operation: "CreateUser", status: 503 });

  await conversations.create({ friendlyName: "Order" });

  assert.equal((await fault.refresh()).fired, 2);
  const text = await messageOf(() => account.faults.assertAllFired());
  assert.match(text, /^1 of 2 faults did not act.*FA\w+ on requests: fired 0 of 1 times/s);
  const sids = (await account.faults.all()).map(({ sid }) => sid);
  assert.deepEqual(sids.sort(), [fault.sid, idle.sid].sort());
  await idle.remove();
  await account.faults.clear();
  await account.faults.assertAllFired();
});

test("calls are counted, and the nearest one is shown", async () => {
  await conversations.create({ friendlyName: "Order 2", attributes: '{"a": 1}' });
  const expect = (options) => account.requests.expect("CreateConversation", options);

  const [row] = await expect({ form: { FriendlyName: "Order 2" } });
  assert.equal(row.form.Attributes, '{"a": 1}');
  assert.ok(row.elapsedMs >= 0);
  await expect({ form: { FriendlyName: /^Order 3/ }, times: 0 });
  const short = { timeout: 1, form: { FriendlyName: "Order 2", Attributes: "{}" } };
  const text = await messageOf(() => expect(short));
  assert.match(text, /^CreateConversation was called 0 instead of 1 times with \{FriendlyName/);
  assert.match(text, /nearest call, POST .*\(201\): Attributes "{\\"a\\": 1}", not "\{\}"\.$/);
  const twice = await messageOf(() => expect({ times: 0, form: { FriendlyName: "Order 2" } }));
  assert.match(twice, /was called 1 instead of 0 times.*\n {2}- .* POST .*: 201/s);
});

test("events are waited for, and triggers make them", async () => {
  const arrival = account.events.waitFor({ eventType: "onMessageAdded" });
  const made = await account.trigger("onMessageAdded", { body: "By a trigger" });
  const [event] = await arrival;
  assert.equal(event.parameters.Body, "By a trigger");
  assert.ok(JSON.stringify(made).includes(event.conversationSid));
  const wait = () => account.events.waitFor({ eventType: "onUserUpdated" }, { timeout: 1 });
  assert.match(await messageOf(wait), /^0 instead of 1 rows of \/parlour\/v1\/Events fit/);
  assert.deepEqual(await account.webhookAttempts.all(), []);
});

test("an account is as strict as it is asked to be", async () => {
  await account.emulate({ unknownParameters: "refuse" });
  const client = account.client(twilio);
  const uri = "https://conversations.twilio.com/v1/Users";
  const { statusCode, body } = await client.request({ method: "post", uri, data: { Identiy: "a" } });
  await account.emulate({ unknownParameters: "ignore" });
  assert.equal(statusCode, 400);
  assert.match(body.message, /Unknown parameter Identiy in CreateUser; did you mean Identity\?/);
});
