// The server restarts while clients are connected: after a graceful stop, and after a kill.

import { eventually } from "../checks.mjs";
import { requestAction } from "../parent.mjs";

const restarts = (how) => async (place, checks) => {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  await place.sendMessage(sid, "before");
  for (const { watch } of [alice, bob]) await checks.event("before", watch, "messageAdded");
  await requestAction(how);
  await place.sendMessage(sid, "after");
  const { conversation, client, watch } = alice;
  await checks.event("noticed", watch, "connectionStateChanged", (state) => state !== "connected");
  await checks.becomes("connected", () => client.connectionState, "connected", 30);
  for (const each of [alice, bob]) {
    const received = () => each.watch.all("messageAdded").map((message) => message.body);
    await checks.becomes("missed nothing", received, ["before", "after"], 30);
  }
  await checks.works("sends", conversation.sendMessage("later"));
  await checks.event("received", bob.watch, "messageAdded", (each) => each.body === "later");
  await eventually(() => watch.all("messageAdded").length, (count) => count === 3);
  checks.equal("once each", watch.all("messageAdded").map((each) => each.index), [0, 1, 2]);
  const terminal = watch.all("connectionError").filter((error) => error.terminal);
  checks.equal("no terminal error", terminal, []);
};

// One after the other: both use the one server.
export const scenes = {
  async restartedAndKilled(place, checks) {
    await restarts("restart")(place, checks);
    await restarts("kill")(place, checks);
  },
};
