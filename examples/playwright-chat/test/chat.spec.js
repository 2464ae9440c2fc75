import { test as base, expect } from "@playwright/test";
import { parlourFixtures } from "parlour-testkit";
import twilio from "twilio";
import { serve } from "../src/server.js";

const HOUR_MS = 3_600_000;
const CUSTOMER = "+15550100";
const NUMBER = "+15550999";

const test = base.extend({
  ...parlourFixtures,

  // The URL of the page, whose server has the credentials of the test's own account.
  chat: async ({ account }, use) => {
    const { sid: accountSid, apiKeySid, apiKeySecret, serviceSid, sdkOptions } = account;
    const server = await serve({ accountSid, apiKeySid, apiKeySecret, serviceSid, sdkOptions });
    await use(server.url);
    server.closeAllConnections();
    server.close();
  },

  // Time passes for the server and for the browser, whose client connects again if an hour without
  // a frame has ended its connection.
  pass: async ({ page, parlour }, use) => {
    await use(async (ms) => {
      await parlour.clock.advance(ms);
      await page.clock.fastForward(ms);
      await expect(page.locator("#connection")).toHaveText("connected");
    });
  },
});

test("a day passes in the chat", async ({ account, chat, page, parlour, pass, phones }) => {
  const start = "2026-01-05T09:00:00Z";
  await parlour.clock.freeze(start);
  await page.clock.install({ time: start });
  const { conversations } = account.client(twilio).conversations.v1;
  const timers = { "timers.inactive": "PT1H", "timers.closed": "PT22H" };
  const { sid } = await conversations.create({ friendlyName: "Order 4711", ...timers });
  const { participants } = conversations(sid);
  await participants.create({ identity: "alice" });
  await participants.create({
    "messagingBinding.address": CUSTOMER,
    "messagingBinding.proxyAddress": NUMBER,
  });

  await page.goto(`${chat}?identity=alice`);
  await expect(page.locator("#title")).toHaveText("Order 4711");
  await page.getByLabel("Message").fill("Your parcel is on its way");
  await page.getByRole("button", { name: "Send" }).click();
  await phones.get(CUSTOMER).waitFor({ body: "Your parcel is on its way" });
  await phones.get(CUSTOMER).send({ to: NUMBER, body: "Thank you" });
  const messages = page.locator("#messages li");
  await expect(messages).toHaveText([/way just now$/, /^\+15550100: Thank you just now$/]);

  // The token is for 16 hours: the page renews it four minutes before it expires.
  await pass(HOUR_MS);
  await expect(page.locator("#state")).toHaveText("inactive");
  await expect(messages.first()).toHaveText(/1 h ago$/);
  for (let hours = 1; hours < 24; hours += 1) await pass(HOUR_MS);
  await expect(page.locator("#state")).toHaveText("closed");
  await expect(messages.first()).toHaveText(/1 d ago$/);
  await expect(page.locator("#connection")).toHaveText("connected");
  expect((await conversations(sid).fetch()).state).toBe("closed");
});

test("a lost connection comes back", async ({ account, chat, page }) => {
  const { conversations } = account.client(twilio).conversations.v1;
  const { sid } = await conversations.create({ friendlyName: "Order 4712" });
  await conversations(sid).participants.create({ identity: "alice" });
  await page.goto(`${chat}?identity=alice`);
  await expect(page.locator("#title")).toHaveText("Order 4712");

  await account.faults.add({ target: "socket", identity: "alice", when: "now", drop: true });
  await conversations(sid).messages.create({ author: "bob", body: "Are you there?" });

  await expect(page.locator("#messages li")).toHaveText([/^bob: Are you there\?/]);
  await expect(page.locator("#connection")).toHaveText("connected");
  await account.faults.assertAllFired();
});
