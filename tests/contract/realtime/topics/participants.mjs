// Participants: added, found, changed and removed by clients.

import { Watch, because, sleep } from "../checks.mjs";
import { PROXY_NUMBER, joined, phoneNumber } from "../place.mjs";

const ADMIN = ["addParticipant", "addNonChatParticipant", "removeParticipant", "editAnyParticipantAttributes"];

async function withAdmin(place, identities) {
  const all = await place.together(identities);
  const role = await place.role("conversation", ADMIN);
  await place.post(`/Conversations/${all.sid}/Participants/${identities[0]}`, { RoleSid: role.sid });
  return all;
}

async function add(place, checks) {
  const { sid, alice } = await withAdmin(place, ["alice"]);
  const bob = await place.open("bob");
  const added = await checks.works("added", alice.conversation.add("bob", { seat: 7 }));
  checks.equal("response", [added.identity, added.conversation_sid, JSON.parse(added.attributes)], ["bob", sid, { seat: 7 }]);
  const seen = await checks.event("emitted", alice.watch, "participantJoined", (each) => each.identity === "bob");
  checks.equal("sid", seen.sid, added.sid);
  checks.equal("type", seen.type, "chat");
  checks.equal("attributes", seen.attributes, { seat: 7 });
  checks.equal("role", seen.roleSid, added.role_sid);
  checks.equal("is not typing", seen.isTyping, false);
  checks.equal("nothing read", [seen.lastReadMessageIndex, seen.lastReadTimestamp], [null, null]);
  checks.true("dates", seen.dateCreated instanceof Date && seen.dateUpdated instanceof Date);
  checks.equal("bindings", seen.bindings, {});
  checks.true("conversation", seen.conversation === alice.conversation);
  await checks.event("emitted to the added user", bob.watch, "conversationAdded", (each) => each.sid === sid);
  const conversation = await joined(bob.watch, sid);
  const identities = (await conversation.getParticipants()).map((each) => each.identity).sort();
  checks.equal("participants", identities, ["alice", "bob"]);
  checks.true("by sid", (await alice.conversation.getParticipantBySid(added.sid)) === seen);
  checks.true("by identity", (await alice.conversation.getParticipantByIdentity("bob")) === seen);
  await checks.rejects("unknown identity", alice.conversation.getParticipantByIdentity("carol"));
  await checks.rejects("unknown sid", alice.conversation.getParticipantBySid(`MB${"0".repeat(32)}`));
  const shown = await place.get(`/Conversations/${sid}/Participants/bob`);
  checks.equal("REST", [shown.sid, JSON.parse(shown.attributes)], [added.sid, { seat: 7 }]);
  await checks.refused("a second time", alice.conversation.add("bob"), 409, 50433);
  await checks.works("their user", seen.getUser().then((user) => checks.equal("is theirs", user.identity, "bob")));
}

async function addByNumber(place, checks) {
  const { sid, alice } = await withAdmin(place, ["alice"]);
  const address = phoneNumber();
  const adding = alice.conversation.addNonChatParticipant(PROXY_NUMBER, address, { via: "sms" });
  const added = await checks.works("added", adding);
  checks.equal("response", added.messaging_binding.address, address);
  const seen = await checks.event("emitted", alice.watch, "participantJoined");
  checks.equal("as it is", [seen.sid, seen.identity, seen.type], [added.sid, null, "sms"]);
  checks.equal("attributes", seen.attributes, { via: "sms" });
  await checks.rejects("no user", seen.getUser());
  const shown = await place.get(`/Conversations/${sid}/Participants/${added.sid}`);
  checks.equal("REST", [shown.identity, shown.messaging_binding.address], [null, address]);
  await checks.works("removed", alice.conversation.removeParticipant(seen));
  await checks.event("emitted", alice.watch, "participantLeft", (each) => each.sid === added.sid);
}

