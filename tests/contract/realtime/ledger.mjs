// The ledger: many clients, random changes by REST and by the SDK, lost connections, and a server
// that is killed. In the end every client shows exactly what REST shows, and each has received the
// messages of a conversation in order, none missing and none twice.

import { Checks, eventually, print, sleep } from "./checks.mjs";
import { requestAction } from "./parent.mjs";
import { Place } from "./place.mjs";
import { Proxy } from "./proxy.mjs";

const CLIENTS = Number(process.env.CLIENTS ?? 20);
const SECONDS = Number(process.env.SECONDS ?? 15);
const KILLS = Number(process.env.KILLS ?? 2);
const SETTLE_SECONDS_MAX = 60;
const PERMISSIONS = (
  "sendMessage editAnyMessage editAnyMessageAttributes deleteAnyMessage editConversationName " +
  "editConversationAttributes addParticipant removeParticipant editAnyParticipantAttributes " +
  "editNotificationLevel leaveConversation"
).split(" ");

// Reproducible: a seed gives the same choices, if not the same interleaving.
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const random = randomFrom(seed);
const pick = (items) => items[Math.floor(random() * items.length)];
const orNull = (promise) => Promise.resolve(promise).catch(() => null);
let counter = 0;
const next = () => (counter += 1);

class Member {
  static async make(place, identity, proxy) {
    const member = new Member();
    Object.assign(member, { identity, proxy, received: new Map(), recent: [] });
    Object.assign(member, await place.open(identity, { uri: proxy.uri }));
    member.client.on("messageAdded", (message) => member.#receive(message));
    // After another join, received messages are counted from zero.
    member.client.on("conversationLeft", ({ sid }) => member.received.delete(sid));
    for (const message of member.watch.all("messageAdded")) member.#receive(message);
    return member;
  }

  #receive(message) {
    const { sid } = message.conversation;
    if (!this.received.has(sid)) this.received.set(sid, []);
    this.received.get(sid).push(message.index);
    this.recent = [...this.recent.slice(-19), message];
  }

  async conversations() {
    const found = [];
    let page = await this.client.getSubscribedConversations();
    for (;;) {
      found.push(...page.items);
      if (!page.hasNextPage) return found;
      page = await page.nextPage();
    }
  }
}

class World {
  constructor(place, members, steady, lively) {
    Object.assign(this, { place, members, steady, lively, tried: 0, succeeded: 0 });
  }

  get everywhere() {
    return [...this.steady, ...this.lively];
  }

  // --- One change by a client's SDK

  async bySdk() {
    const member = pick(this.members);
    const conversation = pick((await orNull(member.conversations())) ?? []);
    if (!conversation) return null;
    const isSteady = this.steady.includes(conversation.sid);
    // Only received messages: for one that a client has fetched before, the SDK fires no event.
    const latest = () => pick(member.recent.filter((each) => each.conversation === conversation));
    const ways = [
      () => conversation.sendMessage(`${member.identity} ${next()}`, { n: next() }),
      () => conversation.sendMessage(`${member.identity} ${next()}`),
      () => conversation.updateFriendlyName(`name ${next()}`),
      () => conversation.updateAttributes({ n: next() }),
      () => conversation.advanceLastReadMessageIndex(latest()?.index ?? 0),
      () => conversation.setUserNotificationLevel(pick(["default", "muted"])),
      () => member.client.user.updateFriendlyName(`${member.identity} ${next()}`),
      async () => pick(await conversation.getParticipants())?.updateAttributes({ n: next() }),
      () => latest()?.updateBody(`edited ${next()}`),
    ];
    if (!isSteady) {
      ways.push(
        () => latest()?.remove(),
        () => conversation.add(pick(this.members).identity, { n: next() }),
        async () => pick(await conversation.getParticipants())?.remove(),
        () => conversation.leave(),
      );
    }
    return pick(ways)();
  }

  // --- One change by REST

