// A conversation of 10,000 messages and a list of 1,000 conversations: how long each takes to open,
// and the longest frame while it is scrolled to the end, page by page.

import { check, openPage, rest, seed, visit, withBrowser } from "./console.mjs";

const { MESSAGES = "10000", CONVERSATIONS = "1000", SCROLLED = "2000" } = process.env;
const print = (name, value) => console.log(JSON.stringify({ kind: "measure", name, value }));

const { sids } = await seed();
const order = sids["conversations.order"];

async function many(count, act) {
  for (let start = 0; start < count; start += 50) await Promise.all(Array.from({ length: 50 }, (_, at) => act(start + at)));
}
await many(Number(CONVERSATIONS), (number) => rest.post("/v1/Conversations", { FriendlyName: `Order ${number}` }));
await many(Number(MESSAGES), (number) =>
  rest.post(`/v1/Conversations/${order}/Messages`, { Author: "support", Body: `Message ${number}. ${"It is on the van. ".repeat(number % 5)}` }));

// From a click to the painted rows, as the page itself sees it.
async function open(page, link, rows) {
  await page.evaluate((selector) => {
    globalThis.opened = new Promise((done) => {
      const isThere = () => document.querySelector(selector);
      addEventListener("click", () => {
        const begin = performance.now();
        const watch = () => (isThere() ? requestAnimationFrame(() => done(performance.now() - begin)) : requestAnimationFrame(watch));
        watch();
      }, { once: true, capture: true });
    });
  }, rows);
  await page.locator(link).first().click();
  return page.evaluate(() => globalThis.opened);
}

// Scroll by wheel until so many rows were seen; the durations of all frames, and of long tasks.
async function scroll(page, pane, rows, direction, wanted) {
  await page.evaluate(() => {
    globalThis.frames = [];
    globalThis.tasks = [];
    let last = performance.now();
    const next = (now) => {
      globalThis.frames.push(now - last);
      last = now;
      globalThis.timer = requestAnimationFrame(next);
    };
    requestAnimationFrame((now) => ((last = now), next(now)));
    new PerformanceObserver((list) => list.getEntries().forEach((each) => globalThis.tasks.push(each.duration))).observe({ type: "longtask" });
  });
  await page.locator(pane).hover();
  const seen = new Set();
  const end = Date.now() + 60_000;
  while (seen.size < wanted && Date.now() < end) {
    await page.mouse.wheel(0, direction * 400);
    for (const each of await page.locator(rows).evaluateAll((all) => all.map((row) => row.dataset.sid ?? row.dataset.row))) seen.add(each);
  }
  const [frames, tasks] = await page.evaluate(() => (cancelAnimationFrame(globalThis.timer), [globalThis.frames, globalThis.tasks]));
  frames.sort((one, other) => one - other);
  return { seen: seen.size, longest: frames.at(-1), p99: frames[Math.floor(frames.length * 0.99)], late: frames.filter((each) => each > 50).length, tasks };
}

await withBrowser(async (browser) => {
  const { page } = await openPage(browser);
  await visit(page, "events");
  const rail = "nav.rail a[href*='/conversations']";
  await open(page, rail, ".items a");
  await page.locator("nav.rail a[href*='/events']").click();
  await page.waitForSelector("table");
  print("list of 1,000 conversations opened, ms", await open(page, rail, ".items a"));
  print("conversation of 10,000 messages opened, ms", await open(page, `.items a[href*="${order}"]`, ".message .text"));

  for (const [name, pane, rows, direction, wanted] of [
    ["conversation", "[role=log]", ".message", -1, Number(SCROLLED)],
    ["list", ".side .scroll", ".items a", 1, Math.min(500, Number(CONVERSATIONS))],
  ]) {
    const found = await scroll(page, pane, rows, direction, wanted);
    print(`${name} scrolled: rows seen`, found.seen);
    print(`${name} scrolled: longest frame, ms`, found.longest);
    print(`${name} scrolled: 99th percentile of the frames, ms`, found.p99);
    print(`${name} scrolled: longest task of the page, ms`, Math.max(0, ...found.tasks));
    check("large", `${name}: scrolled`, found.seen >= wanted, found.seen);
  }
});
process.exit(0);
