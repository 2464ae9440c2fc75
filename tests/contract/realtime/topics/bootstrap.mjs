// Start and shutdown of a client, and its state after the start.

import { sleep } from "../checks.mjs";
import { VERSION, baseUrl, joined, opened, sdk } from "../place.mjs";

async function aClientStarts(place, checks) {
  const token = await place.token("alice");
  const { client, watch } = place.start(token);
  await checks.event("initialized", watch, "initialized");
  await checks.event("user subscribed", watch, "userSubscribed", (user) => user === client.user);
  checks.equal("connection states", watch.all("connectionStateChanged").slice(0, 2), [
    "connecting",
    "connected",
  ]);
  checks.equal("states", watch.all("stateChanged"), ["initialized"]);
  checks.equal("no failure", watch.all("initFailed").concat(watch.all("connectionError")), []);
  checks.equal("connection state", client.connectionState, "connected");
  checks.equal("identity", client.user.identity, "alice");
  checks.equal("name of a new user", client.user.friendlyName, null);
  checks.equal("attributes of a new user", client.user.attributes, {});
  checks.true("own user subscribed", client.user.isSubscribed);
  checks.equal("reachability is off", client.reachabilityEnabled, false);
  checks.equal("token unchanged", client.token, token);
  checks.equal("version", [client.version, sdk.Client.version], [VERSION, VERSION]);
  const user = await place.get("/Users/alice");
  const roles = await place.get("/Configuration");
  checks.equal("the user exists", user.identity, "alice");
  checks.equal("with the default role", user.role_sid, roles.default_chat_service_role_sid);
  checks.equal("no conversations", (await client.getSubscribedConversations()).items, []);
}

async function conversationsFollow(place, checks) {
  const made = [];
  for (const UniqueName of ["one", "two", "three"]) {
    made.push(await place.conversation(["alice"], { UniqueName, FriendlyName: UniqueName }));
  }
  await place.conversation(["bob"], { UniqueName: "not alice's" });
  const { client, watch } = await place.open("alice");
  for (const { sid } of made) {
    await checks.event("added", watch, "conversationAdded", (each) => each.sid === sid);
    await checks.event("joined", watch, "conversationJoined", (each) => each.sid === sid);
  }
  const page = await client.getSubscribedConversations();
  const expected = made.map((each) => each.sid).sort();
  checks.equal("all of them", page.items.map((each) => each.sid).sort(), expected);
  checks.equal("no other pages", [page.hasNextPage, page.hasPrevPage], [false, false]);
  checks.true("all joined", page.items.every((each) => each.status === "joined"));
  checks.equal("emitted for the own ones only", watch.all("conversationAdded").length, 3);
}

async function theDeprecatedWayToStart(place, checks) {
  const uri = `${baseUrl.replace("http", "ws")}/v3/wsconnect`;
  const options = { logLevel: "silent", Twilsock: { uri } };
  const creating = sdk.Client.create(await place.token("alice"), options);
  const client = await checks.works("created", creating);
  place.clients.push(client);
  checks.equal("started", [client.connectionState, client.user.identity], ["connected", "alice"]);
}

async function shutdown(place, checks) {
  const { client, watch } = await place.open("alice");
  watch.clear();
  await checks.works("shut down", client.shutdown());
  await checks.event("ends", watch, "connectionStateChanged", (state) => state === "disconnected");
  checks.equal("states", watch.all("connectionStateChanged"), [
    "disconnecting",
    "disconnected",
  ]);
  checks.equal("connection state", client.connectionState, "disconnected");
}

async function staticParts(_, checks) {
  const registration = { types: new Set() };
  registration.populateInitRegistrations = (types) => types.forEach((each) => registration.types.add(each));
  sdk.Client.populateInitRegistrations(registration);
  checks.true("typing is registered", registration.types.has("twilio.ipmsg.typing_indicator"));
  checks.equal("version", sdk.Client.version, VERSION);
}

