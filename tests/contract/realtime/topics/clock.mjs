// The clock of test mode, as clients see it: timers, and tokens that are renewed or not.

import { Place, joined } from "../place.mjs";

async function anHourAndThreeDays(place, checks) {
  await Place.clock("", { Mode: "frozen" });
  const timers = { "Timers.Inactive": "PT30M", "Timers.Closed": "PT50M" };
  const { sid } = await place.conversation(["alice", "bob"], timers);
  const alice = await place.open("alice");
  const bob = place.start(place.signed("bob"));
  await checks.event("a token by the real time", bob.watch, "initialized");
  const conversation = await joined(alice.watch, sid);
  await joined(bob.watch, sid);
  alice.client.on("tokenAboutToExpire", async () => {
    await checks.works("renewed", alice.client.updateToken(await place.token("alice")));
  });

  const hour = await Place.clock("/Advance", { By: "PT1H" });

  checks.equal("settled", [hour.settled, hour.waiting_for], [true, []]);
  await checks.becomes("closed by its timer", () => conversation.state?.current, "closed");
  await checks.event("warned", bob.watch, "tokenAboutToExpire");
  await checks.becomes("not renewed", () => bob.client.connectionState, "disconnected");
  checks.equal("renewed: stays", alice.client.connectionState, "connected");
  checks.equal("warned once", alice.watch.all("tokenAboutToExpire").length, 1);
  await alice.client.shutdown();

  const days = await Place.clock("/Advance", { By: "P3D" });

  checks.equal("three days", days.settled, true);
  const carol = place.start(place.signed("carol"));
  await checks.event("a token by the real time, days later", carol.watch, "initialized");
}

export const scenes = { anHourAndThreeDays };
