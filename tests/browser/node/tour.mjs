// Every page, tab, form and action once, by mouse or by keys; each change is checked through the API.

import { check, equal, seed, violations, withBrowser } from "./console.mjs";
import { pointersOf } from "./by_keyboard.mjs";
import { HAS_MOUSE, visitor } from "./hands.mjs";
import { unused } from "./controls.mjs";
import { conversations } from "./tour_conversation.mjs";
import { frame, signOut } from "./tour_frame.mjs";
import { operator } from "./tour_operator.mjs";
import { clients, phones, users } from "./tour_people.mjs";
import { reset, settings, test } from "./tour_settings.mjs";
import { events, requests, webhooks } from "./tour_traffic.mjs";

// Loading again after an error, and what arrives while one reads: they are not there in every run.
const EXCEPTIONS = [/button Try again$/, /button 0 new$/];
// Names of parts: to run only these by hand.
const { ONLY } = process.env;
const { sids } = await seed();
await withBrowser(async (browser) => {
  const hand = await visitor(browser, "tour");
  const parts = [frame, users, phones, clients, webhooks, requests, events, conversations, operator, settings, test, reset, signOut];
  for (const part of parts.filter((each) => !ONLY || ONLY.includes(each.name))) await part(hand, sids, () => visitor(browser, "tour"));
  const { seen, page } = hand;
  const left = unused(EXCEPTIONS);
  if (!ONLY) check("tour", "every control was used", left.length === 0, left.join("\n"));
  const wrong = [...seen.errors, ...seen.foreign, ...seen.dialogs, ...(await violations(page))];
  if (!HAS_MOUSE) equal(await pointersOf(page), 0, "uses of a mouse");
  check("tour", "no errors, no requests to others", wrong.length === 0, wrong.join("\n"));
});
