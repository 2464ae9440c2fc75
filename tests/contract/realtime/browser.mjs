// The bundle of the SDK in a page of another origin, in headless Chromium, next to a client in Node.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Checks, because, eventually, print, sleep } from "./checks.mjs";
import { launch } from "./chromium.mjs";
import { CLIENT_EVENTS, Place, SDK_NAME, VERSION, baseUrl, joined } from "./place.mjs";
import { Proxy } from "./proxy.mjs";

const require = createRequire(import.meta.url);
const BUNDLE = require.resolve(`${SDK_NAME}/builds/twilio-conversations.min.js`);
const FILES = {
  "/": ["text/html", '<!doctype html><script src="/sdk.js"></script><script src="/subscriptions.js"></script><script src="/page.js"></script>'],
  "/sdk.js": ["text/javascript", readFileSync(BUNDLE)],
  "/subscriptions.js": ["text/javascript", readFileSync(new URL("subscriptions.js", import.meta.url))],
  "/page.js": ["text/javascript", readFileSync(new URL("page.js", import.meta.url))],
};

async function serve() {
  const server = createServer((request, response) => {
    const [type, body] = FILES[request.url] ?? ["text/plain", ""];
    response.writeHead(FILES[request.url] ? 200 : 404, { "content-type": type });
    response.end(body);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return server;
}

class Tab {
  constructor(page) {
    this.page = page;
  }

  // An event in the page, once it is emitted.
  async wait(name, expected = {}) {
    const fits = (each) =>
      each.name === name && Object.entries(expected).every(([key, value]) => each[key] === value);
    const seen = await eventually(
      () => this.page.evaluate(() => window.seen),
      (all) => all.some(fits),
    );
    return seen.find(fits);
  }

  async receivedBodies() {
    const seen = await this.page.evaluate(() => window.seen);
    return seen.filter((each) => each.name === "messageAdded").map((each) => each.body);
  }

  async begin(token, uri) {
    await this.page.evaluate(([...given]) => window.begin(...given), [token, uri, CLIENT_EVENTS]);
    return this.wait("initialized");
  }
}

async function start(place, checks, tab, uri) {
  checks.true("started", (await tab.begin(await place.token("alice"), uri)) !== undefined);
  const { page } = tab;
  checks.equal("version", await page.evaluate(() => window.client.version), VERSION);
  checks.equal("identity", await page.evaluate(() => window.client.user.identity), "alice");
  const made = page.evaluate(async () => {
    const conversation = await window.client.createConversation({ friendlyName: "From a page" });
    await conversation.join();
    return conversation.sid;
  });
  const sid = await checks.works("makes and joins", made);
  checks.true("event: joined", (await tab.wait("conversationJoined", { sid })) !== undefined);
  await page.evaluate((conversation) => subscribed(window.client, objectsOf(conversation)), sid);
  await checks.works("adds", page.evaluate(async () => (await window.only()).add("bob")));
  checks.true("event: participant", (await tab.wait("participantJoined", { identity: "bob" })) !== undefined);
  return sid;
}

async function exchangeMessages(place, checks, { page, ...tab }, bob, sid) {
  const self = Object.assign(new Tab(page), tab);
  await checks.works("sends", page.evaluate(async () => (await window.only()).sendMessage("from a page")));
  const inNode = await checks.event("received in Node", bob.watch, "messageAdded", (each) => each.body === "from a page");
  checks.equal("by whom", inNode?.author, "alice");
  checks.true("received in the page", (await self.wait("messageAdded", { body: "from a page" })) !== undefined);
  await bob.conversation.sendMessage("from Node");
  checks.equal("from Node", (await self.wait("messageAdded", { body: "from Node" }))?.author, "bob");
  await place.sendMessage(sid, "from REST");
  checks.equal("from REST", (await self.wait("messageAdded", { body: "from REST" }))?.author, "system");
  await page.evaluate(async () => {
    const { items } = await (await window.only()).getMessages();
    await items[0].updateBody("edited in a page");
  });
  await checks.event("edit received", bob.watch, "messageUpdated", because("body"));
  await bob.conversation.typing();
  checks.true("typing", (await self.wait("typingStarted", { identity: "bob" })) !== undefined);
  await page.evaluate(async () => (await window.only()).setAllMessagesRead());
  await checks.event("read", bob.watch, "participantUpdated", because("lastReadMessageIndex"));
  await place.post(`/Conversations/${sid}`, { FriendlyName: "Renamed" });
  checks.true("renamed", (await self.wait("conversationUpdated", { sid })) !== undefined);
  const own = page.evaluate(async () => (await window.client.user.updateFriendlyName("Alice")).friendlyName);
  await checks.works("own name", own);
  await checks.becomes("own name in REST", async () => (await place.get("/Users/alice")).friendly_name, "Alice");
}

async function media(place, checks, { page }, bob) {
  const blob = page.evaluate(async () => {
    const media = new Blob([new Uint8Array([0, 1, 2, 255])], { type: "image/png" });
    return (await window.only()).sendMessage({ contentType: "image/png", filename: "a.png", media });
  });
  const first = await checks.works("a blob", blob);
  const form = page.evaluate(async () => {
    const data = new FormData();
    data.append("file", new Blob(["a text"], { type: "text/plain" }), "b.txt");
    return (await window.only()).sendMessage(data);
  });
  const second = await checks.works("a form", form);
  checks.equal("one after the other", second, first + 1);
  const shown = await checks.works("fetched from another origin", page.evaluate((at) => window.firstBytes(at), first));
  checks.equal("bytes", shown, { bytes: [0, 1, 2, 255], name: "a.png", type: "image/png", size: 4 });
  const text = await page.evaluate((at) => window.firstBytes(at), second);
  checks.equal("text", [text.name, String.fromCharCode(...text.bytes)], ["b.txt", "a text"]);
  const inNode = await checks.event("received in Node", bob.watch, "messageAdded", (each) => each.index === second);
  const [medium] = inNode?.attachedMedia ?? [];
  const bytes = await (await fetch(await medium.getContentTemporaryUrl())).text();
  checks.equal("the same there", [medium.filename, medium.contentType, bytes], ["b.txt", "text/plain", "a text"]);
  const card = { title: "For {{1}}", actions: [{ type: "URL", title: "Open", url: "https://x.example" }] };
  const template = await Place.template({ "twilio/card": card });
  const variables = JSON.stringify({ 1: "Ann" });
  const rich = await place.post(`/Conversations/${inNode.conversation.sid}/Messages`, { ContentSid: template.sid, ContentVariables: variables });
  const content = await checks.works("content of a template", page.evaluate((at) => window.content(at), rich.index));
  checks.equal("as a card", content, { type: "card", title: "For Ann", titles: ["Open"] });
  const missing = `${baseUrl}/v1/Services/${place.serviceSid}/Media/ME${"0".repeat(32)}`;
  const refused = page.evaluate(async (url) => {
    const headers = { "X-Twilio-Token": window.client.token };
    return (await fetch(url, { headers })).status;
  }, missing);
  checks.equal("an error can be read from another origin", await checks.works("fetched", refused), 404);
}

async function reload(place, checks, tab, uri, sid) {
  const before = (await place.list(`/Conversations/${sid}/Messages`)).map((each) => each.body || null);
  await place.sendMessage(sid, "while the page reloads");
  await tab.page.reload();
  checks.true("started again", (await tab.begin(await place.token("alice"), uri)) !== undefined);
  await tab.wait("conversationJoined", { sid });
  const bodies = () => tab.page.evaluate(async () => (await window.bodies()).map((each) => each || null));
  await checks.becomes("everything is there", bodies, [...before, "while the page reloads"]);
  await place.sendMessage(sid, "after the reload");
  checks.true("and continues", (await tab.wait("messageAdded", { body: "after the reload" })) !== undefined);
}

async function lose(place, checks, tab, proxy, sid) {
  const state = () => tab.page.evaluate(() => window.client.connectionState);
  await tab.page.evaluate(() => window.seen.splice(0));
  proxy.cut();
  await checks.becomes("noticed", async () => (await state()) === "connected", false);
  for (const body of ["1", "2", "3"]) await place.sendMessage(sid, body);
  proxy.open();
  await checks.becomes("connected", state, "connected", 20);
  await checks.becomes("nothing is missed", () => tab.receivedBodies(), ["1", "2", "3"]);
  const context = tab.page.context();
  await context.setOffline(true);
  await sleep(200);
  await place.sendMessage(sid, "4");
  await context.setOffline(false);
  await checks.becomes("nor offline", () => tab.receivedBodies(), ["1", "2", "3", "4"], 20);
}

async function expire(place, checks, tab, uri) {
  const token = await place.token("alice", 3);
  await tab.page.reload();
  await tab.begin(token, uri);
  checks.true("about to expire", (await tab.wait("tokenAboutToExpire")) !== undefined);
  const renewed = tab.page.evaluate((next) => window.client.updateToken(next).then(() => true), await place.token("alice"));
  checks.equal("renewed", await checks.works("renewing", renewed), true);
  await sleep(3500);
  checks.equal("still connected", await tab.page.evaluate(() => window.client.connectionState), "connected");
}

async function run(checks) {
  const [place, proxy, server, browser] = [await Place.make(), await Proxy.make(), await serve(), await launch()];
  const role = await place.role("conversation", ["sendMessage", "sendMediaMessage", "addParticipant", "editAnyMessage", "editNotificationLevel"]);
  await place.post("/Configuration", { DefaultConversationCreatorRoleSid: role.sid });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const tab = new Tab(page);
    const sid = await start(place, checks, tab, proxy.uri);
    const bob = await place.open("bob");
    bob.conversation = await joined(bob.watch, sid);
    await exchangeMessages(place, checks, tab, bob, sid);
    await media(place, checks, tab, bob);
    await reload(place, checks, tab, proxy.uri, sid);
    await lose(place, checks, tab, proxy, sid);
    await expire(place, checks, tab, proxy.uri);
    checks.equal("no error in the page", errors, []);
    checks.true("another origin", new URL(page.url()).origin !== new URL(baseUrl).origin);
  } finally {
    await browser.close();
    await place.close();
    proxy.close();
    server.close();
  }
}

process.on("unhandledRejection", (error) => print({ kind: "stray", error: String(error) }));
const checks = new Checks("browser", "Chromium");
await run(checks).then(
  () => checks.finished(),
  (error) => checks.failed(error),
);
process.exit(0);
