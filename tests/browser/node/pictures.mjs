// The pictures of the documentation: pages of the seeded world at a frozen time. PICTURES is the
// folder of the committed ones, with which they are compared, or to which MODE=write writes them.
// OUTPUT gets those that differ.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ACCOUNT_SID, BASE_URL, check, equal, eventually, load, openPage, rest, scene, visit, withBrowser } from "./console.mjs";

const { PICTURES, MODE, OUTPUT } = process.env;
const NOW = "2026-01-05T09:00:00Z";
const END = "2026-01-05T09:13:00Z";
const BYTES_MAX = 150_000;
const RECEIVER_PORT = "9000";
// A changed letter of the smallest text differs by more.
const PIXELS_MAX = 25;
const WHATSAPP = { address: "whatsapp:+15550102", to: "whatsapp:+15550998" };
const SMS = { address: "+15550100", to: "+15550999" };

// --- The world ------------------------------------------------------------------------------------

const settle = () => rest.post("/parlour/v1/Settle");

async function after(duration) {
  await rest.post("/parlour/v1/Clock/Advance", { By: duration });
  await settle();
}

const says = (conversation, Author, Body) =>
  rest.post(`/v1/Conversations/${conversation}/Messages`, { Author, Body }, { "X-Twilio-Webhook-Enabled": "true" });

const writes = ({ address, to }, Body) =>
  rest.post(`/parlour/v1/VirtualPhones/${encodeURIComponent(address)}/Messages`, { To: to, Body });

// One change after the other, so that the order and all SIDs are the same in each run.
async function makeWorld() {
  await rest.post("/parlour/v1/Clock", { Mode: "frozen", Now: NOW });
  const { sids, hooks } = await load((body) => (body.includes("lamp") ? 500 : 200));
  await settle();
  const [order, lamp] = ["order", "lamp"].map((key) => sids[`conversations.${key}`]);
  await after("PT3M");
  await says(order, "support", "The courier has it: between 10 and 11.");
  await after("PT1M");
  const { sid: reply } = await writes(SMS, "Perfect, thanks!");
  await after("PT2M");
  await writes(WHATSAPP, "Hello? I would come by at ten.");
  await after("PT1M");
  await says(sids["conversations.hours"], "support", "On Sunday we are open from 10 to 14.");
  await after("PT4M");
  await says(lamp, "ben", "When will the new lamp be here?");
  await after("PT2M");
  return { order, lamp, reply, port: new URL(hooks.url).port };
}

// --- The pages ------------------------------------------------------------------------------------

