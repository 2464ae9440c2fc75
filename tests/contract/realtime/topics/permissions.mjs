// Permissions: without each of them the SDK's call is refused, and with it alone it is not.

import { eventually } from "../checks.mjs";
import { PROXY_NUMBER, joined, messageAt, phoneNumber } from "../place.mjs";

const SERVICE_ONLY = ["createConversation", "joinConversation"];
const CONVERSATION_ONLY = [
  "addNonChatParticipant",
  "leaveConversation",
  "sendMessage",
  "sendMediaMessage",
  "deleteOwnMessage",
  "editOwnParticipantAttributes",
  "editNotificationLevel",
];
const BOTH = [
  "addParticipant",
  "removeParticipant",
  "deleteConversation",
  "editConversationName",
  "editConversationAttributes",
  "editOwnMessage",
  "editOwnMessageAttributes",
  "editAnyMessage",
  "editAnyMessageAttributes",
  "deleteAnyMessage",
  "editOwnUserInfo",
  "editAnyUserInfo",
  "editAnyParticipantAttributes",
];
const SERVICE = [...SERVICE_ONLY, ...BOTH];
const CONVERSATION = [...CONVERSATION_ONLY, ...BOTH];

const own = async ({ conversation }) => messageAt(conversation, 0);
const others = async ({ conversation }) => messageAt(conversation, 1);
const participant = ({ conversation }, identity) => conversation.getParticipantByIdentity(identity);
const PICTURE = { contentType: "image/png", filename: "a.png", media: Buffer.from("a") };

// A call that each permission allows.
const ACTS = {
  createConversation: ({ client }) => client.createConversation({ friendlyName: "New" }),
  joinConversation: async ({ client }) => (await client.createConversation({})).join(),
  addParticipant: ({ conversation }) => conversation.add("carol"),
  addNonChatParticipant: ({ conversation }) =>
    conversation.addNonChatParticipant(PROXY_NUMBER, phoneNumber()),
  leaveConversation: ({ conversation }) => conversation.leave(),
  removeParticipant: async (at) => (await participant(at, "bob")).remove(),
  deleteConversation: ({ conversation }) => conversation.delete(),
  editConversationName: ({ conversation }) => conversation.updateFriendlyName("Other"),
  editConversationAttributes: ({ conversation }) => conversation.updateAttributes({ other: 1 }),
  sendMessage: ({ conversation }) => conversation.sendMessage("hello"),
  sendMediaMessage: ({ conversation }) => conversation.sendMessage(PICTURE),
  editOwnMessage: async (at) => (await own(at)).updateBody("other"),
  editOwnMessageAttributes: async (at) => (await own(at)).updateAttributes({ other: 1 }),
  deleteOwnMessage: async (at) => (await own(at)).remove(),
  editAnyMessage: async (at) => (await others(at)).updateBody("other"),
  editAnyMessageAttributes: async (at) => (await others(at)).updateAttributes({ other: 1 }),
  deleteAnyMessage: async (at) => (await others(at)).remove(),
  editOwnUserInfo: ({ client }) => client.user.updateFriendlyName("Other"),
  editAnyUserInfo: async ({ client }) => (await client.getUser("bob")).updateFriendlyName("Other"),
  editOwnParticipantAttributes: async (at) =>
    (await participant(at, "alice")).updateAttributes({ other: 1 }),
  editAnyParticipantAttributes: async (at) =>
    (await participant(at, "bob")).updateAttributes({ other: 1 }),
  editNotificationLevel: ({ conversation }) => conversation.setUserNotificationLevel("muted"),
};

// Other permissions that also allow it.
const ALSO = {
  editOwnMessage: ["editAnyMessage"],
  editOwnMessageAttributes: ["editAnyMessageAttributes"],
  deleteOwnMessage: ["deleteAnyMessage"],
  editOwnUserInfo: ["editAnyUserInfo"],
  editOwnParticipantAttributes: ["editAnyParticipantAttributes"],
};

class Bound {
  static async make(place) {
    const bound = new Bound();
    bound.place = place;
    bound.service = await place.role("service", SERVICE);
    bound.conversation = await place.role("conversation", CONVERSATION);
    Object.assign(bound, await place.open("alice"));
    await place.post("/Users/alice", { RoleSid: bound.service.sid });
    await place.post("/Users", { Identity: "bob" });
    return bound;
  }

