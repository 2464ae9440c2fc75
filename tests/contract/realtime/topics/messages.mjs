// Messages: sent, received, changed and removed; their attributes and receipts.

import { Watch, because } from "../checks.mjs";
import { PROXY_NUMBER, Place, VERSION, joined, messageAt, phoneNumber, sdk } from "../place.mjs";

async function send(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const onConversation = new Watch(bob.conversation, ["messageAdded"]);
  const sending = alice.conversation.sendMessage("hello", { mood: ["good"] });
  checks.equal("index", await checks.works("sent", sending), 0);
  const seen = {};
  for (const [name, { watch }] of Object.entries({ alice, bob })) {
    seen[name] = await checks.event(`received by ${name}`, watch, "messageAdded");
  }
  await checks.event("on the conversation too", onConversation, "messageAdded");
  const message = seen.bob;
  const participant = await bob.conversation.getParticipantByIdentity("alice");
  checks.true("sid", /^IM[0-9a-f]{32}$/.test(message.sid));
  checks.equal("the same for both", message.sid, seen.alice.sid);
  checks.equal("body, author, index", [message.body, message.author, message.index], ["hello", "alice", 0]);
  checks.equal("attributes", message.attributes, { mood: ["good"] });
  checks.equal("participant", message.participantSid, participant.sid);
  checks.true("participant, fetched", (await message.getParticipant()) === participant);
  checks.equal("type", message.type, "text");
  checks.true("dates", message.dateCreated instanceof Date && message.dateUpdated instanceof Date);
  checks.equal("never changed", message.lastUpdatedBy, null);
  checks.equal("not set", [message.subject, message.contentSid, message.media], [null, null, null]);
  checks.equal("no media", message.attachedMedia ?? [], []);
  checks.equal("no receipts", message.aggregatedDeliveryReceipt, null);
  checks.equal("no detailed receipts", await message.getDetailedDeliveryReceipts(), []);
  checks.equal("no channel metadata", await message.getChannelMetadata(), null);
  checks.true("conversation", message.conversation === bob.conversation);
  await checks.event("last message emitted", bob.watch, "conversationUpdated", because("lastMessage", sid));
  checks.equal("last message", bob.conversation.lastMessage.index, 0);
  checks.equal("its date", bob.conversation.lastMessage.dateCreated, message.dateCreated);
  const shown = await place.get(`/Conversations/${sid}/Messages/${message.sid}`);
  checks.equal("REST", [shown.body, shown.author, shown.index], ["hello", "alice", 0]);
  checks.equal("REST: participant", shown.participant_sid, participant.sid);
  checks.equal("REST: attributes", JSON.parse(shown.attributes), { mood: ["good"] });
  checks.equal("the next index", await bob.conversation.sendMessage("hi"), 1);
}

async function bodies(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const texts = ["Grüße 😀 \u0001 \r\n\t\"quoted\" \\ </script>", "", "x".repeat(32_768), "ÿ".repeat(16_384)];
  for (const [index, text] of texts.entries()) {
    await checks.works(`sent ${index}`, alice.conversation.sendMessage(text));
    const message = await checks.event(`received ${index}`, bob.watch, "messageAdded", (each) => each.index === index);
    checks.true(`as it was ${index}`, (message.body ?? "") === text);
  }
  checks.equal("REST", (await place.list(`/Conversations/${sid}/Messages`)).map((each) => (each.body ?? "").length), texts.map((text) => text.length));
  const long = alice.conversation.sendMessage("x".repeat(32_769));
  await checks.refused("one too long", long, 400, 50504);
  const wide = alice.conversation.sendMessage("wide", { text: "x".repeat(17_000) });
  await checks.refused("attributes too long", wide, 400, 50303);
  const both = bob.conversation.sendMessage(null);
  checks.equal("no body", await checks.works("sent without", both), texts.length);
}