async function reachability(place, checks) {
  await place.post("/Configuration", { ReachabilityEnabled: true });
  const [alice, bob] = [await place.open("alice"), await place.open("bob")];
  checks.true("enabled", alice.client.reachabilityEnabled);
  // A connection does not wait until its user's presence is written.
  await checks.becomes("I am online", () => alice.client.user.isOnline, true);
  checks.equal("I am not notifiable", alice.client.user.isNotifiable, false);
  const seen = await alice.client.getUser("bob");
  await checks.becomes("the other is online", () => seen.isOnline, true);
  checks.true("online in REST", (await place.get("/Users/bob")).is_online);
  await globalThis.subscribed(alice.client);
  const second = await place.open("bob");
  alice.watch.clear();
  await bob.client.shutdown();
  await sleep(200);
  checks.true("online with one of two connections", seen.isOnline);
  await second.client.shutdown();
  await checks.event(
    "offline after the last connection",
    alice.watch,
    "userUpdated",
    ({ user, updateReasons }) => user === seen && updateReasons.includes("reachabilityOnline"),
  );
  checks.equal("offline", seen.isOnline, false);
  checks.equal("offline in REST", (await place.get("/Users/bob")).is_online, false);
  alice.watch.clear();
  await place.open("bob");
  await checks.event("online again", alice.watch, "userUpdated", ({ user }) => user.isOnline);
}

async function twoDevicesOfOneUser(place, checks) {
  const { sid } = await place.conversation(["alice", "bob"]);
  const [phone, laptop] = [await place.open("alice"), await place.open("alice")];
  const onPhone = await joined(phone.watch, sid);
  await joined(laptop.watch, sid);
  await checks.works("sent by one", onPhone.sendMessage("from the phone"));
  for (const device of [phone, laptop]) {
    const message = await checks.event("received by both", device.watch, "messageAdded");
    checks.equal("as it is", [message?.body, message?.author], ["from the phone", "alice"]);
  }
  await onPhone.advanceLastReadMessageIndex(0);
  await checks.event(
    "read on one is read on the other",
    laptop.watch,
    "conversationUpdated",
    ({ conversation }) => conversation.lastReadMessageIndex === 0,
  );
}

async function anIdentityOfAnyCharacters(place, checks) {
  const identity = "ann/e b%20?c+d&é😀";
  const { sid } = await place.conversation(["alice", identity]);
  const [{ client, watch }, alice] = [await place.open(identity), await place.open("alice")];
  checks.equal("identity", client.user.identity, identity);
  const conversation = await joined(watch, sid);
  await checks.works("sends", conversation.sendMessage("hello"));
  const message = await checks.event("received", watch, "messageAdded");
  checks.equal("author", message?.author, identity);
  checks.equal("found by identity", (await conversation.getParticipantByIdentity(identity))?.identity, identity);
  const user = await checks.works("the user is found", alice.client.getUser(identity));
  checks.equal("as it is", user?.identity, identity);
  await checks.works("changes itself", client.user.updateFriendlyName("Anne"));
  await checks.works("leaves", conversation.leave());
  await checks.event("left", watch, "conversationLeft");
}

// Every message after the client's first subscription is received, also while it still subscribes.
async function nothingIsMissedAtTheStart(place, checks) {
  for (let round = 0; round < 5; round += 1) {
    const { sid } = await place.conversation(["alice"]);
    const { client, watch } = await place.open("alice");
    const conversation = await opened(watch, sid);
    await conversation.sendMessage("at once");
    await place.sendMessage(sid, "and by REST");
    const received = () => watch.all("messageAdded").map((message) => message.body);
    await checks.becomes("received", received, ["at once", "and by REST"], 3);
    await client.shutdown();
  }
}

export const scenes = {
  nothingIsMissedAtTheStart,
  aClientStarts,
  conversationsFollow,
  theDeprecatedWayToStart,
  shutdown,
  staticParts,
  reachability,
  twoDevicesOfOneUser,
  anIdentityOfAnyCharacters,
};
