// Users: fetched, subscribed, changed and unsubscribed.

import { Watch, because } from "../checks.mjs";

const USER_EVENTS = ["updated", "userSubscribed", "userUnsubscribed"];

async function others(place, checks) {
  const { alice, bob } = await place.together(["alice", "bob"]);
  const seen = await checks.works("found", alice.client.getUser("bob"));
  checks.equal("as it is", [seen.identity, seen.friendlyName, seen.attributes], ["bob", null, {}]);
  checks.true("subscribed", seen.isSubscribed);
  await checks.event("emitted", alice.watch, "userSubscribed", (user) => user === seen);
  checks.true("the same again", (await alice.client.getUser("bob")) === seen);
  const subscribed = await alice.client.getSubscribedUsers();
  checks.true("among the subscribed", subscribed.includes(seen));
  await globalThis.subscribed(alice.client);
  const updates = new Watch(seen, USER_EVENTS);
  await checks.works("name", bob.client.user.updateFriendlyName("Bob B."));
  await checks.event("emitted", alice.watch, "userUpdated", ({ user, updateReasons }) => user === seen && updateReasons.includes("friendlyName"));
  await checks.event("on the user too", updates, "updated", because("friendlyName"));
  await checks.works("attributes", bob.client.user.updateAttributes({ avatar: "b.png" }));
  await checks.event("emitted", alice.watch, "userUpdated", ({ user, updateReasons }) => user === seen && updateReasons.includes("attributes"));
  checks.equal("shown", [seen.friendlyName, seen.attributes], ["Bob B.", { avatar: "b.png" }]);
  await checks.event("emitted to the own client", bob.watch, "userUpdated", because("friendlyName"));
  checks.equal("shown to oneself", bob.client.user.friendlyName, "Bob B.");
  const shown = await place.get("/Users/bob");
  checks.equal("REST", [shown.friendly_name, JSON.parse(shown.attributes)], ["Bob B.", { avatar: "b.png" }]);
  await place.post("/Users/bob", { FriendlyName: "Robert" });
  await checks.becomes("by REST", () => seen.friendlyName, "Robert");
  await checks.works("unsubscribed", seen.unsubscribe());
  await checks.event("emitted", alice.watch, "userUnsubscribed", (user) => user.identity === "bob");
  await checks.event("on the user too", updates, "userUnsubscribed");
  checks.equal("not subscribed", seen.isSubscribed, false);
}

async function unknown(place, checks) {
  const { client } = await place.open("alice");
  await checks.rejects("unknown user", client.getUser("unknown"));
  await checks.rejects("a user of REST's other service", (async () => {
    const other = await place.constructor.make();
    await other.post("/Users", { Identity: "only-there" });
    await client.getUser("only-there");
  })());
}

async function ofParticipants(place, checks) {
  const { alice } = await place.together(["alice", "bob", "carol"]);
  const participants = await alice.conversation.getParticipants();
  const users = await Promise.all(participants.map((each) => each.getUser()));
  checks.equal("users", users.map((each) => each.identity).sort(), ["alice", "bob", "carol"]);
  const subscribed = (await alice.client.getSubscribedUsers()).map((each) => each.identity).sort();
  checks.equal("subscribed", subscribed, ["alice", "bob", "carol"]);
}

async function madeByRest(place, checks) {
  await place.post("/Users", { Identity: "alice", FriendlyName: "Alice A.", Attributes: '{"age":30}' });
  const { client } = await place.open("alice");
  checks.equal("known at the start", [client.user.friendlyName, client.user.attributes], ["Alice A.", { age: 30 }]);
  const long = client.user.updateFriendlyName("x".repeat(257));
  await checks.refused("a long name", long, 400, 50003);
}

export const scenes = { others, unknown, ofParticipants, madeByRest };