async function attributesOfAnyKind(place, checks) {
  const { alice, bob } = await place.together(["alice", "bob"]);
  for (const [index, value] of [{}, { a: { b: [1, null] } }, ["list"], "text", 7, true].entries()) {
    await alice.conversation.sendMessage("m", value);
    const message = await bob.watch.wait("messageAdded", (each) => each.index === index, 5);
    checks.equal(`attributes ${index}`, message?.argument.attributes, value);
  }
}

async function change(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const index = await alice.conversation.sendMessage("first");
  const [own, seen] = [await messageAt(alice.conversation, index), await messageAt(bob.conversation, index)];
  const updates = new Watch(seen, ["updated"]);
  const onConversation = new Watch(bob.conversation, ["messageUpdated"]);
  checks.true("the same object", (await checks.works("body changed", own.updateBody("second"))) === own);
  for (const { watch } of [alice, bob]) {
    await checks.event("emitted", watch, "messageUpdated", because("body", own.sid));
  }
  await checks.event("on the message too", updates, "updated", because("body"));
  await checks.event("on the conversation too", onConversation, "messageUpdated", because("body"));
  checks.equal("body", [own.body, seen.body], ["second", "second"]);
  await checks.event("lastUpdatedBy emitted", bob.watch, "messageUpdated", because("lastUpdatedBy"));
  checks.equal("by name", seen.lastUpdatedBy, "alice");
  checks.true("date emitted", bob.watch.all("messageUpdated").some(because("dateUpdated")));
  await checks.works("attributes changed", own.updateAttributes({ edited: true }));
  await checks.event("emitted", bob.watch, "messageUpdated", because("attributes", own.sid));
  checks.equal("attributes", [seen.attributes, seen.body], [{ edited: true }, "second"]);
  const shown = await place.get(`/Conversations/${sid}/Messages/${own.sid}`);
  checks.equal("REST", [shown.body, JSON.parse(shown.attributes)], ["second", { edited: true }]);
}

async function remove(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  for (const text of ["zero", "one", "two"]) await alice.conversation.sendMessage(text);
  await bob.watch.wait("messageAdded", (each) => each.index === 2, 5);
  const [middle, last] = [await messageAt(alice.conversation, 1), await messageAt(alice.conversation, 2)];
  checks.true("the same object", (await checks.works("removed", middle.remove())) === middle);
  for (const { watch } of [alice, bob]) {
    await checks.event("emitted", watch, "messageRemoved", (each) => each.sid === middle.sid);
  }
  bob.watch.clear();
  await checks.works("the last removed", last.remove());
  await checks.event("emitted", bob.watch, "messageRemoved", (each) => each.index === 2);
  await checks.becomes("last message", () => bob.conversation.lastMessage?.index, 0);
  checks.equal("left", (await bob.conversation.getMessages()).items.map((each) => each.body), ["zero"]);
  checks.equal("REST", await place.status(`/Conversations/${sid}/Messages/${middle.sid}`), 404);
  checks.equal("an index is not used twice", await alice.conversation.sendMessage("three"), 3);
  await checks.refused("deleted", middle.updateBody("late"), 404, 50500);
  await checks.refused("removed twice", middle.remove(), 404, 50500);
}

async function builder(place, checks) {
  const { alice, bob } = await place.together(["alice", "bob"]);
  const prepared = alice.conversation.prepareMessage().setBody("built").setSubject("About").setAttributes({ a: 1 });
  const unsent = prepared.build();
  checks.equal("not sent yet", [unsent.text, unsent.attributes], ["built", { a: 1 }]);
  checks.equal("index", await checks.works("sent", unsent.send()), 0);
  const message = await checks.event("received", bob.watch, "messageAdded");
  checks.equal("as built", [message.body, message.subject, message.attributes], ["built", "About", { a: 1 }]);
  const second = alice.conversation.prepareMessage().setBody("at once").buildAndSend();
  checks.equal("index", await checks.works("built and sent", second), 1);
  const mail = alice.conversation.sendMessage("mail", {}, { subject: "By mail" });
  await checks.works("subject", mail);
  await checks.event("emitted", bob.watch, "messageAdded", (each) => each.subject === "By mail");
}