async function change(place, checks) {
  const { sid, alice, bob } = await withAdmin(place, ["alice", "bob"]);
  const of = (member, identity) => member.conversation.getParticipantByIdentity(identity);
  const own = await of(bob, "bob");
  const seen = await of(alice, "bob");
  const updates = new Watch(seen, ["updated"]);
  await checks.works("own attributes", own.updateAttributes({ mood: "shaken" }));
  for (const { watch } of [alice, bob]) {
    await checks.event("emitted", watch, "participantUpdated", because("attributes", own.sid));
  }
  await checks.event("on the participant too", updates, "updated", because("attributes"));
  checks.equal("shown", seen.attributes, { mood: "shaken" });
  bob.watch.clear();
  await checks.works("another's attributes", seen.updateAttributes({ mood: "stirred" }));
  await checks.event("emitted", bob.watch, "participantUpdated", because("attributes", own.sid));
  const shown = await place.get(`/Conversations/${sid}/Participants/bob`);
  checks.equal("REST", JSON.parse(shown.attributes), { mood: "stirred" });
  const role = await place.role("conversation", ["sendMessage"]);
  await place.post(`/Conversations/${sid}/Participants/bob`, { RoleSid: role.sid });
  await checks.event("a role by REST", bob.watch, "participantUpdated", because("roleSid", own.sid));
  await checks.becomes("role shown", () => seen.roleSid, role.sid);
}

async function remove(place, checks) {
  const { sid, alice, bob, carol, dave } = await withAdmin(place, ["alice", "bob", "carol", "dave"]);
  const ways = {
    bob: async () => alice.conversation.removeParticipant(await alice.conversation.getParticipantByIdentity("bob")),
    carol: () => alice.conversation.removeParticipant("carol"),
    dave: async () => (await alice.conversation.getParticipantByIdentity("dave")).remove(),
  };
  for (const [identity, way] of Object.entries(ways)) {
    const { watch } = { bob, carol, dave }[identity];
    await checks.works(`${identity} removed`, way());
    await checks.event("emitted", alice.watch, "participantLeft", (each) => each.identity === identity);
    await checks.event("left", watch, "conversationLeft", (each) => each.sid === sid);
    await checks.event("removed", watch, "conversationRemoved", (each) => each.sid === sid);
  }
  const left = await alice.conversation.getParticipants();
  checks.equal("participants left", left.map((each) => each.identity), ["alice"]);
  await alice.conversation.sendMessage("alone at last").catch(() => place.sendMessage(sid, "alone at last"));
  await alice.watch.wait("messageAdded", () => true, 5);
  await sleep(200);
  checks.equal("the removed receive nothing", [bob, carol, dave].flatMap(({ watch }) => watch.all("messageAdded")), []);
  await checks.refused("a removed one cannot send", bob.conversation.sendMessage("let me in"), 404, 50350);
}

async function removed(place, checks) {
  const { alice } = await withAdmin(place, ["alice", "bob"]);
  const seen = await alice.conversation.getParticipantByIdentity("bob");
  await seen.remove();
  await alice.watch.wait("participantLeft", () => true, 5);
  await checks.rejects("removed twice", seen.remove());
  await checks.rejects("changed after removal", seen.updateAttributes({ a: 1 }));
  await checks.rejects("a stranger removed", alice.conversation.removeParticipant("stranger"));
}

async function many(place, checks) {
  const { sid, alice } = await place.together(["alice"]);
  const identities = Array.from({ length: 60 }, (_, index) => `member-${index}`);
  for (let from = 0; from < 60; from += 10) {
    const some = identities.slice(from, from + 10);
    await Promise.all(some.map((Identity) => place.post(`/Conversations/${sid}/Participants`, { Identity })));
  }
  const expected = ["alice", ...identities].sort();
  const seen = async (conversation) => (await conversation.getParticipants()).map((each) => each.identity).sort();
  await checks.becomes("emitted one by one", () => seen(alice.conversation), expected);
  const again = await place.open("alice");
  checks.equal("all pages at the start", await seen(await joined(again.watch, sid)), expected);
  checks.equal("counted", await alice.conversation.getParticipantsCount(), 61);
}

export const scenes = { add, addByNumber, change, remove, removed, many };
