// Faults of a server in test mode, as programs with the SDK see them. Users differ by scene.

import { eventually } from "../checks.mjs";
import { Place, joined } from "../place.mjs";

async function member(place, identity) {
  const { sid } = await place.conversation([identity]);
  const { client, watch } = await place.open(identity);
  const conversation = await joined(watch, sid);
  watch.clear();
  return { sid, client, watch, conversation };
}

async function continues({ place, checks, sid, watch, client }) {
  await checks.becomes("connected again", () => client.connectionState, "connected", 20);
  await place.sendMessage(sid, "still here");
  await checks.event("continues", watch, "messageAdded", (each) => each.body === "still here");
}

async function closed(place, checks) {
  const alice = await member(place, "closed");
  await Place.fault({ Target: "socket", Identity: "closed", Close: "KEEPALIVE_LOST" });
  await checks.event("noticed", alice.watch, "connectionStateChanged", (state) => state !== "connected");
  await continues({ place, checks, ...alice });
}

async function dropped(place, checks) {
  const alice = await member(place, "dropped");
  await Place.fault({ Target: "socket", Identity: "dropped", Drop: true });
  await checks.event("noticed", alice.watch, "connectionStateChanged", (state) => state !== "connected");
  await place.sendMessage(alice.sid, "while away");
  await checks.event("missed message", alice.watch, "messageAdded", (each) => each.body === "while away");
  await continues({ place, checks, ...alice });
}

async function gone(place, checks) {
  const alice = await member(place, "gone");
  await Place.fault({ Target: "socket", Identity: "gone", Close: "USER_REMOVED" });
  await checks.becomes("gives up", () => alice.client.connectionState, "disconnected");
}

async function expired(place, checks) {
  const alice = await member(place, "expired");
  await Place.fault({ Target: "socket", Identity: "expired", ExpireToken: true });
  await checks.event("warned", alice.watch, "tokenAboutToExpire");
  await checks.event("expired", alice.watch, "tokenExpired");
  await checks.becomes("disconnected", () => alice.client.connectionState, "disconnected");
  await checks.works("renewed", alice.client.updateToken(await place.token("expired")));
  await continues({ place, checks, ...alice });
}

async function refusedAtFirst(place, checks) {
  await Place.fault({ Target: "socket", When: "connect", Identity: "refused", Close: "SERVER_FULL" });
  const { client, watch } = place.start(await place.token("refused"));
  await checks.event("an error that is not terminal", watch, "connectionError", (each) => !each.terminal);
  await checks.event("then initialized", watch, "initialized", () => true, 20);
  checks.equal("connected", client.connectionState, "connected");
}

async function held(place, checks) {
  const alice = await member(place, "held");
  await Place.fault({ Target: "socket", Identity: "held", HoldMs: 400 });
  const began = Date.now();
  for (const body of ["0", "1", "2"]) await place.sendMessage(alice.sid, body);
  await eventually(() => alice.watch.all("messageAdded").length, (count) => count === 3);
  checks.true("late", Date.now() - began >= 300);
  checks.equal("in order", alice.watch.all("messageAdded").map((each) => each.body), ["0", "1", "2"]);
}

async function commandRefused(place, checks) {
  const alice = await member(place, "limited");
  await Place.fault({
    Target: "request",
    Operation: "CreateConversationMessage",
    Identity: "limited",
    Source: "sdk",
    Code: 50063,
  });
  await checks.refused("refused", alice.conversation.sendMessage("refused"), 429, 50063);
  await checks.works("sent", alice.conversation.sendMessage("sent"));
  await checks.event("once", alice.watch, "messageAdded", (each) => each.body === "sent");
  const bodies = (await place.list(`/Conversations/${alice.sid}/Messages`)).map((each) => each.body);
  checks.equal("the refused one was not done", bodies, ["sent"]);
}

async function upgradeRefused(place, checks) {
  const fault = await Place.fault({ Target: "socket", Refuse: 503, Scope: "server" });
  const { client, watch } = place.start(await place.token("knocking"));
  await checks.event("initialized at another attempt", watch, "initialized", () => true, 20);
  checks.equal("connected", client.connectionState, "connected");
  checks.equal("refused once", await Place.fired(fault), 1);
}

async function commandLost(place, checks) {
  const alice = await member(place, "lost");
  const fault = await Place.fault({
    Target: "request",
    Operation: "CreateConversationMessage",
    Identity: "lost",
    Drop: true,
    Phase: "after",
  });
  const sending = alice.conversation.sendMessage("lost").catch(() => undefined);
  await checks.event("noticed", alice.watch, "connectionStateChanged", (state) => state !== "connected");
  await checks.event("done", alice.watch, "messageAdded", (each) => each.body === "lost");
  await sending;
  await continues({ place, checks, ...alice });
  checks.equal("lost once", await Place.fired(fault), 1);
}

async function droppedAtMessage(place, checks) {
  const alice = await member(place, "interrupted");
  await Place.fault({ Target: "socket", When: "message", Identity: "interrupted", Drop: true });
  const sending = alice.conversation.sendMessage("interrupted").catch(() => undefined);
  await checks.event("noticed", alice.watch, "connectionStateChanged", (state) => state !== "connected");
  await sending;
  await continues({ place, checks, ...alice });
}

export const scenes = {
  closed,
  dropped,
  gone,
  expired,
  refusedAtFirst,
  held,
  commandRefused,
  upgradeRefused,
  commandLost,
  droppedAtMessage,
};