async function richContent(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  // The test that runs this has made one template: "Hello {{1}}".
  const contentSid = process.env.CONTENT_SID;
  const variables = [new sdk.ContentTemplateVariable("1", "Alice")];
  const sending = alice.conversation.prepareMessage().setContentTemplate(contentSid, variables).buildAndSend();
  await checks.works("sent", sending);
  const message = await checks.event("received", bob.watch, "messageAdded");
  checks.equal("content", [message?.contentSid, message?.body], [contentSid, "Hello Alice"]);
  const [shown] = await place.list(`/Conversations/${sid}/Messages`);
  checks.equal("REST", shown.content_sid, contentSid);
  const content = await checks.works("content", message.getContentData());
  checks.equal("text", [content?.type, content?.body], ["text", "Hello Alice"]);
  const templates = await checks.works("templates", alice.client.getContentTemplates());
  const own = templates?.find((each) => each.sid === contentSid);
  checks.equal("its name", own?.friendlyName, "greeting");
  checks.equal("its variables", own?.variables.map((each) => each.name), ["1"]);
  checks.equal("its text", own?.variants.get("twilio/text")?.body, "Hello {{1}}");
  await alice.conversation.sendMessage("plain");
  const plain = await messageAt(alice.conversation, 1);
  checks.equal("no content in a plain one", await plain.getContentData(), null);
}

async function receipts(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const phone = await place.post(`/Conversations/${sid}/Participants`, {
    "MessagingBinding.Address": phoneNumber(),
    "MessagingBinding.ProxyAddress": PROXY_NUMBER,
  });
  const index = await alice.conversation.sendMessage("to a phone");
  const message = await messageAt(bob.conversation, index);
  const early = await checks.works("at once", message.getDetailedDeliveryReceipts());
  checks.equal("none without a status", early?.filter((each) => !["sent", "delivered"].includes(each.status)), []);
  const delivered = () => message.aggregatedDeliveryReceipt?.delivered;
  await checks.becomes("delivered", delivered, "all");
  const summary = message.aggregatedDeliveryReceipt;
  checks.equal("summary", [summary.total, summary.sent, summary.delivered, summary.read, summary.undelivered, summary.failed], [1, "all", "all", "none", "none", "none"]);
  await checks.event("emitted", bob.watch, "messageUpdated", because("deliveryReceipt", message.sid));
  const own = await messageAt(alice.conversation, index);
  const [receipt, ...others] = await checks.works("in detail", own.getDetailedDeliveryReceipts());
  checks.equal("one", others, []);
  checks.equal("participant and message", [receipt.participantSid, receipt.messageSid], [phone.sid, message.sid]);
  checks.equal("conversation", receipt.conversationSid, sid);
  checks.equal("status", [receipt.status, receipt.errorCode], ["delivered", 0]);
  checks.true("sids", /^DY/.test(receipt.sid) && /^SM/.test(receipt.channelMessageSid));
}

async function fromAPhone(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const number = phoneNumber();
  const phone = await place.post(`/Conversations/${sid}/Participants`, {
    "MessagingBinding.Address": number,
    "MessagingBinding.ProxyAddress": PROXY_NUMBER,
  });
  await alice.conversation.sendMessage("to the phone");
  const sent = await Place.textFromPhone(number, PROXY_NUMBER, "from the phone");
  checks.equal("added", [sent.outcome, sent.conversation_sid], ["conversation", sid]);
  for (const [name, { conversation, watch }] of Object.entries({ alice, bob })) {
    const message = await checks.event(`received by ${name}`, watch, "messageAdded", (each) => each.sid === sent.message_sid);
    checks.equal(`${name}: as sent`, [message.body, message.author, message.index, message.type], ["from the phone", number, 1, "text"]);
    checks.equal(`${name}: of the phone`, message.participantSid, phone.sid);
    const participant = await checks.works("its participant", message.getParticipant());
    checks.equal(`${name}: not of chat`, [participant.sid, participant.type, participant.identity ?? null], [phone.sid, "sms", null]);
    await checks.becomes(`${name}: last message`, () => conversation.lastMessage?.index, 1);
  }
}

