import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND, kit, messageOf, twilio } from "./kit.mjs";

const { startParlour, connectParlour } = kit;

test("a started server is reached, and gone after stop()", async () => {
  process.env.PARLOUR_STRICT = "of another server";
  const seed = { parlour: 1, users: [{ identity: "alice" }] };
  const parlour = await startParlour({ command: COMMAND, randomSeed: 7, seed });
  delete process.env.PARLOUR_STRICT;
  assert.equal(parlour.account.sid, "AC" + "0".repeat(32));
  assert.match(parlour.account.serviceSid, /^IS[0-9a-f]{32}$/);
  assert.equal(parlour.wsUrl, parlour.url.replace("http", "ws") + "/v3/wsconnect");
  const made = await parlour.account
    .client(twilio)
    .conversations.v1.conversations.create({ friendlyName: "Order" });
  assert.equal(made.friendlyName, "Order");

  const { users } = parlour.account.client(twilio).conversations.v1;
  await users("alice").remove();
  await parlour.reset({ seed: "start" });
  assert.equal((await users("alice").fetch()).identity, "alice");

  const other = await connectParlour(connectOptions(parlour));
  assert.equal(other.account.serviceSid, parlour.account.serviceSid);
  const wrong = () => connectParlour({ ...connectOptions(parlour), authToken: "wrong" });
  assert.match(await messageOf(wrong), /401.*check `accountSid` and `authToken`/s);

  await parlour.stop();
  assert.match(await messageOf(() => parlour.clock.now()), /stop\(\) has ended the server/);
  assert.match(await messageOf(() => other.clock.now()), /ECONNREFUSED.*Is a server running there/);
});

function connectOptions(parlour) {
  const { sid: accountSid, authToken } = parlour.account;
  return { url: parlour.url, accountSid, authToken };
}

test("a missing command is explained", async () => {
  const text = await messageOf(() => startParlour({ command: "no-such-parlour --fast" }));
  assert.match(text, /`no-such-parlour` was not found.*PARLOUR_COMMAND.*connectParlour/s);
});

test("a refused start shows the server's own words", async () => {
  const args = ["--database", "postgresql://database.example/parlour"];
  const text = await messageOf(() => startParlour({ command: COMMAND, args }));
  assert.match(text, /did not start: status 2\.[^]*cannot be combined with --test/);
});

test("missing settings of a connection are named", async () => {
  const settings = { ...process.env };
  for (const name of ["URL", "ACCOUNT_SID", "AUTH_TOKEN"]) delete process.env[`PARLOUR_${name}`];
  assert.match(await messageOf(() => connectParlour()), /Which server\? Give `url`.*PARLOUR_URL/);
  const text = await messageOf(() => connectParlour({ url: "http://127.0.0.1:1" }));
  assert.match(text, /`accountSid` or PARLOUR_ACCOUNT_SID and `authToken` or PARLOUR_AUTH_TOKEN/);
  Object.assign(process.env, settings);
});
