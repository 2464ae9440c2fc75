import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { clientSdk, kit, messageOf, twilio } from "./kit.mjs";

let parlour;
let account;

before(async () => {
  parlour = await kit.connectParlour();
  account = await parlour.createAccount({ friendlyName: "Shop" });
});

function conversations() {
  return account.client(twilio).conversations.v1.conversations;
}

test("the REST client reaches no other host", async () => {
  const client = account.client(twilio, { autoRetry: true });
  assert.equal((await client.api.v2010.accounts(account.sid).fetch()).sid, account.sid);
  // An API that the server does not have: the request goes to the server all the same.
  await assert.rejects(client.messages.create({ to: "+15550100", body: "x" }), { status: 404 });
  assert.match(await messageOf(() => account.client({})), /takes the package itself/);
});

test("the client SDK connects with the token and the options", async () => {
  const token = await account.token("alice", { ttl: 600 });
  const client = new (clientSdk().Client)(token, account.sdkOptions);
  try {
    await new Promise((resolve, reject) => {
      client.on("initialized", resolve);
      client.on("initFailed", ({ error }) => reject(error));
    });
    assert.equal(client.user.identity, "alice");
    // Until then, the SDK would leave a rejection unhandled.
    await client.getSubscribedConversations();
  } finally {
    await client.shutdown();
  }
});

test("refusals name the operation, the code and the reason", async () => {
  const text = await messageOf(() => account.token(""));
  assert.match(text, /^POST \/parlour\/v1\/Tokens was refused with 400, code \d+: /);
});

test("phones send, receive and misbehave", async () => {
  const own = "+15550999";
  const conversation = await conversations().create({ friendlyName: "Order" });
  const phone = account.phones.get("+15550100");
  assert.deepEqual(await phone.inbox(), []);
  await conversations()(conversation.sid).participants.create({
    "messagingBinding.address": "+15550100",
    "messagingBinding.proxyAddress": own,
  });
  const media = { filename: "a.txt", contentType: "text/plain", content: "a text" };
  const sent = await phone.send({ to: own, body: "Where is it?", media });
  assert.equal(sent.outcome, "conversation");
  const { messages } = conversations()(conversation.sid);
  const [message] = await messages.list();
  assert.equal(message.body, "Where is it?");
  assert.equal(message.media[0].filename, "a.txt");

  const arrival = phone.waitFor({ body: /tomorrow/ });
  await messages.create({ author: "alice", body: "It arrives tomorrow." });
  assert.equal((await arrival).from, own);
  assert.equal((await phone.inbox()).length, 1);
  const text = await messageOf(() => phone.waitFor({ body: "today" }, { timeout: 1 }));
  assert.match(text, /^\+15550100 received no message with \{body: "today"\}.*It arrives tomorrow/s);

  const fresh = account.phones.get("+15550101");
  assert.equal((await fresh.behave({ error: 30003 })).errorCode, 30003);
  const addresses = (await account.phones.all()).map((each) => each.address);
  assert.deepEqual(addresses.sort(), ["+15550100", "+15550101"]);
});

test("seeds need each of their variables", async () => {
  const { mkdtemp, writeFile } = await import("node:fs/promises");
  const folder = await mkdtemp(`${process.env.TMPDIR ?? "/tmp"}/seed-`);
  const path = `${folder}/shop.yaml`;
  await writeFile(path, "parlour: 1\nusers:\n  - {identity: erin, friendly_name: '${NAME_OF}'}\n");
  const text = await messageOf(() => account.seed(path));
  assert.match(text, /shop\.yaml has \$\{NAME_OF\}: give it as a variable of seed\(\)/);
  await account.seed(path, { NAME_OF: "Erin" });
  const { users } = account.client(twilio).conversations.v1;
  assert.equal((await users("erin").fetch()).friendlyName, "Erin");
  const conversation = { key: "order", unique_name: "order-1", participants: [{ identity: "erin" }] };
  const sids = await account.seed({ parlour: 1, conversations: [conversation] });
  assert.match(sids["conversations.order"], /^CH/);
  const wrong = () => account.seed({ parlour: 1, conversations: [{ uniqe_name: "x" }] });
  assert.match(await messageOf(wrong), /refused with 400.*conversations\[0\].*unique_name/);
});

test("the versions of kit and server are compared", async () => {
  const { compareVersions } = await import(new URL("lib/versions.js", process.env.TESTKIT));
  const warnings = [];
  const compare = (server) => compareVersions(server, "2.3.4", (text) => warnings.push(text));
  compare("2.3.9");
  assert.deepEqual(warnings, []);
  compare("2.4.0");
  assert.match(warnings[0], /version 2\.4\.0, this test kit 2\.3\.4\. `parlour testkit node DIR`/);
  assert.throws(() => compare("3.0.0"), /version 3\.0\.0/);
});

test("accounts do not see each other, and are removed with their receivers", async () => {
  const other = await parlour.createAccount();
  const hooks = await other.webhooks();
  await hooks.configure({ filters: ["onUserAdded"] });
  await account.client(twilio).conversations.v1.users.create({ identity: "dave" });
  const { users } = other.client(twilio).conversations.v1;
  assert.deepEqual(await users.list(), []);
  assert.match(other.apiKeySid, /^SK/);
  assert.equal(other.env.TWILIO_API_KEY, other.apiKeySid);
  await other.trigger("onUserAdded");
  await other.settle();
  assert.equal(hooks.all.length, 1);

  await other.remove();

  await assert.rejects(users.list(), { status: 401 });
  await assert.rejects(fetch(hooks.url));
});

test("data are restored, and removed by a reset", async () => {
  const own = await parlour.createAccount();
  const { users } = own.client(twilio).conversations.v1;
  const identities = async () => (await users.list()).map(({ identity }) => identity);
  await users.create({ identity: "alice" });
  await own.snapshot("with-alice");
  await users.create({ identity: "bob" });
  await own.restore("with-alice");
  assert.deepEqual(await identities(), ["alice"]);
  await own.reset();
  assert.deepEqual(await identities(), []);

  await parlour.snapshot("whole");
  await users.create({ identity: "carol" });
  await parlour.restore("whole");
  assert.deepEqual(await identities(), []);
});

after(async () => {
  await parlour.stop();
});

test("the fixture of a test does not reset a server that others use", async () => {
  let own;
  await parlour.clock.freeze();

  await kit.parlourFixtures.account({ parlour }, async (made) => {
    own = made;
    await own.client(twilio).conversations.v1.users.list();
  });

  assert.equal(parlour.clock.isChanged, false);
  await assert.rejects(own.client(twilio).conversations.v1.users.list(), { status: 401 });
  await account.client(twilio).conversations.v1.users.list();
});
