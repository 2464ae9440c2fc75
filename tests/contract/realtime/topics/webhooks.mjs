// Webhooks of changes by an SDK: pre-action, whose amendments reach clients, and post-action.

import { createServer } from "node:http";
import { because, eventually, sleep } from "../checks.mjs";
import { messageAt } from "../place.mjs";

// The web server of a program, with a response for each event.
class Receiver {
  static async make() {
    const receiver = new Receiver();
    await new Promise((ready) => receiver.server.listen(0, "127.0.0.1", ready));
    return receiver;
  }

  constructor() {
    this.got = [];
    this.responses = {};
    this.server = createServer(async (request, response) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      const parameters = Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString()));
      this.got.push(parameters);
      const { status = 200, json = {} } = this.responses[parameters.EventType] ?? {};
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(json));
    });
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}/hook`;
  }

  all(name) {
    return this.got.filter((each) => each.EventType === name);
  }

  async one(name) {
    await eventually(() => this.all(name).length, (count) => count > 0);
    return this.all(name)[0];
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const PRE = ["onConversationAdd", "onConversationUpdate", "onConversationRemove", "onMessageAdd", "onMessageUpdate", "onMessageRemove", "onParticipantAdd", "onParticipantUpdate", "onParticipantRemove", "onUserUpdate"];
const POST = ["onConversationAdded", "onConversationUpdated", "onConversationRemoved", "onMessageAdded", "onMessageUpdated", "onMessageRemoved", "onParticipantAdded", "onParticipantUpdated", "onParticipantRemoved", "onUserUpdated"];

async function hooked(place, work) {
  const receiver = await Receiver.make();
  try {
    await place.post("/Configuration/Webhooks", { PreWebhookUrl: receiver.url, PostWebhookUrl: receiver.url, Filters: [...PRE, ...POST], Method: "POST" });
    await work(receiver);
  } finally {
    receiver.close();
  }
}

const amends = (place, checks) => hooked(place, async (receiver) => {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  receiver.responses.onMessageAdd = { json: { body: "b*****", attributes: '{"checked":true}' } };
  await checks.works("sent", alice.conversation.sendMessage("blimey"));
  for (const { watch } of [alice, bob]) {
    const message = await checks.event("received", watch, "messageAdded");
    checks.equal("as amended", [message.body, message.attributes], ["b*****", { checked: true }]);
  }
  const preAction = await receiver.one("onMessageAdd");
  checks.equal("pre-action parameters", [preAction.Body, preAction.Author, preAction.Source, preAction.ClientIdentity], ["blimey", "alice", "SDK", "alice"]);
  checks.equal("conversation and account", [preAction.ConversationSid, preAction.AccountSid], [sid, process.env.ACCOUNT_SID]);
  const postAction = await receiver.one("onMessageAdded");
  checks.equal("sent as amended", [postAction.Body, postAction.Source, postAction.ClientIdentity], ["b*****", "SDK", "alice"]);
  receiver.responses.onMessageUpdate = { json: { body: "amended again" } };
  const message = await messageAt(alice.conversation, 0);
  await checks.works("changed", message.updateBody("words"));
  await checks.event("emitted", bob.watch, "messageUpdated", because("body", message.sid));
  await checks.becomes("as amended", () => message.body, "amended again");
});

const amendsConversations = (place, checks) => hooked(place, async (receiver) => {
  const { client } = await place.open("alice");
  receiver.responses.onConversationAdd = { json: { friendly_name: "Amended" } };
  const made = await checks.works("made", client.createConversation({ friendlyName: "Mine" }));
  checks.equal("as amended", made.friendlyName, "Amended");
  checks.equal("pre-action", (await receiver.one("onConversationAdd")).FriendlyName, "Mine");
  checks.equal("post-action", (await receiver.one("onConversationAdded")).ClientIdentity, "alice");
});

const rejects = (place, checks) => hooked(place, async (receiver) => {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const index = await alice.conversation.sendMessage("before");
  const message = await messageAt(alice.conversation, index);
  const participant = await bob.conversation.getParticipantByIdentity("bob");
  for (const name of PRE) receiver.responses[name] = { status: 403 };
  await bob.watch.wait("messageAdded", () => true, 5);
  await bob.watch.wait("conversationUpdated", because("lastMessage"), 5);
  bob.watch.clear();
  await checks.refused("a message", alice.conversation.sendMessage("no"), 403, 50056);
  await checks.refused("a change of one", message.updateBody("no"), 403, 50056);
  await checks.refused("a removal of one", message.remove(), 403, 50056);
  await checks.refused("a conversation", alice.client.createConversation({}), 403, 50056);
  await checks.refused("a change of oneself", alice.client.user.updateFriendlyName("no"), 403, 50056);
  await checks.refused("a change of a participant", participant.updateAttributes({ no: 1 }), 403, 50056);
  await checks.refused("leaving", bob.conversation.leave(), 403, 50056);
  await sleep(200);
  checks.equal("no event emitted", bob.watch.names().filter((name) => /^(message|participant|conversation)/.test(name)), []);
  checks.equal("REST", (await place.list(`/Conversations/${sid}/Messages`)).map((each) => each.body), ["before"]);
});

const notifies = (place, checks) => hooked(place, async (receiver) => {
  const role = await place.role("conversation", ["addParticipant", "removeParticipant", "sendMessage", "deleteConversation", "editConversationName", "editOwnMessage", "deleteOwnMessage", "editAnyParticipantAttributes"]);
  await place.post("/Configuration", { DefaultConversationCreatorRoleSid: role.sid });
  const { client } = await place.open("alice");
  const made = await client.createConversation({});
  await made.join();
  await eventually(() => made.status, (status) => status === "joined");
  await made.sendMessage("one");
  const message = await messageAt(made, 0);
  await message.updateBody("two");
  await message.remove();
  await made.add("bob");
  const found = () => made.getParticipantByIdentity("bob").catch(() => null);
  const bob = await eventually(found, (each) => each !== null);
  await bob.updateAttributes({ a: 1 });
  await bob.remove();
  await made.updateFriendlyName("Named");
  await client.user.updateFriendlyName("Alice A.");
  await made.delete();
  for (const name of POST) {
    const request = await receiver.one(name);
    checks.equal(`${name}`, [request?.Source, request?.ClientIdentity], ["SDK", "alice"]);
  }
  for (const name of PRE) checks.true(`${name} was called`, receiver.all(name).length > 0);
});

export const scenes = { amends, amendsConversations, rejects, notifies };