  async byRest() {
    const sid = pick(this.everywhere);
    const path = `/Conversations/${sid}`;
    const { place } = this;
    const participants = await place.list(`${path}/Participants`);
    const messages = (await place.get(`${path}/Messages?Order=desc&PageSize=20`)).messages;
    const participant = pick(participants);
    const message = pick(messages);
    const ways = [
      () => place.sendMessage(sid, `rest ${next()}`, { Author: participant?.identity ?? "system" }),
      () => place.sendMessage(sid, `rest ${next()}`, { Attributes: `{"n":${next()}}` }),
      () => place.post(path, { FriendlyName: `name ${next()}` }),
      () => place.post(path, { Attributes: `{"n":${next()}}` }),
      () => participant && place.post(`${path}/Participants/${participant.sid}`, { Attributes: `{"n":${next()}}` }),
      () => message && place.post(`${path}/Messages/${message.sid}`, { Body: `edited ${next()}` }),
      () => message && participant && place.post(`${path}/Participants/${participant.sid}`, { LastReadMessageIndex: message.index }),
    ];
    if (this.lively.includes(sid)) {
      ways.push(
        () => message && place.delete(`${path}/Messages/${message.sid}`),
        () => place.post(`${path}/Participants`, { Identity: pick(this.members).identity, RoleSid: this.roleSid }),
        () => participant && place.delete(`${path}/Participants/${participant.sid}`),
      );
    }
    return pick(ways)();
  }

  async work(until) {
    while (Date.now() < until) {
      this.tried += 1;
      const change = random() < 0.5 ? this.bySdk() : this.byRest();
      // Do not wait for a call whose connection was lost: the SDK retries for half a minute.
      const late = sleep(800);
      await Promise.race([Promise.resolve(change).then(() => (this.succeeded += 1), () => null), late]);
      await sleep(random() * 40);
    }
  }

  async loseConnections(until) {
    while (Date.now() < until) {
      await sleep(200 + random() * 800);
      pick(this.members).proxy.drop();
    }
  }

  async killServer(until) {
    const intervalMs = (until - Date.now()) / (KILLS + 1);
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(intervalMs);
      await requestAction("kill");
    }
  }

  // --- The state by REST for one user, and the state of a client

  async ofRest(sid, identity) {
    const path = `/Conversations/${sid}`;
    const [shown, messages, participants, own] = await Promise.all([
      this.place.get(path),
      this.place.list(`${path}/Messages?PageSize=100`),
      this.place.list(`${path}/Participants?PageSize=100`),
      this.place.get(`/Users/${identity}/Conversations/${sid}`),
    ]);
    return {
      sid,
      name: shown.friendly_name,
      attributes: JSON.parse(shown.attributes),
      level: own.notification_level,
      read: own.last_read_message_index,
      messages: messages.map((each) => [each.index, each.sid, each.body, each.author, JSON.parse(each.attributes)]),
      participants: participants.map((each) => [each.sid, each.identity, JSON.parse(each.attributes), each.last_read_message_index]).sort(),
    };
  }

  async ofClient(conversation) {
    const messages = [];
    let page = await conversation.getMessages(100);
    for (;;) {
      messages.unshift(...page.items);
      if (!page.hasPrevPage) break;
      page = await page.prevPage();
    }
    const participants = await conversation.getParticipants();
    return {
      sid: conversation.sid,
      name: conversation.friendlyName,
      attributes: conversation.attributes,
      level: conversation.notificationLevel,
      read: conversation.lastReadMessageIndex,
      messages: messages.map((each) => [each.index, each.sid, each.body, each.author, each.attributes]),
      participants: participants.map((each) => [each.sid, each.identity, each.attributes, each.lastReadMessageIndex]).sort(),
    };
  }

  async everythingOfRest({ identity }) {
    const items = await this.place.list(`/Users/${identity}/Conversations?PageSize=100`, "conversations");
    const sids = items.map((each) => each.conversation_sid).sort();
    return Promise.all(sids.map((sid) => this.ofRest(sid, identity)));
  }

  async everythingOf(member) {
    const found = (await member.conversations()).sort((a, b) => (a.sid < b.sid ? -1 : 1));
    return Promise.all(found.map((each) => this.ofClient(each)));
  }
}

