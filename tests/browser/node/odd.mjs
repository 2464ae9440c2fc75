// Answers with an odd row, as a newer server or a fault may send: it spoils no other row, and no page.

import { addresses, illustrated, oneOfEach, scopedWebhooks } from "./addresses.mjs";
import { check, eventually, inTabs, move, openPage, rest, scene, seed, visit, withBrowser } from "./console.mjs";

// What identifies a row, so that it is still the same one.
const KEYS = new Set(["sid", "account_sid", "cursor", "index", "name", "address", "url", "conversation_sid", "chat_service_sid"]);
const change = (row, odd) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, KEYS.has(name) ? value : odd(value)]));
const otherType = (value) => (typeof value === "string" ? { odd: "a text" } : value && typeof value === "object" ? "odd" : value);
const ODD = {
  "nothing but its key": (row) => Object.fromEntries(Object.entries(row).filter(([name]) => KEYS.has(name))),
  "null in each member": (row) => change(row, () => null),
  "members of other types": (row) => change(row, otherType),
};

const WITHOUT_LISTS = /^(unknown|start|nothing-found|settings|settings-service|conversation-(json|timers)|sit-in.*|clients|tokens|test-(clock|data|emulation|triggers))$/;
// Rows that a page leaves out by a member that is odd now: attempts of one delivery, minutes without requests.
const FILTERED = { attempt: 1, signature: 1, health: 1 };

const isRow = (value) => value && typeof value === "object" && !Array.isArray(value);

// The last row of each list of an answer is odd.
function spoil(answer, oddly) {
  for (const [name, value] of Object.entries(answer))
    if (Array.isArray(value) && value.length && isRow(value.at(-1))) answer[name] = [...value.slice(0, -1), oddly(value.at(-1))];
  return answer;
}

async function oddAnswers(context, oddly) {
  await context.route(/console\/api\/.*\/v1\//, async (route) => {
    const request = route.request();
    if (request.method() !== "GET" || /event-stream/.test(request.headers().accept ?? "") || /[?&]Wait=/.test(request.url())) return route.fallback();
    const response = await route.fetch();
    if (!response.ok()) return route.fulfill({ response });
    return route.fulfill({ response, json: spoil(await response.json(), oddly) });
  });
}

const ROWS = "main :is(tbody tr, .items > li, .message, .stack.tight > li)";
const { sids, hooks } = await seed();
const { default_chat_service_sid: service } = await rest.get("/v1/Configuration");
const places = { service, order: sids["conversations.order"], url: hooks.url };
await oneOfEach("Sample", places);
await scopedWebhooks("Sample", places);
await illustrated("picture.png", places);
const all = Object.entries(await addresses(sids)).filter(([name]) => !WITHOUT_LISTS.test(name));
await withBrowser(async (browser) => {
  const counts = {};
  const asJson = new Set();
  const everyPage = (run, prepare = () => {}) => inTabs(all, async () => {
    const made = await openPage(browser);
    await visit(made.page, "nowhere");
    await prepare(made.context);
    return made;
  }, run);
  await everyPage(async ({ page }, [name, address]) => {
    await move(page, address);
    counts[name] = await page.locator(ROWS).count();
  });
  for (const [kind, oddly] of Object.entries(ODD))
    await everyPage(async ({ page }, [name, address]) => scene("odd", `${name}: ${kind}`, async () => {
      await move(page, address);
      const heading = await page.locator("main h1").first().textContent();
      if (/Not here|could not be drawn/.test(heading)) throw new Error(await page.locator("main").textContent());
      const least = counts[name] - (FILTERED[name] ?? 0);
      await eventually(async () => (await page.locator(ROWS).count()) >= least, `${least} rows`);
      const codes = await page.locator("main code, main td").allTextContents();
      if (codes.some((each) => each.includes('{"odd":"a text"}'))) asJson.add(name);
    }), (context) => oddAnswers(context, oddly));
  check("odd", "a row that cannot be drawn shows its JSON", asJson.size >= 2, [...asJson].join(" "));
  const total = Object.values(counts).reduce((sum, each) => sum + each, 0);
  check("odd", "there are many rows", total > 150, JSON.stringify(counts));
});
