// The tour of Webhooks, Requests and Events.

import { equal, eventually, rest } from "./console.mjs";
import { copied, holds, switchedReceiver } from "./hands.mjs";

const FIRED = { "X-Twilio-Webhook-Enabled": "true" };
const ATTEMPTS = "/parlour/v1/WebhookAttempts";

// A conversation whose webhook goes to a receiver of its own, and one attempt that was refused.
async function refused() {
  // Deliveries of one conversation wait for each other: no other receiver may refuse.
  await rest.post("/v1/Configuration/Webhooks", { PostWebhookUrl: (await switchedReceiver()).url });
  const receiver = await switchedReceiver();
  receiver.status = 500;
  receiver.url += "?shop=1";
  const { sid } = await rest.post("/v1/Conversations", { FriendlyName: "Refused" });
  const hook = { Target: "webhook", "Configuration.Url": receiver.url, "Configuration.Filters": "onMessageAdded" };
  await rest.post(`/v1/Conversations/${sid}/Webhooks`, hook);
  await rest.post(`/v1/Conversations/${sid}/Messages`, { Author: "alice", Body: " Refuse this " }, FIRED);
  const attempt = await eventually(async () => (await own(sid, receiver.url))[0], "an attempt");
  return { receiver, sid, attempt };
}

const own = async (conversation, url) =>
  (await rest.get(`${ATTEMPTS}?ConversationSid=${conversation}&PageSize=50`)).webhook_attempts.filter((each) => each.request?.url === url);

// All times that are likely.
async function between(page) {
  await page.getByLabel("From", { exact: true }).fill("2020-01-01T09:00:00");
  await page.waitForURL(/since=20(20|19)/);
  await page.getByLabel("To", { exact: true }).fill("2099-01-01T09:00:00");
  await page.waitForURL(/until=20(99|98)/);
}

// What validators saw, and the sentence that explains it.
const seenBy = (url, body) => [
  [/Only the slash at the end differs/, url.replace("?", "/?"), body],
  [/The scheme differs/, url.replace("http:", "https:"), body],
  [/The host differs/, url.replace("127.0.0.1", "inner"), body],
  [/The port differs/, url.replace(/:\d+/, ""), body],
  [/The path differs/, url.replace("/tour", "/hooks/tour"), body],
  [/The query differs/, url.replace("shop=1", "shop=%31"), body],
  [/has its query twice/, `${url}?shop=1`, body],
  [/RetryCount differs/, url, `${body}&RetryCount=3`],
  [/was not in the body/, url, `${body}&shop=1`],
  [/A parameter is missing/, url, body.replace(/&?Author=alice/, "")],
  [/White space was cut off/, url, body.replace("+Refuse+this+", "Refuse+this")],
  [/The value differs/, url, body.replace("Refuse+this", "Refuse%252Bthis")],
  [/All is as it was sent/, url, JSON.stringify(Object.fromEntries(new URLSearchParams(body)))],
  [/another auth token, or of another request/, url, body, "bm90IHRoZSBzaWduYXR1cmU="],
];

