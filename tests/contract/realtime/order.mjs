// Sends and reads at once with several versions of the SDK: `node order.mjs node|browser`.
//
// VERSIONS lists the packages; COUNT is the number of attempts, FIRSTS that of new conversations.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import "./attempts.js";
import { Checks, Watch, print } from "./checks.mjs";
import { launch } from "./chromium.mjs";
import { CLIENT_EVENTS, Place, baseUrl } from "./place.mjs";
import "./subscriptions.js";

const require = createRequire(import.meta.url);
const { VERSIONS, COUNT, FIRSTS } = process.env;
const [count, firsts] = [Number(COUNT), Number(FIRSTS)];
const uri = `${baseUrl.replace("http", "ws")}/v3/wsconnect`;
const SCRIPTS = ["subscriptions", "attempts"];

async function inNode(name, token, sids) {
  const { Client } = require(name);
  const client = new Client(token, { logLevel: "silent", Twilsock: { uri } });
  const watch = new Watch(client, CLIENT_EVENTS);
  for (const sid of sids) {
    const joined = await watch.wait("conversationJoined", (each) => each.sid === sid, 20);
    await joined.argument.getParticipants();
  }
  await globalThis.subscribed(client, sids.flatMap(globalThis.objectsOf));
  const found = await globalThis.attempts.round(client, sids, count);
  await client.shutdown();
  return { version: client.version ?? Client.version, found };
}

function bundle(name) {
  return require.resolve(`${name}/builds/twilio-conversations.min.js`);
}

async function serve() {
  const page = (name) =>
    `<!doctype html>${[name, ...SCRIPTS].map((each) => `<script src="/${each}.js"></script>`).join("")}`;
  const server = createServer((request, response) => {
    const name = request.url.slice(1).replace(".js", "");
    const isScript = request.url.endsWith(".js");
    response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" });
    if (!isScript) response.end(page(name));
    else if (SCRIPTS.includes(name)) response.end(readFileSync(new URL(`${name}.js`, import.meta.url)));
    else response.end(readFileSync(bundle(name)));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return server;
}

// Runs in the page.
async function inThePage([token, sids, url, times]) {
  /* global Twilio */
  const options = { logLevel: "silent", Twilsock: { uri: url } };
  const client = new Twilio.Conversations.Client(token, options);
  const joined = new Map();
  client.on("conversationJoined", (each) => joined.set(each.sid, each));
  while (joined.size < sids.length) await new Promise((resume) => setTimeout(resume, 10));
  for (const each of joined.values()) await each.getParticipants();
  await globalThis.subscribed(client, sids.flatMap(globalThis.objectsOf));
  const found = await globalThis.attempts.round(client, sids, times);
  await client.shutdown();
  return { version: client.version ?? Twilio.Conversations.Client.version, found };
}

async function inBrowser(browser, server, name, token, sids) {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/${name}`);
  const result = await page.evaluate(inThePage, [token, sids, uri, count]);
  await page.close();
  return result;
}

async function run(where) {
  const place = await Place.make();
  const isNode = where === "node";
  const server = isNode ? undefined : await serve();
  const browser = isNode ? undefined : await launch();
  for (const name of VERSIONS.split(" ")) {
    const checks = new Checks(where, name);
    try {
      const making = Array.from({ length: firsts + 1 }, () => place.conversation([name]));
      const sids = (await Promise.all(making)).map((each) => each.sid);
      const token = await place.token(name);
      const began = Date.now();
      const { version, found } = isNode
        ? await inNode(name, token, sids)
        : await inBrowser(browser, server, name, token, sids);
      print({ kind: "took", name, ms: Date.now() - began, version });
      for (const [scene, { stale, lost }] of Object.entries(found)) {
        checks.equal(`${scene}: lost`, lost, []);
        checks.equal(`${scene}: not the newest`, stale, []);
      }
      checks.equal("version", version, require(`${name}/package.json`).version);
      checks.finished();
    } catch (error) {
      checks.failed(error);
    }
  }
  await browser?.close();
  server?.close();
}

// The SDK leaves some rejections of its own unhandled, which must not end the run.
process.on("unhandledRejection", (error) => print({ kind: "stray", error: String(error) }));
await run(process.argv[2]);
process.exit(0);
