// Pages: histories longer than one, both ways and from anywhere, and many conversations.

import { eventually } from "../checks.mjs";

const indices = (page) => page.items.map((each) => each.index);
const range = (from, to) => Array.from({ length: to - from }, (_, each) => from + each);

async function filled(place, count) {
  const made = await place.conversation(["alice"]);
  for (const index of range(0, count)) await place.sendMessage(made.sid, `m${index}`);
  const { client, watch } = await place.open("alice");
  const found = await watch.wait("conversationJoined", (each) => each.sid === made.sid, 10);
  return { sid: made.sid, client, watch, conversation: found.argument };
}

async function backwards(place, checks) {
  const { conversation } = await filled(place, 75);
  let page = await conversation.getMessages();
  checks.equal("the newest 30", indices(page), range(45, 75));
  checks.equal("edges", [page.hasPrevPage, page.hasNextPage], [true, false]);
  page = await page.prevPage();
  checks.equal("30 before", indices(page), range(15, 45));
  checks.equal("edges", [page.hasPrevPage, page.hasNextPage], [true, true]);
  page = await page.prevPage();
  checks.equal("the first 15", indices(page), range(0, 15));
  checks.equal("edges", [page.hasPrevPage, page.hasNextPage], [false, true]);
  page = await page.nextPage();
  checks.equal("and back", indices(page), range(15, 45));
}

async function fromAnywhere(place, checks) {
  const { conversation } = await filled(place, 60);
  let page = await conversation.getMessages(10, 20, "forward");
  checks.equal("forward", indices(page), range(20, 30));
  checks.equal("edges", [page.hasPrevPage, page.hasNextPage], [true, true]);
  page = await page.nextPage();
  checks.equal("further", indices(page), range(30, 40));
  page = await conversation.getMessages(10, 20, "backwards");
  checks.equal("backwards", indices(page), range(11, 21));
  page = await page.prevPage();
  checks.equal("further back", indices(page), range(1, 11));
  page = await conversation.getMessages(20, 0, "forward");
  checks.equal("from the first", indices(page), range(0, 20));
  checks.equal("nothing before", page.hasPrevPage, false);
  page = await conversation.getMessages(20, 55, "forward");
  checks.equal("to the last", indices(page), range(55, 60));
  checks.equal("nothing after", page.hasNextPage, false);
}

async function withGaps(place, checks) {
  const { sid, conversation } = await filled(place, 40);
  const messages = await place.list(`/Conversations/${sid}/Messages?PageSize=100`);
  const removed = new Set([0, 5, 17, 18, 19, 20, 39]);
  for (const each of messages.filter(({ index }) => removed.has(index))) {
    await place.delete(`/Conversations/${sid}/Messages/${each.sid}`);
  }
  // Removals of messages that were not fetched emit no event, but update the last message.
  await eventually(() => conversation.lastMessage.index, (index) => index === 38);
  const left = range(0, 40).filter((index) => !removed.has(index));
  const seen = [];
  let page = await conversation.getMessages(10);
  for (;;) {
    seen.unshift(...indices(page));
    if (!page.hasPrevPage) break;
    page = await page.prevPage();
  }
  checks.equal("all that are left", seen, left);
  page = await conversation.getMessages(5, 17, "forward");
  checks.equal("from a deleted one", indices(page), [21, 22, 23, 24, 25]);
}

async function freshWithGaps(place, checks) {
  const { sid } = await filled(place, 40);
  const messages = await place.list(`/Conversations/${sid}/Messages?PageSize=100`);
  for (const each of messages.slice(10, 25)) await place.delete(`/Conversations/${sid}/Messages/${each.sid}`);
  const { watch } = await place.open("alice");
  const found = await watch.wait("conversationJoined", (each) => each.sid === sid, 10);
  const page = await found.argument.getMessages(20);
  checks.equal("the newest 20", indices(page), [...range(5, 10), ...range(25, 40)]);
  const first = await page.prevPage();
  checks.equal("the rest", [indices(first), first.hasPrevPage], [range(0, 5), false]);
}

async function conversations(place, checks) {
  const made = new Set();
  for (let from = 0; from < 120; from += 10) {
    const some = range(from, from + 10).map(() => place.conversation(["alice"]));
    for (const { sid } of await Promise.all(some)) made.add(sid);
  }
  const { client, watch } = await place.open("alice");
  await checks.becomes("all are joined", () => watch.all("conversationJoined").length, made.size, 30);
  const joined = new Set(watch.all("conversationJoined").map((each) => each.sid));
  checks.equal("each of them", [...joined].sort(), [...made].sort());
  const listed = [];
  let page = await client.getSubscribedConversations();
  checks.equal("pages of 50", page.items.length, 50);
  for (;;) {
    listed.push(...page.items.map((each) => each.sid));
    if (!page.hasNextPage) break;
    page = await page.nextPage();
  }
  checks.equal("listed, each once", listed.sort(), [...made].sort());
}

export const scenes = { backwards, fromAnywhere, withGaps, freshWithGaps, conversations };
