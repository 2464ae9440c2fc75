// Concurrent changes by REST and SDK: each receives the other's, and both converge.

import { because, eventually } from "../checks.mjs";
import { joined, messageAt } from "../place.mjs";

async function messages(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const path = `/Conversations/${sid}/Messages`;
  const bySystem = await place.sendMessage(sid, "by REST");
  const received = await checks.event("received", alice.watch, "messageAdded", (each) => each.sid === bySystem.sid);
  checks.equal("by the system", [received.author, received.participantSid], ["system", null]);
  const byBob = await place.sendMessage(sid, "for bob", { Author: "bob", Attributes: '{"n":1}', Subject: "S" });
  const second = await checks.event("received", alice.watch, "messageAdded", (each) => each.sid === byBob.sid);
  checks.equal("by bob", [second.author, second.participantSid], ["bob", byBob.participant_sid]);
  checks.equal("its attributes and subject", [second.attributes, second.subject], [{ n: 1 }, "S"]);
  const index = await bob.conversation.sendMessage("by bob himself");
  const own = await messageAt(alice.conversation, index);
  await place.post(`${path}/${own.sid}`, { Body: "changed by REST" });
  await checks.event("change emitted", alice.watch, "messageUpdated", because("body", own.sid));
  checks.equal("changed", own.body, "changed by REST");
  await place.post(`${path}/${own.sid}`, { Attributes: '{"by":"REST"}', Author: "carol" });
  await checks.event("author emitted", alice.watch, "messageUpdated", because("author", own.sid));
  checks.equal("author and attributes", [own.author, own.attributes], ["carol", { by: "REST" }]);
  await place.delete(`${path}/${bySystem.sid}`);
  await checks.event("removal emitted", alice.watch, "messageRemoved", (each) => each.sid === bySystem.sid);
  const mine = await messageAt(bob.conversation, 1);
  await checks.works("REST's message, changed by an SDK", mine.updateBody("bob's own words"));
  await checks.becomes("REST shows it", async () => (await place.get(`${path}/${mine.sid}`)).body, "bob's own words");
}

async function conversationsByRest(place, checks) {
  const { client, watch } = await place.open("alice");
  const made = await place.post("/Conversations", { FriendlyName: "By REST" });
  const path = `/Conversations/${made.sid}`;
  await place.post(`${path}/Participants`, { Identity: "alice" });
  const conversation = await joined(watch, made.sid);
  checks.equal("name", conversation.friendlyName, "By REST");
  await place.post(path, { FriendlyName: "Again", UniqueName: "again", Attributes: '{"a":1}' });
  await checks.event("change emitted", watch, "conversationUpdated", because("friendlyName", made.sid));
  checks.equal("changed", [conversation.friendlyName, conversation.uniqueName, conversation.attributes], ["Again", "again", { a: 1 }]);
  await place.post(`${path}/Participants`, { Identity: "bob", Attributes: '{"b":2}' });
  const bob = await checks.event("addition emitted", watch, "participantJoined", (each) => each.identity === "bob");
  checks.equal("as it is", bob.attributes, { b: 2 });
  await place.post(`${path}/Participants/bob`, { Attributes: '{"b":3}' });
  await checks.event("change emitted", watch, "participantUpdated", because("attributes", bob.sid));
  await place.delete(`${path}/Participants/bob`);
  await checks.event("removal emitted", watch, "participantLeft", (each) => each.identity === "bob");
  await place.delete(`${path}/Participants/alice`);
  await checks.event("own removal emitted", watch, "conversationRemoved", (each) => each.sid === made.sid);
  watch.clear();
  await place.post(`${path}/Participants`, { Identity: "alice" });
  await joined(watch, made.sid);
  await place.delete(path);
  await checks.event("deletion emitted: left", watch, "conversationLeft", (each) => each.sid === made.sid);
  await checks.event("deletion emitted: removed", watch, "conversationRemoved", (each) => each.sid === made.sid);
}

async function madeWithParticipants(place, checks) {
  const { client, watch } = await place.open("alice");
  const made = await place.post("/ConversationWithParticipants", {
    FriendlyName: "Together",
    Participant: ['{"identity":"alice"}', '{"identity":"bob"}'],
  });
  const conversation = await joined(watch, made.sid);
  const identities = async () => (await conversation.getParticipants()).map((each) => each.identity).sort();
  await checks.becomes("participants", identities, ["alice", "bob"]);
}

async function aDeletedUser(place, checks) {
  const { sid, alice } = await place.together(["alice", "bob"]);
  await place.delete("/Users/bob");
  await checks.event("leaves", alice.watch, "participantLeft", (each) => each.identity === "bob");
  checks.equal("REST", (await place.list(`/Conversations/${sid}/Participants`)).length, 1);
}

// Many changes at once from both sides; then every client shows exactly what REST shows.
async function theSameInTheEnd(place, checks) {
  const { sid, ...members } = await place.together(["alice", "bob", "carol"]);
  const role = await place.role("conversation", ["sendMessage", "editConversationAttributes", "editAnyMessage", "editAnyMessageAttributes", "deleteAnyMessage"]);
  const path = `/Conversations/${sid}`;
  for (const identity of Object.keys(members).filter((each) => each !== "made")) {
    await place.post(`${path}/Participants/${identity}`, { RoleSid: role.sid });
  }
  const { alice, bob, carol } = members;
  const all = [alice, bob, carol];
  const work = [];
  for (let round = 0; round < 12; round += 1) {
    const { conversation } = all[round % 3];
    work.push(conversation.sendMessage(`sdk ${round}`));
    work.push(place.sendMessage(sid, `rest ${round}`));
    work.push(conversation.updateAttributes({ round }));
    work.push(place.post(path, { FriendlyName: `round ${round}` }));
  }
  await Promise.all(work);
  for (const { watch } of all) await eventually(() => watch.all("messageAdded").length, (count) => count === 24);
  const changes = [];
  for (let index = 0; index < 24; index += 1) {
    const message = await messageAt(all[index % 3].conversation, index);
    if (index % 4 === 0) changes.push(message.remove());
    if (index % 4 === 1) changes.push(message.updateBody(`edited ${index}`));
    if (index % 4 === 2) changes.push(place.post(`${path}/Messages/${message.sid}`, { Attributes: `{"i":${index}}` }));
  }
  await Promise.all(changes);
  const ofRest = async () => {
    const messages = await place.list(`${path}/Messages?PageSize=100`);
    return messages.map((each) => [each.index, each.sid, each.body, each.author, JSON.parse(each.attributes)]);
  };
  const expected = await ofRest();
  const shown = await place.get(path);
  for (const [name, { conversation, watch }] of Object.entries({ alice, bob, carol })) {
    const seen = async () => {
      const { items } = await conversation.getMessages(100);
      return items.map((each) => [each.index, each.sid, each.body, each.author, each.attributes]);
    };
    await checks.becomes(`messages of ${name}`, seen, expected);
    checks.equal(`received by ${name}, in order`, watch.all("messageAdded").map((each) => each.index), [...Array(24).keys()]);
    await checks.becomes(`conversation of ${name}`, () => [conversation.friendlyName, conversation.attributes], [shown.friendly_name, JSON.parse(shown.attributes)]);
  }
}

export const scenes = { messages, conversationsByRest, madeWithParticipants, aDeletedUser, theSameInTheEnd };
