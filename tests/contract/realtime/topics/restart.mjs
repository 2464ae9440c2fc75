// The server ends and comes back while clients are connected: politely, and without a word.

import { ask } from "../asking.mjs";
import { eventually } from "../checks.mjs";

const comesBack = (how) => async (place, checks) => {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  await place.say(sid, "before");
  for (const { watch } of [alice, bob]) await checks.event("before", watch, "messageAdded");
  await ask(how);
  await place.say(sid, "after");
  const { conversation, client, watch } = alice;
  await checks.event("noticed", watch, "connectionStateChanged", (state) => state !== "connected");
  await checks.becomes("connected", () => client.connectionState, "connected", 30);
  for (const each of [alice, bob]) {
    const heard = () => each.watch.all("messageAdded").map((message) => message.body);
    await checks.becomes("missed nothing", heard, ["before", "after"], 30);
  }
  await checks.works("sends", conversation.sendMessage("and on"));
  await checks.event("heard", bob.watch, "messageAdded", (each) => each.body === "and on");
  await eventually(() => watch.all("messageAdded").length, (count) => count === 3);
  checks.equal("once each", watch.all("messageAdded").map((each) => each.index), [0, 1, 2]);
  const terminal = watch.all("connectionError").filter((error) => error.terminal);
  checks.equal("no error for good", terminal, []);
};

// One after the other: both use the one server.
export const scenes = {
  async restartedAndKilled(place, checks) {
    await comesBack("restart")(place, checks);
    await comesBack("kill")(place, checks);
  },
};
