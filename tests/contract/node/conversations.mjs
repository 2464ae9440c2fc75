// Operations on conversations, users and roles, by the npm client, in both forms of URLs.

import { eventually, sids } from "./checks.mjs";

const PROXY = "+15017122661";
const MOMENT = new Date("2023-05-04T09:42:00Z");

async function conversations(place, checks) {
  const collection = place.resources.conversations;
  const made = await collection.create({
    friendlyName: "Home Repair Visit",
    uniqueName: "repair-1",
    attributes: '{ "topic": "feedback" }',
    dateCreated: MOMENT,
    "timers.closed": "P7D",
    xTwilioWebhookEnabled: "true",
  });
  checks.equal("attributes as sent", made.attributes, '{ "topic": "feedback" }');
  checks.equal("date", made.dateCreated, MOMENT);
  checks.equal("state", made.state, "active");
  checks.equal("timers", Object.keys(made.timers), ["date_closed"]);
  checks.equal("service", made.chatServiceSid, place.serviceSid);
  checks.equal("URL", made.url, place.url(`/Conversations/${made.sid}`));
  checks.equal("by name", (await collection("repair-1").fetch()).sid, made.sid);
  const changed = await collection(made.sid).update({ friendlyName: "Done", uniqueName: "" });
  checks.equal("changed", [changed.friendlyName, changed.uniqueName], ["Done", null]);
  const old = await collection.list({ startDate: "2023-05-04", endDate: "2023-05-05" });
  checks.equal("list by date", sids(old), [made.sid]);
  checks.true("removed", await collection(made.sid).remove());
  checks.true("deleted", !sids(await collection.list()).includes(made.sid));
}

async function messages(place, checks) {
  const conversation = await place.newConversation();
  const alice = await conversation.participants.create({ identity: "alice" });
  const first = await conversation.messages.create({ author: "alice", body: "Hello" });
  checks.equal("index", first.index, 0);
  checks.equal("author", [first.author, first.participantSid], ["alice", alice.sid]);
  checks.equal("nulls", [first.media, first.delivery, first.contentSid], [null, null, null]);
  checks.equal("service shown", first.chatServiceSid, place.shownServiceSid);
  const second = await conversation.messages.create({ body: "Über ☎️" });
  checks.equal("system", [second.author, second.participantSid], ["system", null]);
  const down = await conversation.messages.list({ order: "desc" });
  checks.equal("order", sids(down), [second.sid, first.sid]);
  const path = conversation.messages;
  const changed = await path(first.sid).update({ body: "again", attributes: '{"a":[1]}' });
  checks.equal("changed", [changed.body, changed.attributes], ["again", '{"a":[1]}']);
  checks.equal("fetched", (await path(first.sid).fetch()).body, "again");
  checks.true("removed", await path(first.sid).remove());
  checks.equal("left", sids(await path.list()), [second.sid]);
}

async function receipts(place, checks) {
  const conversation = await place.newConversation();
  const phone = await conversation.participants.create({
    "messagingBinding.address": place.number(1),
    "messagingBinding.proxyAddress": PROXY,
  });
  const message = await conversation.messages.create({ body: "Your plumber is here" });
  checks.equal("recipients", message.delivery.total, 1);
  const path = conversation.messages(message.sid);
  const [receipt] = await eventually(
    () => path.deliveryReceipts.list(),
    (seen) => seen[0]?.status === "delivered",
  );
  checks.equal("status", [receipt.status, receipt.errorCode], ["delivered", 0]);
  checks.equal("of the phone", receipt.participantSid, phone.sid);
  checks.equal("service shown", receipt.chatServiceSid, place.shownServiceSid);
  const fetched = await path.deliveryReceipts(receipt.sid).fetch();
  checks.equal("fetched", fetched.url, receipt.url);
}

