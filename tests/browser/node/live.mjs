// Changes from everywhere appear in an open page; a killed server is said, and then caught up with.

import { createRequire } from "node:module";
import { BASE_URL, equal, eventually, openPage, rest, scene, seed, visit, withBrowser } from "./console.mjs";
import { action } from "./actions.mjs";

const sdk = createRequire(new URL("../../contract/realtime/package.json", import.meta.url));

async function bodiesOf(page) {
  return page.$$eval(".message .text", (all) => all.map((each) => each.textContent));
}

async function appears(page, body) {
  await eventually(async () => (await bodiesOf(page)).includes(body), `the message ${body}`);
}

// The messages on the page are those of REST, each once and in order.
async function isComplete(page, path) {
  await eventually(async () => {
    const { messages } = await rest.get(`${path}/Messages?PageSize=100`);
    return JSON.stringify(await bodiesOf(page)) === JSON.stringify(messages.map((each) => each.body));
  }, "the same messages as over REST");
}

async function bySdk(path) {
  const { Client } = sdk("conversations-3.0");
  const { token } = await rest.post("/parlour/v1/Tokens", { Identity: "alice" });
  const uri = `${BASE_URL.replace("http", "ws")}/v3/wsconnect`;
  const client = new Client(token, { logLevel: "silent", Twilsock: { uri } });
  await new Promise((ready, failed) => {
    client.on("initialized", ready);
    client.on("initFailed", ({ error }) => failed(new Error(JSON.stringify(error))));
  });
  const conversation = await client.getConversationBySid(path.split("/").pop());
  await conversation.sendMessage("from the client SDK");
  await client.shutdown();
}

const { sids } = await seed();
const path = `/v1/Conversations/${sids["conversations.order"]}`;

await withBrowser(async (browser) => {
  const { page, seen } = await openPage(browser);
  await visit(page, `conversations/${sids["conversations.order"]}`);
  await page.waitForSelector(".dot.live");
  await scene("live", "REST", async () => {
    await rest.post(`${path}/Messages`, { Author: "support", Body: "from REST" });
    await appears(page, "from REST");
    await page.waitForSelector(".items li:first-child:has-text('from REST')");
  });
  await scene("live", "an official client", async () => {
    await bySdk(path);
    await appears(page, "from the client SDK");
  });
  await scene("live", "a phone", async () => {
    await rest.post("/parlour/v1/VirtualPhones/%2B15550100/Messages", { To: "+15550999", Body: "from a phone" });
    await appears(page, "from a phone");
  });
  await scene("live", "a new conversation, and its removal", async () => {
    const { sid } = await rest.post("/v1/Conversations", { FriendlyName: "Just made" });
    await page.waitForSelector(`.items [data-row="${sid}"]`);
    await rest.remove(`/v1/Conversations/${sid}`);
    await page.waitForSelector(`.items [data-row="${sid}"]`, { state: "detached" });
  });
  await scene("live", "a timer", async () => {
    await rest.post("/parlour/v1/Clock", { Mode: "shifted" });
    await rest.post("/parlour/v1/Clock/Advance", { By: "PT11M" });
    await page.waitForSelector(".detail .badge:text-is('inactive')");
  });
  await scene("live", "no reload was needed", async () => equal(await page.evaluate(() => performance.getEntriesByType("navigation").length), 1));
  await scene("live", "all is complete", () => isComplete(page, path));
  await scene("live", "a killed server is said, and what was missed comes", async () => {
    await action("kill");
    await page.waitForSelector(".banner:has-text('Not live since')");
    await action("restart");
    await rest.post(`${path}/Messages`, { Author: "support", Body: "while the page was away" });
    await page.waitForSelector(".banner", { state: "detached", timeout: 60_000 });
    await appears(page, "while the page was away");
    await isComplete(page, path);
    await rest.post(`${path}/Messages`, { Author: "support", Body: "live again" });
    await appears(page, "live again");
  });
  await scene("live", "a hidden tab closes its stream, and catches up", async () => {
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.waitForSelector(".dot.off");
    await rest.post(`${path}/Messages`, { Author: "support", Body: "while hidden" });
    await page.evaluate(() => {
      delete document.hidden;
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await appears(page, "while hidden");
    await isComplete(page, path);
  });
  await scene("live", "no errors of the page", async () => equal(seen.errors.filter((each) => !/Failed to load|ERR_/.test(each)), []));
});

// The client SDK keeps timers.
process.exit(0);