async function attempts({ page, step, press, go, shown, dialog, fill, ask, answer }, { receiver, sid, attempt }) {
  const panel = page.locator(".panel");
  await step("attempts are filtered; one is opened", async () => {
    await go("webhooks");
    await between(page);
    await page.getByLabel("Event", { exact: true }).selectOption("onMessageAdded");
    await page.getByLabel("Outcome", { exact: true }).selectOption(attempt.outcome);
    await page.getByLabel("Conversation SID").fill(sid);
    await page.getByLabel("Conversation SID").press("Enter");
    await page.locator(`[data-row="${attempt.sid}"]`).click();
    await shown(/Refused: the receiver answered 500/, panel);
    for (const name of ["Parameters", "Raw body", "Headers"]) await panel.locator("summary", { hasText: name }).click();
    await shown(/X-Twilio-Signature: /, panel);
    await press("Copy as curl", panel);
    equal((await copied(page)).startsWith("curl -X POST"), true, "curl");
  });
  await step("signature help names the difference", async () => {
    await panel.locator("summary", { hasText: "Signature help" }).click();
    await panel.locator("details[open]", { hasText: "Signature help" }).waitFor();
    const help = panel.locator("details", { hasText: "Signature help" });
    for (const [sentence, url, body, signature = ""] of seenBy(receiver.url, receiver.received[0])) {
      for (const [name, text] of Object.entries({ url, body, signature })) await help.locator(`[name=${name}]`).fill(text);
      await press("Explain", help);
      await shown(sentence, help.getByRole("status"));
    }
    // Signed as a proxy would have to pass it on.
    const proxied = receiver.url.replace("http:", "https:");
    const fields = JSON.stringify(Object.fromEntries(new URLSearchParams(receiver.received[0])));
    const { signature } = await rest.post("/parlour/v1/WebhookSignatures", { Url: proxied, Parameters: fields });
    await help.locator("[name=url]").fill(receiver.url);
    await help.locator("[name=body]").fill(receiver.received[0]);
    await help.locator("[name=signature]").fill(signature);
    await press("Explain", help);
    await shown(/With this URL the signature is right/, help);
    await shown(proxied, help.locator("li"));
  });
  await step("the same event is sent with changes", async () => {
    await press("Send with changes …", panel);
    await fill({ Parameters: '{"Body": "Changed"}' });
    await press("Send", dialog);
    await shown(/answered 500/, dialog);
    await press("Cancel", dialog);
    // Not the last one: a retry may have come since.
    equal(receiver.received.filter((each) => each.includes("Body=Changed")).length, 1, "samples");
  });
  await step("a replay reaches the receiver, and the page goes to its attempt", async () => {
    receiver.status = 200;
    await page.getByLabel("Outcome", { exact: true }).selectOption("");
    await press("Retry now", panel);
    await shown(/^Delivered/, panel);
    equal(page.url().includes(attempt.sid), false, "the new attempt is open");
    const selected = page.getByRole("table", { name: "Attempts", exact: true }).locator("[aria-selected=true]");
    await eventually(async () => page.url().includes((await selected.getAttribute("data-row")) ?? "-"), "its row is marked");
    await holds(`${ATTEMPTS}?ConversationSid=${sid}`, { outcome: "delivered" }, (found) => found.webhook_attempts[0]);
    const before = (await own(sid, receiver.url)).length;
    await ask("Replay", {}, "Replay", panel);
    await eventually(async () => (await own(sid, receiver.url)).length === before + 1, "replayed again");
  });
  await step("all that match are replayed", async () => {
    const before = receiver.received.length;
    await rest.post("/parlour/v1/Clock", { Mode: "system" });
    await go(`webhooks?conversation=${sid}`);
    await press("Replay all that match …");
    await shown(/attempts match/, dialog);
    await answer({}, "Replay");
    await eventually(() => receiver.received.length > before, "replayed");
    await page.locator(`[data-row="${attempt.sid}"]`).click();
    await panel.getByRole("link", { name: "Close", exact: true }).click();
    await panel.waitFor({ state: "detached" });
  });
}

async function endpoints({ step, go, press, dialog, row, shown }, { receiver, sid }) {
  await step("a target gets a sample", async () => {
    await go("webhooks?tab=receivers");
    await row("Targets", receiver.url).getByRole("button", { name: "Test …" }).click();
    await press("Send", dialog);
    await shown(/Delivered/, dialog);
    await press("Cancel", dialog);
  });
  await step("what waits for an endpoint is sent now", async () => {
    receiver.status = 500;
    await rest.post(`/v1/Conversations/${sid}/Messages`, { Author: "alice", Body: "Later" }, FIRED);
    await eventually(async () => (await own(sid, receiver.url))[0].outcome === "retrying", "a retry is planned");
    receiver.status = 200;
    await go("webhooks?tab=receivers");
    await press("Retry now", row("Endpoints", receiver.url));
    await eventually(async () => (await own(sid, receiver.url))[0].outcome === "delivered", "sent");
  });
}

export async function webhooks(hand) {
  // Until all are replayed, attempts come when the page asks for them, and by themselves never.
  await rest.post("/parlour/v1/Clock", { Mode: "frozen" });
  const made = await refused();
  await attempts(hand, made);
  await endpoints(hand, made);
}