// What a run of the server cannot repeat: ports and durations.
async function repeatable(context, port) {
  await context.route("**/parlour/console/api/**", async (route) => {
    if (route.request().headers().accept?.includes("event-stream")) return route.continue();
    const response = await route.fetch();
    const text = (await response.text())
      .replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${RECEIVER_PORT}`)
      .replaceAll(`127.0.0.1:${new URL(BASE_URL).port}`, "127.0.0.1:8080")
      .replaceAll(/"elapsed_ms":\s*\d+/g, '"elapsed_ms":7');
    return route.fulfill({ response, body: text });
  });
}

// Texts that the parts show which load last.
const SHOWN = {
  conversations: ["Perfect, thanks!", "Your parcel is on its way."],
  phones: ["On Sunday we are open", "onMessageAdded"],
  webhooks: ["Refused:", "When will the new lamp be here?"],
};

// Only an operator may do this, as the open console is.
async function renameAccount(page) {
  await visit(page, "start");
  const status = await page.evaluate(async (path) => {
    const headers = { "Parlour-Console": "1" };
    const body = new URLSearchParams({ FriendlyName: "Shop" });
    return (await fetch(path, { method: "POST", headers, body })).status;
  }, `/parlour/console/api/-/parlour/v1/Operator/Accounts/${ACCOUNT_SID}`);
  equal(status, 200, "the account's name");
}

async function addressesOf({ order, lamp, reply }) {
  const { webhook_attempts: attempts } = await rest.get(`/parlour/v1/WebhookAttempts?ConversationSid=${lamp}`);
  const handsets = [SMS, WHATSAPP].map(({ address, to }) => `${address}>${to}`).join(",");
  return {
    conversations: `conversations/${order}`,
    phones: `phones?on=${encodeURIComponent(handsets)}&trace=${reply}`,
    webhooks: `webhooks/${attempts[0].sid}`,
  };
}

// The picture, once everything of a page has arrived: `shown` are texts of its last parts.
async function shoot(page, shown) {
  await page.locator(".dot.live").waitFor();
  for (const text of shown) await page.getByText(text).filter({ visible: true }).first().waitFor();
  await page.evaluate(() => document.activeElement?.blur());
  let last;
  return eventually(async () => {
    const before = last;
    last = await page.screenshot({ animations: "disabled", caret: "hide" });
    const isLoading = await page.locator(".skeleton, [aria-busy=true]").count();
    return !isLoading && before?.equals(last) && last;
  }, "two equal pictures");
}

// --- Comparison -----------------------------------------------------------------------------------

// Runs in a page: the number of pixels that differ visibly, and the rectangle that they are in.
async function compare([one, other]) {
  const [found, expected] = await Promise.all(
    [one, other].map(async (text) => {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const drawn = new OffscreenCanvas(image.width, image.height).getContext("2d");
      drawn.drawImage(image, 0, 0);
      return drawn.getImageData(0, 0, image.width, image.height);
    }),
  );
  if (found.width !== expected.width || found.height !== expected.height) return { pixels: Infinity };
  const box = [Infinity, Infinity, -1, -1];
  let pixels = 0;
  for (let at = 0; at < found.data.length; at += 4) {
    const difference = [0, 1, 2].map((part) => Math.abs(found.data[at + part] - expected.data[at + part]));
    if (Math.max(...difference) < 40) continue;
    const [x, y] = [(at / 4) % found.width, Math.floor(at / 4 / found.width)];
    pixels += 1;
    [box[0], box[1], box[2], box[3]] = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)];
  }
  return { pixels, box: box.join(" ") };
}

async function differences(page, picture, path) {
  if (!existsSync(path)) return "there is no such picture";
  const images = [picture, readFileSync(path)].map((bytes) => bytes.toString("base64"));
  const { pixels, box } = await page.evaluate(compare, images);
  return pixels > PIXELS_MAX ? `${pixels} pixels differ, in ${box}` : "";
}

async function look(page, name, address) {
  const path = join(PICTURES, `${name}.png`);
  await visit(page, address);
  const picture = await shoot(page, SHOWN[name]);
  if (MODE === "write") writeFileSync(path, picture);
  const found = await differences(page, picture, path);
  if (found && OUTPUT) writeFileSync(join(OUTPUT, `${name}.png`), picture);
  check("pictures", `${name} is as committed`, !found, found);
  check("pictures", `${name} is small`, picture.length <= BYTES_MAX, `${picture.length} bytes`);
}

// The comparison reports a single letter.
async function showsChangedLetters(page) {
  await shoot(page, SHOWN.conversations);
  await page.getByText("Perfect, thanks!").last().evaluate((each) => {
    each.textContent = each.textContent.replace("thanks", "thonks");
  });
  const found = await differences(page, await shoot(page, []), join(PICTURES, "conversations.png"));
  check("pictures", "a changed letter is reported", found.includes("pixels differ"), found);
}

const world = await makeWorld();
const addresses = await addressesOf(world);
await withBrowser(async (browser) => {
  const { page, context } = await openPage(browser, { locale: "en-GB", timezoneId: "UTC" });
  await page.clock.setFixedTime(END);
  await renameAccount(page);
  await repeatable(context, world.port);
  for (const [name, address] of Object.entries(addresses)) await scene("pictures", name, () => look(page, name, address));
  await scene("pictures", "changed", async () => {
    await visit(page, addresses.conversations);
    await showsChangedLetters(page);
  });
  // Lists that wait for rows are still open.
  await context.unrouteAll({ behavior: "ignoreErrors" });
});
