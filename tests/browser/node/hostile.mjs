// A world whose every text is hostile: the pages show it, and nothing else happens.

import { addresses } from "./addresses.mjs";
import { CORPUS, LONG } from "./corpus.mjs";
import { check, NARROW, openPage, rest, scene, seed, violations, visit, WIDE, withBrowser } from "./console.mjs";

const short = (text, length = 256) => [...text].slice(0, length).join("");
// Texts that a request can hold: the API refuses some control characters.
const tries = async (run) => {
  try {
    return await run();
  } catch {
    return null;
  }
};

async function hostileWorld(sids) {
  const order = `/v1/Conversations/${sids["conversations.order"]}`;
  const fired = { "X-Twilio-Webhook-Enabled": "true" };
  let taken = 0;
  for (const [number, text] of CORPUS.entries()) {
    const attributes = JSON.stringify({ [text]: text });
    const message = { Author: short(text), Body: text, Attributes: attributes };
    if (await tries(() => rest.post(`${order}/Messages`, message, fired))) taken += 1;
    if (number % 5 === 0) {
      await tries(() => rest.post("/v1/Conversations", { FriendlyName: short(text), Attributes: attributes }, fired));
      await tries(() => rest.post(`${order}/Participants`, { Identity: short(text), Attributes: attributes }, fired));
      await tries(() => rest.post("/v1/Users", { Identity: `user ${short(text, 200)}`, FriendlyName: short(text) }));
      await tries(() => rest.post("/parlour/v1/VirtualPhones", { Address: `+1555020${100 + number}`, Name: short(text, 64) }));
    }
  }
  await rest.post(`${order}/Messages`, { Author: "alice", Body: LONG });
  await rest.post(`${order}`, { FriendlyName: CORPUS[0], Attributes: JSON.stringify({ long: LONG.slice(0, 3000) }) });
  await tries(() => rest.post("/v1/Services", { FriendlyName: short(CORPUS[1], 64) }));
  await tries(() => rest.post("/v1/Configuration/Webhooks", { PostWebhookUrl: `http://127.0.0.1:9/"><script>alert(1)</script>` }));
  return taken;
}

// Runs in the page.
function isTooWide() {
  const over = document.documentElement.scrollWidth - innerWidth;
  return over > 0 ? `${over} px too wide` : "";
}

const { sids } = await seed();
const taken = await hostileWorld(sids);
check("hostile", "most of the corpus is stored", taken >= CORPUS.length * 0.8, `${taken} of ${CORPUS.length}`);
check("hostile", "the corpus is large", CORPUS.length >= 100, CORPUS.length);
const pages = await addresses(sids);
await withBrowser(async (browser) => {
  const { page, seen } = await openPage(browser);
  for (const [name, address] of Object.entries(pages))
    await scene("hostile", name, async () => {
      await page.setViewportSize(WIDE);
      await visit(page, address);
      const wide = await page.evaluate(isTooWide);
      await page.setViewportSize(NARROW);
      const narrow = await page.evaluate(isTooWide);
      if (wide || narrow) throw new Error(`1280: ${wide}; 390: ${narrow}`);
      const alien = await page.evaluate(() => document.querySelectorAll("#app script, #app iframe, #app object, #app style, #app base, #app form[action]").length);
      if (alien) throw new Error(`${alien} elements came from texts`);
    });
  const wrong = [...seen.errors, ...seen.foreign, ...seen.dialogs, ...(await violations(page))];
  check("hostile", "no dialog, report, error, or request to others", wrong.length === 0, wrong.slice(0, 5).join("\n"));
  check("hostile", "the page stayed", page.url().startsWith(process.env.BASE_URL), page.url());
});