async function autoCreatedByAPhone(place, checks) {
  const [number, own] = [phoneNumber(), phoneNumber()];
  await place.autoCreate(own);
  const { watch } = await place.open("alice");
  const first = await Place.textFromPhone(number, own, "anybody there?");
  checks.equal("created", first.outcome, "auto_created");
  const sid = first.conversation_sid;
  await place.post(`/Conversations/${sid}/Participants`, { Identity: "alice" });
  await checks.event("added emitted", watch, "conversationAdded", (each) => each.sid === sid);
  await checks.event("joined emitted", watch, "conversationJoined", (each) => each.sid === sid);
  const conversation = await joined(watch, sid);
  const types = (await conversation.getParticipants()).map((each) => [each.type, each.identity ?? null]);
  checks.equal("participants", types.sort(), [["chat", "alice"], ["sms", null]]);
  const { items } = await conversation.getMessages();
  checks.equal("the first message", items.map((each) => [each.sid, each.author, each.body]), [[first.message_sid, number, "anybody there?"]]);
  const second = await Place.textFromPhone(number, own, "hello?");
  checks.equal("added to the same", [second.outcome, second.conversation_sid], ["conversation", sid]);
  const message = await checks.event("received", watch, "messageAdded", (each) => each.sid === second.message_sid);
  checks.equal("as sent", [message.author, message.body, message.index], [number, "hello?", 1]);
}

async function recipients(place, checks) {
  const { alice } = await place.together(["alice", "bob"]);
  await alice.conversation.sendMessage("without mail recipients");
  const message = await messageAt(alice.conversation, 0);
  if (VERSION.startsWith("2.4")) {
    checks.equal("not in this version", message.getMessageRecipients, undefined);
    return;
  }
  checks.equal("of a message", await checks.works("fetched", message.getMessageRecipients()), []);
  const page = await checks.works("all fetched", alice.conversation.getMessageRecipients());
  checks.equal("of all", [page.items, page.hasNextPage, page.hasPrevPage], [[], false, false]);
}

async function recipientsByMail(place, checks) {
  const { sid, alice } = await place.together(["alice"]);
  const path = `/Conversations/${sid}/Participants`;
  await place.post(path, { "MessagingBinding.Address": "ann@mail.example" });
  const index = await alice.conversation.sendMessage("by mail");
  const message = await messageAt(alice.conversation, index);
  if (VERSION.startsWith("2.4")) {
    checks.equal("not in this version", message.getMessageRecipients, undefined);
    return;
  }
  const shown = (all) => all.map((each) => [each.type, each.messageSid, each.level, each.address]);
  const expected = [["email", message.sid, "to", "ann@mail.example"]];
  checks.equal("of a message", shown(await checks.works("fetched", message.getMessageRecipients())), expected);
  const page = await checks.works("all fetched", alice.conversation.getMessageRecipients({ pageSize: 5 }));
  checks.equal("of all", shown(page.items), expected);
}

async function order(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const sends = [];
  for (let each = 0; each < 40; each += 1) {
    const { conversation } = each % 2 ? alice : bob;
    sends.push(conversation.sendMessage(`m${each}`));
  }
  const indices = await Promise.all(sends);
  checks.equal("each index once", [...indices].sort((a, b) => a - b), [...indices.keys()]);
  const shown = (await place.list(`/Conversations/${sid}/Messages`)).map((each) => each.body);
  for (const { watch } of [alice, bob]) {
    await checks.becomes("received in order", () => watch.all("messageAdded").map((each) => each.index), [...indices.keys()]);
    checks.equal("as REST shows", watch.all("messageAdded").map((each) => each.body), shown);
  }
}

export const scenes = {
  send,
  bodies,
  attributesOfAnyKind,
  change,
  remove,
  builder,
  richContent,
  receipts,
  fromAPhone,
  autoCreatedByAPhone,
  recipients,
  recipientsByMail,
  order,
};
