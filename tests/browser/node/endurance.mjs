// An hour's traffic in minutes: how busy the main thread of a page is, and whether its heap is flat.

import { check, eventually, openPage, rest, seed, visit, withBrowser } from "./console.mjs";

const { SECONDS = "60", RATE = "100" } = process.env;
// Lists are full by then: their rows are limited.
const WARM_SECONDS = Math.min(20, Number(SECONDS) / 3);
const print = (name, value) => console.log(JSON.stringify({ kind: "measure", name, value }));

const { sids } = await seed();
const order = sids["conversations.order"];

async function measured(page, address) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  await session.send("HeapProfiler.enable");
  await visit(page, address);
  await page.waitForSelector(".dot.live");
  const read = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    const { TaskDuration: busy, JSHeapUsedSize: heap } = Object.fromEntries(metrics.map((each) => [each.name, each.value]));
    return { at: Date.now() / 1000, busy, heap };
  };
  return { page, address, read };
}

// Messages at this rate, whatever earlier requests take.
async function send(seconds) {
  const begin = Date.now();
  const sending = [];
  for (let number = 0; number < seconds * Number(RATE); number += 1) {
    const wait = begin + (number * 1000) / Number(RATE) - Date.now();
    if (wait > 0) await new Promise((next) => setTimeout(next, wait));
    sending.push(rest.post(`/v1/Conversations/${order}/Messages`, { Author: "support", Body: `event ${number}` }));
  }
  await Promise.all(sending);
  return (seconds * Number(RATE) * 1000) / (Date.now() - begin);
}

await withBrowser(async (browser) => {
  const pages = [];
  for (const address of [`conversations/${order}`, "events"]) pages.push(await measured((await openPage(browser)).page, address));
  await send(WARM_SECONDS);
  const before = await Promise.all(pages.map((each) => each.read()));
  print("events per second", await send(Number(SECONDS) - WARM_SECONDS));
  const after = await Promise.all(pages.map((each) => each.read()));
  for (const [place, { address }] of pages.entries()) {
    const [one, other] = [before[place], after[place]];
    const name = address.split("/")[0] === "events" ? "events" : "conversation";
    print(`${name}: main thread busy, %`, (100 * (other.busy - one.busy)) / (other.at - one.at));
    print(`${name}: growth of the heap, MB`, (other.heap - one.heap) / 1e6);
    print(`${name}: heap at the end, MB`, other.heap / 1e6);
  }
  const { messages: [newest] } = await rest.get(`/v1/Conversations/${order}/Messages?Order=desc&PageSize=1`);
  for (const { page, address } of pages)
    await eventually(() => page.getByText(newest.body, { exact: true }).first().isVisible(), `the newest message on ${address}`);
  check("endurance", "both pages show the newest message", true);
});
process.exit(0);
