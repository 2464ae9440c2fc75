// The read horizon: the last read index of each user, and the number of unread messages.

import { because } from "../checks.mjs";

async function moved(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  for (const text of ["0", "1", "2", "3"]) await bob.conversation.sendMessage(text);
  await alice.watch.wait("messageAdded", (each) => each.index === 3, 5);
  const { conversation } = alice;
  checks.equal("no horizon, no number", await conversation.getUnreadMessagesCount(), null);
  checks.equal("advanced", await checks.works("advances", conversation.advanceLastReadMessageIndex(1)), 2);
  await checks.event("emitted to the own client", alice.watch, "conversationUpdated", because("lastReadMessageIndex", sid));
  checks.equal("shown", conversation.lastReadMessageIndex, 1);
  const own = await conversation.getParticipantByIdentity("alice");
  await checks.event("emitted to the others", bob.watch, "participantUpdated", because("lastReadMessageIndex", own.sid));
  await checks.event("and when", bob.watch, "participantUpdated", because("lastReadTimestamp", own.sid));
  const seen = await bob.conversation.getParticipantByIdentity("alice");
  checks.equal("shown to them", seen.lastReadMessageIndex, 1);
  checks.true("with a date", seen.lastReadTimestamp instanceof Date);
  checks.equal("not their own", bob.conversation.lastReadMessageIndex, null);
  checks.equal("REST", (await place.get(`/Conversations/${sid}/Participants/alice`)).last_read_message_index, 1);
  await checks.becomes("unread", () => conversation.getUnreadMessagesCount(), 2);
  checks.equal("not backwards", await conversation.advanceLastReadMessageIndex(0), 2);
  checks.equal("still there", conversation.lastReadMessageIndex, 1);
  checks.equal("set back", await checks.works("set", conversation.updateLastReadMessageIndex(0)), 3);
  await checks.becomes("set", () => conversation.lastReadMessageIndex, 0);
}

async function allAtOnce(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  for (const text of ["0", "1", "2"]) await bob.conversation.sendMessage(text);
  await alice.watch.wait("messageAdded", (each) => each.index === 2, 5);
  const { conversation } = alice;
  checks.equal("all read", await checks.works("read", conversation.setAllMessagesRead()), 0);
  await checks.becomes("shown", () => conversation.lastReadMessageIndex, 2);
  await checks.becomes("unread", () => conversation.getUnreadMessagesCount(), 0);
  await checks.works("unread", conversation.setAllMessagesUnread());
  await checks.becomes("nothing read", () => conversation.lastReadMessageIndex, null);
  await checks.becomes("no number", () => conversation.getUnreadMessagesCount(), null);
  checks.equal("REST", (await place.get(`/Conversations/${sid}/Participants/alice`)).last_read_message_index, null);
}

async function byRest(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  for (const text of ["0", "1", "2"]) await place.sendMessage(sid, text);
  await place.post(`/Conversations/${sid}/Participants/alice`, { LastReadMessageIndex: 1 });
  await checks.event("emitted to the own client", alice.watch, "conversationUpdated", because("lastReadMessageIndex", sid));
  checks.equal("shown", alice.conversation.lastReadMessageIndex, 1);
  await checks.event("emitted to the others", bob.watch, "participantUpdated", because("lastReadMessageIndex"));
  await place.post(`/Users/alice/Conversations/${sid}`, { LastReadMessageIndex: 2 });
  await checks.becomes("in the other way", () => alice.conversation.lastReadMessageIndex, 2);
  await checks.becomes("unread", () => alice.conversation.getUnreadMessagesCount(), 0);
  await place.sendMessage(sid, "3");
  await checks.becomes("one more", () => alice.conversation.getUnreadMessagesCount(), 1);
}

async function persistedForTheNextStart(place, checks) {
  const { sid, alice } = await place.together(["alice"]);
  for (const text of ["0", "1"]) await alice.conversation.sendMessage(text);
  await alice.conversation.advanceLastReadMessageIndex(1);
  const again = await place.open("alice");
  const found = await again.watch.wait("conversationJoined", (each) => each.sid === sid, 5);
  checks.equal("horizon", found?.argument.lastReadMessageIndex, 1);
}

export const scenes = { moved, allAtOnce, byRest, persistedForTheNextStart };
