// Conversations: made, found, joined, changed, left and deleted by clients.

import { because, sleep } from "../checks.mjs";
import { CONVERSATION_EVENTS, joined } from "../place.mjs";
import { Watch } from "../checks.mjs";

async function createAndJoin(place, checks) {
  const { client, watch } = await place.open("alice");
  const options = { friendlyName: "Support", uniqueName: "support/1", attributes: { topic: "x" } };
  const made = await checks.works("created", client.createConversation(options));
  await checks.event("emitted", watch, "conversationAdded", (each) => each.sid === made.sid);
  checks.true("sid", /^CH[0-9a-f]{32}$/.test(made.sid));
  checks.equal("names", [made.friendlyName, made.uniqueName], ["Support", "support/1"]);
  checks.equal("attributes", made.attributes, { topic: "x" });
  checks.equal("attributes, fetched", await made.getAttributes(), { topic: "x" });
  checks.equal("creator", made.createdBy, "alice");
  checks.equal("not joined", made.status, "notParticipating");
  checks.equal("state", made.state?.current, "active");
  checks.true("date of the state", made.state?.dateUpdated instanceof Date);
  checks.true("dates", made.dateCreated instanceof Date && made.dateUpdated instanceof Date);
  checks.true("no last message", made.lastMessage === undefined || made.lastMessage === null);
  checks.equal("bindings", made.bindings, {});
  checks.equal("limits", made.limits.mediaAttachmentsCountLimit, 10);
  const shown = await place.get(`/Conversations/${made.sid}`);
  checks.equal("REST: names", [shown.friendly_name, shown.unique_name], ["Support", "support/1"]);
  checks.equal("REST: attributes", JSON.parse(shown.attributes), { topic: "x" });
  checks.equal("REST: date", new Date(shown.date_created).getTime() / 1000, Math.floor(made.dateCreated / 1000));
  checks.equal("no participants", await made.getParticipantsCount(), 0);
  await checks.works("joined", made.join());
  const same = await checks.event("join emitted", watch, "conversationJoined", (each) => each.sid === made.sid);
  checks.true("the same object", same === made);
  checks.equal("status", made.status, "joined");
  checks.equal("notification level", made.notificationLevel, "default");
  checks.equal("nothing read", made.lastReadMessageIndex, null);
  const [participant] = await place.list(`/Conversations/${made.sid}/Participants`);
  const roles = await place.get("/Configuration");
  checks.equal("participant", participant.identity, "alice");
  checks.equal("with the creator's role", participant.role_sid, roles.default_conversation_creator_role_sid);
  await checks.refused("a second time", made.join(), 409, 50433);
}

async function createWithoutAnything(place, checks) {
  const { client } = await place.open("alice");
  const made = await checks.works("created", client.createConversation());
  checks.equal("nothing set", [made.friendlyName, made.uniqueName, made.attributes], [null, null, {}]);
}

async function find(place, checks) {
  const { sid, alice } = await place.together(["alice"], { UniqueName: "a b/c+ü" });
  const { client, conversation } = alice;
  checks.true("by sid", (await client.getConversationBySid(sid)) === conversation);
  checks.true("by name", (await client.getConversationByUniqueName("a b/c+ü")) === conversation);
  checks.true("peeked", (await client.peekConversationBySid(sid)) === conversation);
  const unknownSid = `CH${"0".repeat(32)}`;
  await checks.rejects("unknown sid", client.getConversationBySid(unknownSid));
  await checks.rejects("unknown sid, peeked", client.peekConversationBySid(unknownSid));
  await checks.refused("unknown name", client.getConversationByUniqueName("nothing"), 404, 50350);
  const foreign = await place.conversation(["bob"], { UniqueName: "bob's" });
  await checks.rejects("not a member: by sid", client.getConversationBySid(foreign.sid));
  await checks.rejects("not a member: peeked", client.peekConversationBySid(foreign.sid));
  await checks.rejects("not a member: by name", client.getConversationByUniqueName("bob's"));
}

async function peekAtOnesOwn(place, checks) {
  const { client } = await place.open("alice");
  const made = await client.createConversation({ friendlyName: "Mine" });
  const other = await place.open("alice");
  const peeked = await checks.works("peeked", other.client.peekConversationBySid(made.sid));
  checks.equal("as it is", [peeked?.friendlyName, peeked?.status], ["Mine", "notParticipating"]);
  await checks.event("emitted", other.watch, "conversationAdded", (each) => each.sid === made.sid);
  await checks.works("joined there", peeked.join());
  await checks.event("join emitted", other.watch, "conversationJoined");
}

async function change(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const role = await place.role("conversation", ["editConversationName", "editConversationAttributes"]);
  await place.post(`/Conversations/${sid}/Participants/alice`, { RoleSid: role.sid });
  const updates = new Watch(bob.conversation, CONVERSATION_EVENTS);
  await checks.works("friendly name", alice.conversation.updateFriendlyName("Renamed"));
  for (const { watch } of [alice, bob]) {
    await checks.event("friendly name emitted", watch, "conversationUpdated", because("friendlyName", sid));
  }
  await checks.event("on the conversation too", updates, "updated", because("friendlyName", sid));
  checks.equal("friendly name shown", bob.conversation.friendlyName, "Renamed");
  await checks.works("unique name", alice.conversation.updateUniqueName("unique"));
  await checks.event("unique name emitted", bob.watch, "conversationUpdated", because("uniqueName", sid));
  checks.equal("unique name shown", bob.conversation.uniqueName, "unique");
  await checks.works("attributes", alice.conversation.updateAttributes({ deep: [1, { a: null }] }));
  await checks.event("attributes emitted", bob.watch, "conversationUpdated", because("attributes", sid));
  checks.equal("attributes shown", bob.conversation.attributes, { deep: [1, { a: null }] });
  checks.true("date emitted", bob.watch.all("conversationUpdated").some(because("dateUpdated")));
  const shown = await place.get(`/Conversations/${sid}`);
  checks.equal("REST", [shown.friendly_name, shown.unique_name], ["Renamed", "unique"]);
  checks.equal("REST: attributes", JSON.parse(shown.attributes), { deep: [1, { a: null }] });
  bob.watch.clear();
  await checks.works("unique name cleared", alice.conversation.updateUniqueName(null));
  await checks.event("emitted", bob.watch, "conversationUpdated", because("uniqueName", sid));
  checks.equal("cleared", [bob.conversation.uniqueName, (await place.get(`/Conversations/${sid}`)).unique_name], [null, null]);
}