async function participants(place, checks) {
  const conversation = await place.newConversation();
  const members = conversation.participants;
  const alice = await members.create({ identity: "alice@example.com" });
  checks.equal("identity", [alice.identity, alice.messagingBinding], ["alice@example.com", null]);
  checks.equal("service shown", alice.chatServiceSid, place.shownServiceSid);
  const phone = await members.create({
    "messagingBinding.address": place.number(2),
    "messagingBinding.proxyAddress": PROXY,
  });
  const binding = { type: "sms", address: place.number(2), proxy_address: PROXY };
  checks.equal("binding", phone.messagingBinding, binding);
  checks.equal("list", sids(await members.list()), [alice.sid, phone.sid]);
  checks.equal("by identity", (await members("alice@example.com").fetch()).sid, alice.sid);
  await conversation.messages.create({ body: "one" });
  const changed = await members("alice@example.com").update({
    attributes: '{"seat":"2A"}',
    dateCreated: MOMENT,
    dateUpdated: MOMENT,
    lastReadMessageIndex: 0,
    lastReadTimestamp: "2023-05-04T09:42:00+00:00",
    xTwilioWebhookEnabled: "true",
  });
  checks.equal("attributes", changed.attributes, '{"seat":"2A"}');
  checks.equal("dates", [changed.dateCreated, changed.dateUpdated], [MOMENT, MOMENT]);
  checks.equal("horizon", changed.lastReadMessageIndex, 0);
  checks.equal("read at", changed.lastReadTimestamp, "2023-05-04T09:42:00Z");
  const moved = await members(phone.sid).update({ "messagingBinding.proxyAddress": "+15017122662" });
  checks.equal("proxy", moved.messagingBinding.proxy_address, "+15017122662");
  checks.true("removed", await members(phone.sid).remove());
  checks.equal("left", sids(await members.list()), [alice.sid]);
}

async function scopedWebhooks(place, checks) {
  const conversation = await place.newConversation();
  const hooks = conversation.webhooks;
  const made = await hooks.create({
    target: "webhook",
    "configuration.url": "https://example.com/hook",
    "configuration.filters": ["onMessageAdded", "onMessageUpdated"],
  });
  checks.equal("target", made.target, "webhook");
  const filters = ["onMessageAdded", "onMessageUpdated"];
  const expected = { url: "https://example.com/hook", method: "POST", filters };
  checks.equal("configuration", made.configuration, expected);
  checks.equal("service shown", made.chatServiceSid, place.shownServiceSid);
  const changed = await hooks(made.sid).update({ "configuration.method": "get" });
  checks.equal("method", changed.configuration.method, "GET");
  checks.equal("fetched", (await hooks(made.sid).fetch()).configuration.filters, filters);
  checks.equal("list", sids(await hooks.list()), [made.sid]);
  checks.true("removed", await hooks(made.sid).remove());
  checks.equal("deleted", await hooks.list(), []);
}

async function conversationWithParticipants(place, checks) {
  const collection = place.resources.conversationWithParticipants;
  checks.equal("alone", (await collection.create({ friendlyName: "alone" })).state, "active");
  const binding = { address: place.number(3), proxy_address: PROXY };
  const made = await collection.create({
    participant: [
      JSON.stringify({ identity: "carol" }),
      JSON.stringify({ messaging_binding: binding }),
    ],
  });
  checks.equal("state", made.state, "initializing");
  const conversation = place.resources.conversations(made.sid);
  const ready = await eventually(
    () => conversation.fetch(),
    (seen) => seen.state === "active",
  );
  checks.equal("ready", ready.state, "active");
  const [carol, phone] = await conversation.participants.list();
  checks.equal("identity", carol.identity, "carol");
  checks.equal("binding", phone.messagingBinding, { type: "sms", ...binding });
}

async function participantConversations(place, checks) {
  const conversation = await place.newConversation({ friendlyName: "found" });
  const member = await conversation.participants.create({ identity: "dave" });
  const found = await place.resources.participantConversations.list({ identity: "dave" });
  checks.equal("found", found.length, 1);
  checks.equal("participant", found[0].participantSid, member.sid);
  checks.equal("name", found[0].conversationFriendlyName, "found");
  const none = await place.resources.participantConversations.list({ address: "+15558675399" });
  checks.equal("none", none, []);
}