  async grant(service, conversation) {
    await this.place.post(`/Roles/${this.service.sid}`, { Permission: service });
    await this.place.post(`/Roles/${this.conversation.sid}`, { Permission: conversation });
  }

  // A new conversation with a message of alice and one of bob.
  async at() {
    const { sid } = await this.place.conversation(["alice", "bob"]);
    await this.place.post(`/Conversations/${sid}/Participants/alice`, { RoleSid: this.conversation.sid });
    for (const Author of ["alice", "bob"]) await this.place.sendMessage(sid, "sent", { Author });
    const conversation = await joined(this.watch, sid);
    return { client: this.client, conversation };
  }
}

async function each(place, checks, names) {
  const bound = await Bound.make(place);
  for (const name of names) {
    const left = (all) => all.filter((other) => other !== name && !(ALSO[name] ?? []).includes(other));
    await bound.grant(left(SERVICE), left(CONVERSATION));
    await checks.refused(`without ${name}`, ACTS[name](await bound.at()), 403, 50107);
    // A role must have a permission: this one is unrelated to the call.
    const neutral = name === "editNotificationLevel" ? "leaveConversation" : "editNotificationLevel";
    if (CONVERSATION.includes(name)) {
      await bound.grant(["createConversation"], [name]);
      await checks.works(`with ${name} in the conversation`, ACTS[name](await bound.at()));
    }
    if (SERVICE.includes(name)) {
      await bound.grant([...new Set(["createConversation", name])], [neutral]);
      await checks.works(`with ${name} in the service`, ACTS[name](await bound.at()));
    }
  }
}

const names = Object.keys(ACTS);
const part = (number) => (place, checks) =>
  each(place, checks, names.filter((_, index) => index % 4 === number));

async function nothingChangesWhenRefused(place, checks) {
  const bound = await Bound.make(place);
  await bound.grant(["createConversation"], ["leaveConversation"]);
  const at = await bound.at();
  const { sid } = at.conversation;
  const before = JSON.stringify([await place.get(`/Conversations/${sid}`), await place.list(`/Conversations/${sid}/Messages`), await place.list(`/Conversations/${sid}/Participants`)]);
  for (const name of names.filter((each) => !["createConversation", "joinConversation", "leaveConversation", "editOwnUserInfo", "editAnyUserInfo"].includes(each))) {
    await checks.refused(name, ACTS[name](at), 403, 50107);
  }
  const after = JSON.stringify([await place.get(`/Conversations/${sid}`), await place.list(`/Conversations/${sid}/Messages`), await place.list(`/Conversations/${sid}/Participants`)]);
  checks.true("nothing changed", before === after);
}

async function theDefaultRoles(place, checks) {
  const { client, watch } = await place.open("alice");
  const made = await client.createConversation({ friendlyName: "Alice's" });
  await made.join();
  await watch.wait("conversationJoined", () => true, 5);
  await checks.works("a creator adds", made.add("bob"));
  const bob = await place.open("bob");
  const seen = await joined(bob.watch, made.sid);
  await made.getParticipants();
  await made.sendMessage("by alice");
  await checks.works("a member sends", seen.sendMessage("by bob"));
  const [hers, his] = [await messageAt(seen, 0), await messageAt(seen, 1)];
  await checks.works("edits an own message", his.updateBody("edited"));
  await checks.refused("not another's message", hers.updateBody("edited"), 403, 50107);
  await checks.refused("cannot add", seen.add("carol"), 403, 50107);
  await checks.refused("cannot rename", seen.updateFriendlyName("Bob's"), 403, 50107);
  await checks.refused("cannot delete", seen.delete(), 403, 50107);
  const asCreator = await messageAt(made, 1);
  await checks.works("a creator edits any", asCreator.updateBody("edited by alice"));
  await checks.works("and removes any", asCreator.remove());
  const role = await place.role("conversation", ["deleteConversation"]);
  await place.post(`/Conversations/${made.sid}/Participants/bob`, { RoleSid: role.sid });
  await checks.refused("another role takes effect at once", seen.sendMessage("no more"), 403, 50107);
  await checks.works("in both ways", eventually(() => seen.delete().then(() => true), Boolean));
}

export const scenes = {
  first: part(0),
  second: part(1),
  third: part(2),
  fourth: part(3),
  nothingChangesWhenRefused,
  theDefaultRoles,
};
