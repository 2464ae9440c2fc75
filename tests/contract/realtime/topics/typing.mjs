// Typing: which clients receive the events, and when it ends.

import { Watch, sleep } from "../checks.mjs";
import { CONVERSATION_EVENTS } from "../place.mjs";

async function endsWithAMessage(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const stranger = await place.open("carol");
  const seen = await bob.conversation.getParticipantByIdentity("alice");
  const onConversation = new Watch(bob.conversation, CONVERSATION_EVENTS);
  const onParticipant = new Watch(seen, ["typingStarted", "typingEnded"]);
  await checks.works("typing", alice.conversation.typing());
  const about = (participant) => participant.identity === "alice" && participant.conversation.sid === sid;
  await checks.event("started", bob.watch, "typingStarted", about);
  await checks.event("on the conversation too", onConversation, "typingStarted", about);
  await checks.event("on the participant too", onParticipant, "typingStarted", about);
  checks.equal("is typing", seen.isTyping, true);
  await alice.conversation.sendMessage("done");
  await checks.event("ended", bob.watch, "typingEnded", about, 3);
  await checks.event("on the conversation too", onConversation, "typingEnded", about, 3);
  await checks.event("on the participant too", onParticipant, "typingEnded", about, 3);
  checks.equal("is not typing", seen.isTyping, false);
  checks.equal("not emitted to the own client", alice.watch.all("typingStarted"), []);
  checks.equal("nor to strangers", stranger.watch.all("typingStarted"), []);
}

async function endsByItself(place, checks) {
  const { alice, bob } = await place.together(["alice", "bob"]);
  await alice.conversation.typing();
  await checks.event("started", bob.watch, "typingStarted");
  await checks.event("ended", bob.watch, "typingEnded", undefined, 15);
}

async function ofARemovedOne(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  await place.delete(`/Conversations/${sid}/Participants/alice`);
  await checks.refused("no member", alice.conversation.typing(), 404, 50350);
  await sleep(200);
  checks.equal("no event emitted", bob.watch.all("typingStarted"), []);
}

export const scenes = { endsWithAMessage, endsByItself, ofARemovedOne };
