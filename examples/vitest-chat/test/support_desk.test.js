import { Client } from "@twilio/conversations";
import { connectParlour } from "parlour-testkit";
import twilio from "twilio";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SupportDesk } from "../src/support_desk.js";

const CUSTOMER = "+15550100";
const NUMBER = "+15550999";
const TICKET = { agent: "alice", customer: CUSTOMER, subject: "Order 4711" };

let parlour;
let account;
let client;
let desk;
let server;

beforeEach(async () => {
  parlour = await connectParlour();
  await parlour.clock.freeze("2026-01-05T09:00:00Z");
  account = await parlour.createAccount({ friendlyName: "Support" });
  client = account.client(twilio, { autoRetry: true });
  desk = new SupportDesk(client, account.authToken);
  server = await desk.listen();
});

afterEach(async () => {
  server.close();
  // All data goes, so the next test may begin at an earlier date again.
  await parlour.reset();
});

test("a ticket greets the customer's phone, and the answer arrives", async () => {
  const sid = await desk.openTicket(TICKET);
  const phone = account.phones.get(CUSTOMER);

  await phone.waitFor({ body: "Hello, this is alice. How can I help?" });
  await phone.send({ to: NUMBER, body: "Where is my parcel?" });

  const [, answer] = await client.conversations.v1.conversations(sid).messages.list();
  expect(answer).toMatchObject({ author: CUSTOMER, body: "Where is my parcel?" });
});

test("a silent customer is asked once, and a day later the ticket is closed", async () => {
  const hooks = { postWebhookUrl: desk.url, filters: ["onConversationStateUpdated"] };
  await client.conversations.v1.configuration.webhooks().update(hooks);
  const sid = await desk.openTicket(TICKET);

  await parlour.clock.advance("PT10M");
  const phone = account.phones.get(CUSTOMER);
  await phone.waitFor({ body: "Are you still there?" });
  await parlour.clock.advance("P2D");

  const questions = (await phone.inbox()).filter(({ body }) => /still there/.test(body));
  expect(questions).toHaveLength(1);
  const ticket = await client.conversations.v1.conversations(sid).fetch();
  expect(ticket.state).toBe("closed");
});

test("a ticket is opened although the API is busy", async () => {
  const busy = { operation: "CreateConversation", status: 429, times: 2 };
  await account.faults.add(busy);

  await desk.openTicket(TICKET);

  await account.faults.assertAllFired();
  await account.requests.expect("CreateConversation", { times: 2, status: 429 });
  const form = { FriendlyName: "Order 4711", "Timers.Inactive": "PT10M" };
  await account.requests.expect("CreateConversation", { times: 1, status: 201, form });
});

test("the agent's app sees the customer's answer", async () => {
  const sid = await desk.openTicket(TICKET);
  const app = new Client(await account.token("alice"), account.sdkOptions);
  await new Promise((resolve) => app.on("initialized", resolve));
  const ticket = await app.getConversationBySid(sid);
  expect((await ticket.getMessages()).items).toHaveLength(1);
  const arrived = new Promise((resolve) => ticket.on("messageAdded", resolve));

  await account.phones.get(CUSTOMER).send({ to: NUMBER, body: "Thank you" });

  expect((await arrived).body).toBe("Thank you");
  await app.shutdown();
});
