// The budgets of the console in Chromium: loads, and the time from an event to the page.

import { check, openPage, rest, seed, visit, WIDE, withBrowser } from "./console.mjs";

const { CONVERSATIONS = "1000", EVENTS = "200" } = process.env;
const ratio = (values, part) => [...values].sort((one, other) => one - other)[Math.floor((values.length - 1) * part)];
const print = (name, value) => console.log(JSON.stringify({ kind: "measure", name, value }));

const { sids } = await seed();
const order = sids["conversations.order"];
for (let start = 0; start < Number(CONVERSATIONS); start += 50)
  await Promise.all(Array.from({ length: 50 }, (_, at) => rest.post("/v1/Conversations", { FriendlyName: `Order ${start + at}` })));

// A first load with an empty cache: when something is painted, and when the list can be used.
async function load(browser, network) {
  const { page, context } = await openPage(browser, { viewport: WIDE });
  await context.unroute("**/*");
  if (network) {
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", network);
  }
  await page.goto(`${process.env.BASE_URL}/parlour/console/`, { waitUntil: "commit" });
  await page.waitForSelector(".items a");
  const usable = await page.evaluate(() => performance.now());
  const [painted, files] = await page.evaluate(() => [
    performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
    performance.getEntriesByType("resource").filter((each) => each.name.includes("/assets/")).length + 1,
  ]);
  await context.close();
  return { usable, painted, files };
}

await withBrowser(async (browser) => {
  await load(browser);
  const loads = [];
  for (let round = 0; round < 5; round += 1) loads.push(await load(browser));
  print("painted, ms, median of 5", ratio(loads.map((each) => each.painted), 0.5));
  print("list of 1,000 usable, ms, median of 5", ratio(loads.map((each) => each.usable), 0.5));
  print("files in the first load", loads[0].files);
  const slow = await load(browser, { offline: false, latency: 50, downloadThroughput: 200_000, uploadThroughput: 200_000 });
  print("list usable at 50 ms and 1.6 Mbit/s, ms", slow.usable);

  const { page } = await openPage(browser);
  await visit(page, `conversations/${order}`);
  await page.waitForSelector(".dot.live");
  await page.evaluate(() => {
    globalThis.seen = {};
    const note = () => {
      for (const each of document.querySelectorAll(".message .text")) {
        const text = each.textContent;
        if (text.startsWith("event ")) globalThis.seen[text] ??= Date.now();
      }
    };
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  const sent = {};
  for (let number = 0; number < Number(EVENTS); number += 1) {
    const begin = Date.now();
    const text = `event ${number}`;
    await rest.post(`/v1/Conversations/${order}/Messages`, { Author: "support", Body: text });
    sent[text] = Date.now();
    await new Promise((next) => setTimeout(next, Math.max(0, 20 - (Date.now() - begin))));
  }
  await page.waitForFunction((last) => globalThis.seen[last], `event ${Number(EVENTS) - 1}`);
  const seen = await page.evaluate(() => globalThis.seen);
  const delays = Object.entries(seen).map(([text, at]) => at - sent[text]);
  print("event to page at up to 50/s, ms, p50", ratio(delays, 0.5));
  print("event to page at up to 50/s, ms, p99", ratio(delays, 0.99));
  check("speed", "each event was seen", delays.length === Number(EVENTS), delays.length);
});
process.exit(0);
