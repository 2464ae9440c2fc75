// Pages of other origins in Chromium: none reads the console, changes data through it, or frames it.

import { createServer } from "node:http";
import { ACCOUNT_SID, BASE_URL, CONSOLE, equal, openPage, rest, scene, seed, visit, withBrowser } from "./console.mjs";

const PORT = new URL(BASE_URL).port;

async function site() {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Another site</title>");
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  server.unref();
  return server.address().port;
}

// Runs in the page of another origin: what it can do with the cookie of the console.
async function attack([base, account]) {
  const api = `${base}/parlour/console/api/${account}/v1/Conversations`;
  const tried = async (url, options) => {
    try {
      const answer = await fetch(url, { credentials: "include", ...options });
      return answer.status;
    } catch {
      return "blocked";
    }
  };
  const form = new URLSearchParams({ FriendlyName: "forged" });
  await new Promise((loaded) => {
    const frame = document.createElement("iframe");
    Object.assign(frame, { name: "framed", src: `${base}/parlour/console/`, onload: loaded });
    document.body.append(frame);
    setTimeout(loaded, 3000);
  });
  const submitted = document.createElement("form");
  Object.assign(submitted, { method: "post", action: api, target: "hidden" });
  submitted.innerHTML = '<input name="FriendlyName" value="forged">';
  const hidden = document.createElement("iframe");
  hidden.name = "hidden";
  document.body.append(hidden, submitted);
  submitted.submit();
  await new Promise((resolve) => setTimeout(resolve, 500));
  return {
    read: await tried(api),
    written: await tried(api, { method: "POST", body: form }),
    simple: await tried(api, { method: "POST", body: form, mode: "no-cors" }).then((status) => (status === 0 ? "opaque" : status)),
    session: await tried(`${base}/parlour/console/session`, { method: "POST", body: new URLSearchParams({ Open: "true" }) }),
  };
}

await seed();
const other = await site();
const count = async () => (await rest.get("/v1/Conversations?PageSize=100")).conversations.length;

await withBrowser(async (browser) => {
  const { page, context } = await openPage(browser);
  await context.unroute("**/*");
  await visit(page, "conversations");
  const before = await count();
  for (const [name, origin] of [["another port", `http://127.0.0.1:${other}`], ["another site", `http://evil.example.net:${other}`]])
    await scene("origins", `${name}: nothing is read, changed or framed`, async () => {
      const alien = await context.newPage();
      await alien.goto(`${origin}/`);
      const found = await alien.evaluate(attack, [BASE_URL, ACCOUNT_SID]);
      for (const each of ["read", "written", "session"])
        if (found[each] !== "blocked") throw new Error(`${each}: ${found[each]}`);
      // A refused frame shows the browser's own error page.
      equal(alien.frame("framed").url(), "chrome-error://chromewebdata/", "framed");
      equal(await count(), before, "conversations");
      await alien.close();
    });
  await scene("origins", "the page itself works on", async () => {
    await visit(page, "conversations");
    await page.waitForSelector(".items a");
  });
  await scene("origins", "a rebound name is refused", async () => {
    const rebound = await context.newPage();
    const answer = await rebound.goto(`http://rebound.example.net:${PORT}/parlour/console/`);
    equal(answer.status(), 421);
    await rebound.close();
  });
  await scene("origins", "the cookie counts nowhere else", async () => {
    const status = await page.evaluate(async (base) => (await fetch(`${base}/v1/Conversations`)).status, BASE_URL);
    equal(status, 401);
  });
  await scene("origins", "the cookie is of the console alone, and no script reads it", async () => {
    const [cookie] = await context.cookies(CONSOLE);
    equal([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Strict", "/parlour/console"]);
    equal(await page.evaluate(() => document.cookie), "");
  });
}, "--host-resolver-rules=MAP *.example.net 127.0.0.1");
process.exit(0);