async function leave(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const removals = new Watch(alice.conversation, CONVERSATION_EVENTS);
  await checks.works("left", alice.conversation.leave());
  await checks.event("emitted", alice.watch, "conversationLeft", (each) => each.sid === sid);
  await checks.event("and removed", alice.watch, "conversationRemoved", (each) => each.sid === sid);
  await checks.event("on the conversation too", removals, "removed");
  await checks.event("emitted to others", bob.watch, "participantLeft", (each) => each.identity === "alice");
  const left = await place.list(`/Conversations/${sid}/Participants`);
  checks.equal("REST", left.map((each) => each.identity), ["bob"]);
  checks.equal("not subscribed", (await alice.client.getSubscribedConversations()).items, []);
  await place.sendMessage(sid, "after");
  await checks.event("others still receive", bob.watch, "messageAdded");
  await sleep(200);
  checks.equal("nothing more is received", alice.watch.all("messageAdded"), []);
}

async function destroy(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const role = await place.role("conversation", ["deleteConversation"]);
  await place.post(`/Conversations/${sid}/Participants/alice`, { RoleSid: role.sid });
  const removals = new Watch(bob.conversation, CONVERSATION_EVENTS);
  await checks.works("deleted", alice.conversation.delete());
  for (const { watch } of [alice, bob]) {
    await checks.event("left", watch, "conversationLeft", (each) => each.sid === sid);
    await checks.event("removed", watch, "conversationRemoved", (each) => each.sid === sid);
  }
  await checks.event("on the conversation too", removals, "removed");
  checks.equal("REST", await place.status(`/Conversations/${sid}`), 404);
}

async function count(place, checks) {
  const { sid, alice } = await place.together(["alice", "bob"]);
  checks.equal("participants", await alice.conversation.getParticipantsCount(), 2);
  checks.equal("messages", await alice.conversation.getMessagesCount(), 0);
  for (const body of ["a", "b", "c"]) await place.sendMessage(sid, body);
  // The SDK caches the count for half a second.
  await checks.becomes("more messages", () => alice.conversation.getMessagesCount(), 3);
}

async function notificationLevel(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  await checks.works("muted", alice.conversation.setUserNotificationLevel("muted"));
  await checks.event("emitted", alice.watch, "conversationUpdated", because("notificationLevel", sid));
  checks.equal("shown", alice.conversation.notificationLevel, "muted");
  const path = `/Users/alice/Conversations/${sid}`;
  checks.equal("REST", (await place.get(path)).notification_level, "muted");
  await place.post(path, { NotificationLevel: "default" });
  await checks.becomes("by REST", () => alice.conversation.notificationLevel, "default");
  checks.equal("the other's own", bob.conversation.notificationLevel, "default");
}

async function refusals(place, checks) {
  const { client } = await place.open("alice");
  await client.createConversation({ uniqueName: "taken" });
  const again = client.createConversation({ uniqueName: "taken" });
  await checks.refused("a unique name that is taken", again, 409, 50353);
  const long = client.createConversation({ friendlyName: "x".repeat(257) });
  await checks.refused("a long name", long, 400, 50003);
  const wide = client.createConversation({ attributes: { text: "x".repeat(16_400) } });
  await checks.refused("wide attributes", wide, 400, 50303);
  const { sid, bob } = await place.together(["bob"]);
  await place.delete(`/Conversations/${sid}`);
  await checks.rejects("a deleted conversation", bob.conversation.sendMessage("hello?"));
}

async function state(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  await place.post(`/Conversations/${sid}`, { State: "inactive" });
  await checks.event("emitted", alice.watch, "conversationUpdated", because("state", sid));
  checks.equal("inactive", alice.conversation.state?.current, "inactive");
  await checks.works("a message activates it", alice.conversation.sendMessage("wake up"));
  await checks.becomes("active", () => bob.conversation.state?.current, "active");
  await place.post(`/Conversations/${sid}`, { State: "closed" });
  await checks.becomes("closed", () => bob.conversation.state?.current, "closed");
  await checks.refused("closed to messages", alice.conversation.sendMessage("too late"), 400, 50377);
}

async function joinAgain(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  await place.sendMessage(sid, "before");
  await alice.conversation.leave();
  await checks.event("left", alice.watch, "conversationRemoved");
  alice.watch.clear();
  await place.sendMessage(sid, "while away");
  await checks.works("added again", bob.conversation.add("alice").catch(() =>
    place.post(`/Conversations/${sid}/Participants`, { Identity: "alice" })));
  const again = await joined(alice.watch, sid);
  const { items } = await again.getMessages();
  checks.equal("all messages", items.map((each) => each.body), ["before", "while away"]);
  await place.sendMessage(sid, "after");
  await checks.event("and continues", alice.watch, "messageAdded", (each) => each.body === "after");
}

export const scenes = {
  createAndJoin,
  createWithoutAnything,
  find,
  peekAtOnesOwn,
  change,
  leave,
  destroy,
  count,
  notificationLevel,
  refusals,
  state,
  joinAgain,
};
