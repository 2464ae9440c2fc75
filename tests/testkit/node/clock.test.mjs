import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kit, messageOf, twilio } from "./kit.mjs";

let account;
let clock;
let parlour;

before(async () => {
  parlour = await kit.connectParlour();
  account = await parlour.createAccount();
  clock = parlour.clock;
  assert.equal(clock.isChanged, false);
  await clock.freeze("2026-01-05T09:00:00Z");
});

test("a silent conversation is closed, and its webhooks are counted", async () => {
  const hooks = await account.webhooks();
  await hooks.configure({ filters: ["onConversationStateUpdated"] });
  const { conversations } = account.client(twilio).conversations.v1;
  const timers = { "timers.inactive": "PT10M", "timers.closed": "PT1H" };
  const { sid } = await conversations.create({ ...timers, xTwilioWebhookEnabled: "true" });

  const { fired, now, steps } = await clock.advance("PT1H");

  assert.deepEqual(hooks.all.map((each) => each.params.StateTo), ["inactive", "closed"]);
  assert.equal(now.toISOString(), "2026-01-05T10:00:00.000Z");
  assert.equal((await conversations(sid).fetch()).state, "closed");
  assert.equal(fired[0].at.toISOString(), "2026-01-05T09:10:00.000Z");
  assert.ok(steps >= 2);
  await hooks.close();
});

test("the clock moves by milliseconds, to a date, and stands still", async () => {
  const began = await clock.now();
  await clock.advance(1_500);
  assert.equal(await clock.now() - began, 1_500);
  await clock.travelTo("2026-01-06");
  assert.equal((await clock.now()).toISOString(), "2026-01-06T00:00:00.000Z");
  assert.equal(clock.isChanged, true);
  assert.match(await messageOf(() => clock.freeze("2025-01-01")), /cannot go back while there is/);
  assert.throws(() => clock.advance(-1), /-1 is no duration/);
  assert.throws(() => clock.travelTo("soon"), /soon is no date/);
});

test("work that hangs is named", async () => {
  const hooks = await account.webhooks();
  await hooks.configure({ filters: ["onConversationAdded"] });
  hooks.answer({ delayMs: 4_000 });
  const fields = { friendlyName: "late", xTwilioWebhookEnabled: "true" };
  await account.client(twilio).conversations.v1.conversations.create(fields);
  await assert.rejects(account.settle({ timeout: 1_000 }), (error) => {
    assert.equal(error.name, "NotSettled");
    assert.match(error.message, /was not settled.*Still waiting for:\n {2}- webhook POST http/s);
    assert.equal(error.waitingFor.length, 1);
    return true;
  });
  assert.ok((await account.settle()).elapsedMs >= 0);
  await hooks.close();
});

after(async () => {
  await parlour.reset();
  assert.ok(Math.abs((await clock.now()) - Date.now()) < 60_000, "the real time again");
});
