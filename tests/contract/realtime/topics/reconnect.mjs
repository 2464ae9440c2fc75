// Lost connections: the client reconnects, and emits each missed event exactly once.

import { because, eventually, sleep } from "../checks.mjs";
import { joined, messageAt } from "../place.mjs";
import { Proxy } from "../proxy.mjs";

async function through(place, identities, work) {
  const proxy = await Proxy.make();
  try {
    const made = await place.conversation(identities);
    const members = {};
    for (const identity of identities) {
      const { client, watch } = await place.open(identity, { uri: proxy.uri });
      members[identity] = { client, watch, conversation: await joined(watch, made.sid) };
    }
    for (const { watch } of Object.values(members)) watch.clear();
    await work({ proxy, sid: made.sid, ...members });
  } finally {
    proxy.close();
  }
}

const connected = (client) => () => client.connectionState;

const messagesWhileAway = (place, checks) => through(place, ["alice"], async ({ proxy, sid, alice }) => {
  await place.sendMessage(sid, "0");
  await checks.event("before", alice.watch, "messageAdded");
  proxy.cut();
  await checks.event("noticed", alice.watch, "connectionStateChanged", (state) => state !== "connected");
  for (const body of ["1", "2", "3"]) await place.sendMessage(sid, body);
  const [first] = await place.list(`/Conversations/${sid}/Messages`);
  await place.post(`/Conversations/${sid}/Messages/${first.sid}`, { Body: "0, edited" });
  proxy.open();
  await checks.becomes("connected", connected(alice.client), "connected", 20);
  await checks.becomes("all of them, in order, once", () => alice.watch.all("messageAdded").map((each) => each.body), ["0, edited", "1", "2", "3"]);
  await checks.event("edit emitted", alice.watch, "messageUpdated", because("body", first.sid));
  await place.sendMessage(sid, "4");
  await checks.event("and continues", alice.watch, "messageAdded", (each) => each.body === "4");
  checks.equal("still once each", alice.watch.all("messageAdded").map((each) => each.index), [0, 1, 2, 3, 4]);
  checks.equal("no error", alice.watch.all("connectionError").filter((each) => each.terminal), []);
});

const changesWhileAway = (place, checks) => through(place, ["alice", "bob", "carol"], async ({ proxy, sid, alice, bob, carol }) => {
  const path = `/Conversations/${sid}`;
  for (const body of ["0", "1", "2"]) await place.sendMessage(sid, body);
  await eventually(() => alice.watch.all("messageAdded").length, (count) => count === 3);
  const messages = await place.list(`${path}/Messages`);
  const other = await place.conversation(["alice"]);
  const lost = await joined(alice.watch, other.sid);
  await sleep(300);
  proxy.cut();
  await checks.event("noticed", alice.watch, "connectionStateChanged", (state) => state !== "connected");
  alice.watch.clear();
  await place.delete(`${path}/Messages/${messages[1].sid}`);
  await place.post(`${path}/Messages/${messages[2].sid}`, { Attributes: '{"late":true}' });
  await place.post(path, { FriendlyName: "While away", Attributes: '{"m":1}' });
  await place.post(`${path}/Participants`, { Identity: "dave" });
  await place.post(`${path}/Participants/bob`, { Attributes: '{"b":1}', LastReadMessageIndex: 1 });
  await place.delete(`${path}/Participants/carol`);
  await place.post(`/Users/alice/Conversations/${sid}`, { NotificationLevel: "muted" });
  await place.post("/Users/alice", { FriendlyName: "Alice, renamed" });
  await place.delete(`/Conversations/${other.sid}`);
  const added = await place.conversation(["alice"], { FriendlyName: "New" });
  proxy.open();
  const { watch } = alice;
  await checks.becomes("connected", connected(alice.client), "connected", 20);
  await checks.event("message removed", watch, "messageRemoved", (each) => each.index === 1);
  await checks.event("message changed", watch, "messageUpdated", because("attributes", messages[2].sid));
  await checks.event("conversation changed", watch, "conversationUpdated", because("friendlyName", sid));
  checks.equal("as it is", [alice.conversation.friendlyName, alice.conversation.attributes], ["While away", { m: 1 }]);
  await checks.event("participant joined", watch, "participantJoined", (each) => each.identity === "dave");
  await checks.event("participant changed", watch, "participantUpdated", ({ participant }) => participant.identity === "bob" && participant.attributes.b === 1);
  await checks.event("participant left", watch, "participantLeft", (each) => each.identity === "carol");
  await checks.event("level changed", watch, "conversationUpdated", because("notificationLevel", sid));
  await checks.event("own user changed", watch, "userUpdated", because("friendlyName"));
  await checks.event("conversation removed", watch, "conversationRemoved", (each) => each === lost);
  await checks.event("conversation added", watch, "conversationJoined", (each) => each.sid === added.sid);
  await checks.event("emitted to the removed one", carol.watch, "conversationRemoved", (each) => each.sid === sid, 20);
  const identities = async () => (await bob.conversation.getParticipants()).map((each) => each.identity).sort();
  await checks.becomes("participants", identities, ["alice", "bob", "dave"]);
});