function firstDifference(seen, expected) {
  for (const [index, each] of expected.entries()) {
    for (const [name, value] of Object.entries(each)) {
      const other = seen[index]?.[name];
      if (JSON.stringify(other) === JSON.stringify(value)) continue;
      if (!Array.isArray(value) || !Array.isArray(other)) return [each.sid, name, other, value];
      const at = value.findIndex((item, place) => JSON.stringify(item) !== JSON.stringify(other[place]));
      return [each.sid, name, at, other[at], value[at], other.length, value.length];
    }
  }
  return seen.length === expected.length ? null : ["conversations", seen.length, expected.length];
}

function isInOrder(indices) {
  return indices.every((index, place) => place === 0 || indices[place - 1] < index);
}

async function compare(world, checks, member) {
  const { identity } = member;
  let difference;
  const agree = async () => {
    const expected = await world.everythingOfRest(member);
    difference = firstDifference(await world.everythingOf(member), expected);
    return difference === null;
  };
  await eventually(() => orNull(agree()), (agrees) => agrees === true, 20);
  checks.equal(`${identity} shows what REST shows`, difference, null);
  for (const shown of await world.everythingOfRest(member)) {
    const received = member.received.get(shown.sid) ?? [];
    const is = world.steady.includes(shown.sid) ? "steady" : "lively";
    checks.true(`${identity} received a ${is} one in order, nothing twice`, isInOrder(received));
    const from = is === "steady" ? 0 : (received[0] ?? Infinity);
    const there = shown.messages.map(([index]) => index).filter((index) => index >= from);
    const missing = there.filter((index) => !received.includes(index));
    checks.equal(`${identity} received a ${is} one without a gap`, missing, []);
  }
}

async function main() {
  const checks = new Checks("ledger", `seed ${seed}`);
  const place = await Place.make();
  const role = await place.role("conversation", PERMISSIONS);
  await place.post("/Configuration", { DefaultConversationRoleSid: role.sid });
  const identities = Array.from({ length: CLIENTS }, (_, index) => `user-${index}`);
  const steady = [await place.conversation(identities), await place.conversation(identities)];
  const lively = [];
  for (let each = 0; each < 3; each += 1) {
    lively.push(await place.conversation(identities.filter(() => random() < 0.5)));
  }
  const members = await Promise.all(
    identities.map(async (identity) => Member.make(place, identity, await Proxy.make())),
  );
  const sids = (made) => made.map((each) => each.sid);
  const world = new World(place, members, sids(steady), sids(lively));
  world.roleSid = role.sid;
  for (const { watch } of members) {
    for (const { sid } of steady) {
      const found = await watch.wait("conversationJoined", (each) => each.sid === sid, 20);
      await found.argument.getParticipants();
    }
  }
  // The SDK subscribes to opened objects with a delay.
  await sleep(500);
  const until = Date.now() + SECONDS * 1000;
  const workers = Array.from({ length: 8 }, () => world.work(until));
  await Promise.all([...workers, world.loseConnections(until), world.killServer(until)]);
  const connected = () => members.filter(({ client }) => client.connectionState === "connected").length;
  await checks.becomes("all reconnect", connected, CLIENTS, SETTLE_SECONDS_MAX);
  await sleep(1500);
  for (const member of members) await compare(world, checks, member);
  const written = (await place.list(`/Conversations/${world.steady[0]}/Messages?PageSize=100`)).length;
  const losses = members.reduce((sum, { proxy }) => sum + proxy.accepted - 1, 0);
  print({ kind: "world", seed, tried: world.tried, succeeded: world.succeeded, written, losses });
  checks.finished();
  process.exit(0);
}

process.on("unhandledRejection", (error) => print({ kind: "stray", error: String(error) }));
process.on("uncaughtException", (error) => print({ kind: "stray", error: String(error?.stack) }));
await main();