async function users(place, checks) {
  const collection = place.resources.users;
  const made = await collection.create({ identity: "erin@example.com", friendlyName: "Erin" });
  checks.equal("made", [made.identity, made.friendlyName], ["erin@example.com", "Erin"]);
  checks.equal("online", [made.isOnline, made.isNotifiable], [null, null]);
  checks.equal("by identity", (await collection("erin@example.com").fetch()).sid, made.sid);
  const changed = await collection(made.sid).update({ friendlyName: "E.", attributes: "[1]" });
  checks.equal("changed", [changed.friendlyName, changed.attributes], ["E.", "[1]"]);
  checks.true("listed", sids(await collection.list()).includes(made.sid));
  checks.true("removed", await collection(made.sid).remove());
  checks.true("deleted", !sids(await collection.list()).includes(made.sid));
}

async function userConversations(place, checks) {
  const conversation = await place.newConversation();
  const member = await conversation.participants.create({ identity: "frank" });
  await conversation.messages.create({ body: "one" });
  await conversation.messages.create({ body: "two" });
  const mine = place.resources.users("frank").userConversations;
  const fetched = await mine(conversation.sid).fetch();
  checks.equal("nothing read", fetched.unreadMessagesCount, null);
  checks.equal("participant", fetched.participantSid, member.sid);
  const changed = await mine(conversation.sid).update({
    notificationLevel: "muted",
    lastReadMessageIndex: 0,
    lastReadTimestamp: MOMENT,
  });
  checks.equal("unread", changed.unreadMessagesCount, 1);
  checks.equal("muted", changed.notificationLevel, "muted");
  const listed = await mine.list();
  checks.equal("list", listed.map((each) => each.conversationSid), [conversation.sid]);
  checks.true("removed", await mine(conversation.sid).remove());
  checks.equal("deleted", await mine.list(), []);
}

async function roles(place, checks) {
  const collection = place.resources.roles;
  const permission = ["leaveConversation", "editNotificationLevel"];
  const made = await collection.create({ friendlyName: "reader", type: "conversation", permission });
  checks.equal("permissions", made.permissions, permission);
  const changed = await collection(made.sid).update({ permission: ["sendMessage"] });
  checks.equal("replaced", changed.permissions, ["sendMessage"]);
  checks.equal("fetched", (await collection(made.sid).fetch()).permissions, ["sendMessage"]);
  checks.true("listed", sids(await collection.list()).includes(made.sid));
  checks.true("removed", await collection(made.sid).remove());
  checks.true("deleted", !sids(await collection.list()).includes(made.sid));
}

async function everyPage(place, checks) {
  const conversation = await place.newConversation();
  const path = conversation.messages;
  const expected = Array.from({ length: 120 }, (_, number) => String(number));
  for (const body of expected) await path.create({ body });
  const listed = await path.list({ limit: 1000 });
  checks.equal("whole list", listed.map((each) => each.body), expected);
  const page = await path.page({ pageSize: 50 });
  const following = await page.nextPage();
  checks.equal("second page", following.instances.map((each) => each.body), expected.slice(50, 100));
  const back = await following.previousPage();
  checks.equal("back again", back.instances.map((each) => each.body), expected.slice(0, 50));
  const seen = [];
  await path.each({ pageSize: 7, limit: 25, callback: (each) => seen.push(each.body) });
  const all = await eventually(
    () => seen,
    (bodies) => bodies.length === 25,
  );
  checks.equal("each", all, expected.slice(0, 25));
}

async function errors(place, checks) {
  const missing = await place.resources
    .conversations("nope")
    .fetch()
    .catch((error) => error);
  checks.equal("status and code", [missing.status, missing.code], [404, 20404]);
  checks.equal("more", missing.moreInfo, "https://www.twilio.com/docs/errors/20404");
  checks.true("message", missing.message.endsWith("/Conversations/nope was not found"));
  await place.resources.users.create({ identity: "twice" });
  const twice = await place.resources.users.create({ identity: "twice" }).catch((error) => error);
  checks.equal("conflict", [twice.status, twice.code], [409, 50201]);
}

export const CONVERSATION_SCENARIOS = {
  conversations,
  messages,
  receipts,
  participants,
  scopedWebhooks,
  conversationWithParticipants,
  participantConversations,
  users,
  userConversations,
  roles,
  everyPage,
  errors,
};