const sentWhileAway = (place, checks) => through(place, ["alice", "bob"], async ({ proxy, sid, alice, bob }) => {
  proxy.cut();
  await checks.event("noticed", alice.watch, "connectionStateChanged", (state) => state !== "connected");
  const sending = [alice.conversation.sendMessage("queued 1"), alice.conversation.sendMessage("queued 2")];
  await sleep(200);
  proxy.open();
  const indices = await checks.works("sent after all", Promise.all(sending));
  checks.equal("once each", [...indices].sort(), [0, 1]);
  await checks.becomes("received", () => bob.watch.all("messageAdded").map((each) => each.index), [0, 1], 20);
  const bodies = (await place.list(`/Conversations/${sid}/Messages`)).map((each) => each.body).sort();
  checks.equal("REST", bodies, ["queued 1", "queued 2"]);
});

// Connections are lost during fifty messages, three times.
const inTheMiddle = (place, checks) => through(place, ["alice", "bob"], async ({ proxy, sid, alice, bob }) => {
  const sending = (async () => {
    for (let each = 0; each < 50; each += 1) {
      await place.sendMessage(sid, `m${each}`);
      await sleep(60);
    }
  })();
  for (let loss = 0; loss < 3; loss += 1) {
    await sleep(700 + 90 * loss);
    proxy.drop();
  }
  await sending;
  const all = Array.from({ length: 50 }, (_, each) => each);
  for (const [name, { watch, client }] of Object.entries({ alice, bob })) {
    await checks.becomes(`all for ${name}, in order, once`, () => watch.all("messageAdded").map((each) => each.index), all, 30);
    checks.equal(`${name} is connected`, client.connectionState, "connected");
  }
  checks.true("the connections were lost", proxy.accepted >= 6);
});

async function aCallInFlight(place, checks) {
  await through(place, ["alice"], async ({ proxy, sid, alice }) => {
    for (let each = 0; each < 5; each += 1) {
      alice.conversation.sendMessage(`maybe ${each}`).catch(() => null);
      proxy.drop();
      await eventually(connected(alice.client), (state) => state === "connected");
      await eventually(() => alice.client.connectionState, (state) => state === "connected");
    }
    await checks.works("continues", eventually(async () => {
      try {
        return await alice.conversation.sendMessage("certainly");
      } catch {
        return null;
      }
    }, (index) => index !== null, 20));
    const shown = (await place.list(`/Conversations/${sid}/Messages`)).map((each) => each.sid);
    await checks.becomes("each stored message received once", () => alice.watch.all("messageAdded").map((each) => each.sid), shown, 20);
    const last = await messageAt(alice.conversation, shown.length - 1);
    checks.equal("the last", last.body, "certainly");
  });
}

export const scenes = { messagesWhileAway, changesWhileAway, sentWhileAway, inTheMiddle, aCallInFlight };