export async function requests({ page, step, press, go, shown, ask }) {
  const panel = page.locator(".panel");
  await rest.post("/v1/Conversations", { FriendlyName: "Asked once" });
  const count = async () => (await rest.get("/v1/Conversations?PageSize=100")).conversations.filter((each) => each.friendly_name === "Asked once").length;
  await step("requests are filtered; one is opened and copied", async () => {
    await go("requests");
    await page.getByLabel("Source").selectOption("rest");
    await page.getByLabel("Operation", { exact: true }).fill("CreateConversation");
    await page.getByLabel("Operation", { exact: true }).press("Enter");
    await page.waitForURL(/operation=CreateConversation/);
    await page.getByRole("table", { name: "Requests" }).getByRole("link", { name: "CreateConversation", exact: true }).first().click();
    await shown("Asked once", panel);
    for (const [language, word] of [["curl", "curl"], ["Python", "import requests"], ["Node.js", "await fetch"]]) {
      await press(language, panel);
      await eventually(async () => (await copied(page)).includes(word), language);
    }
  });
  await step("a request is run again", async () => {
    await ask("Run again", {}, "Run again", panel);
    await eventually(async () => (await count()) === 2, "run again");
  });
  await step("a read is run again at once; other filters", async () => {
    const { sid } = await rest.post("/v1/Conversations", { FriendlyName: "Asked about" });
    await rest.get(`/v1/Conversations/${sid}`);
    await rest.get(`/v1/Conversations/${sid}/Participants/none`).catch(() => {});
    await go("requests");
    const filter = async (label, text) => {
      await page.getByLabel(label, { exact: true }).fill(text);
      await page.getByLabel(label, { exact: true }).press("Enter");
      await page.waitForURL((url) => url.search.includes(text));
    };
    const rows = page.getByRole("table", { name: "Requests" }).getByRole("row");
    await filter("Conversation SID", sid);
    await filter("Status", "404");
    await filter("Error code", "20404");
    await rows.filter({ hasText: "FetchConversationParticipant" }).click();
    await shown("404 · 20404", panel);
    await press("Run again", panel);
    await panel.getByRole("link", { name: "Close", exact: true }).click();
    await filter("Identity", "nobody");
    await shown(/^(Nothing matches|No requests yet)/);
    const made = (await rest.get(`/parlour/v1/Requests?ConversationSid=${sid}&Status=200`)).requests[0];
    await go(`requests/${made.sid}`);
    await panel.getByRole("link", { name: "Open the object", exact: true }).click();
    await page.getByRole("heading", { name: "Asked about" }).waitFor();
    await go("requests?operation=CreateConversation");
    await between(page);
    await rows.filter({ hasText: "CreateConversation" }).first().click();
  });
  await step("from a request to its events", async () => {
    await panel.getByRole("link", { name: "Events", exact: true }).click();
    await shown("onConversationAdded", page.getByRole("table", { name: "Events" }));
    equal(await page.getByRole("table", { name: "Events" }).locator("[data-row]").count(), 1, "its events only");
  });
}

export async function events({ page, step, go, shown }, sids) {
  const order = sids["conversations.order"];
  await step("events are filtered; one is opened, and leads to its object", async () => {
    await go("events");
    await page.getByLabel("Type of event").selectOption("onMessageAdded");
    await page.getByLabel("Conversation SID").fill(order);
    await page.getByLabel("Conversation SID").press("Enter");
    const table = page.getByRole("table", { name: "Events" });
    await page.waitForURL(/conversation=CH/);
    await table.getByRole("row").nth(1).click();
    await shown(/^(not )?fired/, page.locator(".panel"));
    await page.getByRole("link", { name: "Close", exact: true }).click();
    await rest.post(`/v1/Conversations/${order}/Messages`, { Author: "alice", Body: "Seen live" });
    await shown("Seen live", table);
    await table.getByRole("row").nth(1).click();
    await page.getByRole("link", { name: "Its request" }).click();
    await shown("Seen live", page.locator(".panel"));
    const request = page.url().match(/RQ[0-9a-f]{32}/)[0];
    await go("events");
    await page.getByLabel("Request SID").fill(request);
    await page.getByLabel("Request SID").press("Enter");
    await page.waitForURL(/request=RQ/);
    await shown("Seen live", table);
    await go("events");
    await page.getByLabel("From", { exact: true }).fill("2020-01-01T09:00:00");
    await page.waitForURL(/since=20(20|19)/);
    await page.getByLabel("Identity", { exact: true }).fill("nobody");
    await page.getByLabel("Identity", { exact: true }).press("Enter");
    await shown("Nothing");
    await go(`events?conversation=${order}`);
    await table.getByRole("row").filter({ hasText: "Seen live" }).click();
    await page.getByRole("link", { name: "Open the object" }).click();
    await page.waitForURL(/conversations\/CH/);
  });
}
