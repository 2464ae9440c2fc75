// Serves the page of the chat, and access tokens for its users.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import twilio from "twilio";

const SDK = createRequire(import.meta.url).resolve(
  "@twilio/conversations/builds/twilio-conversations.min.js",
);
const FILES = {
  "/": ["text/html", new URL("page.html", import.meta.url)],
  "/page.js": ["text/javascript", new URL("page.js", import.meta.url)],
  "/sdk.js": ["text/javascript", SDK],
};
const TOKEN_SECONDS = 16 * 3600;

const { AccessToken } = twilio.jwt;

// `sdkOptions` are empty for the hosted service.
export async function serve({ accountSid, apiKeySid, apiKeySecret, serviceSid, sdkOptions = {} }) {
  const tokenFor = (identity) => {
    const options = { identity, ttl: TOKEN_SECONDS };
    const token = new AccessToken(accountSid, apiKeySid, apiKeySecret, options);
    // Tokens have whole seconds: without an id two of one second were equal, and a client ignores
    // an equal token. So a test may let 16 hours pass within a second.
    token.addGrant(new AccessToken.ChatGrant({ serviceSid, endpointId: randomUUID() }));
    return token.toJwt();
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    if (pathname === "/token") {
      const token = tokenFor(searchParams.get("identity"));
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ token, sdkOptions }));
      return;
    }
    const [type, path] = FILES[pathname] ?? [];
    response.writeHead(path ? 200 : 404, { "content-type": type ?? "text/plain" });
    response.end(path ? await readFile(path) : "");
  });
  const { HOST = "127.0.0.1", PORT = 0 } = process.env;
  await new Promise((ready) => server.listen(Number(PORT), HOST, ready));
  server.url = `http://127.0.0.1:${server.address().port}/`;
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { env } = process;
  const client = twilio(env.TWILIO_ACCOUNT_SID, env.TWILIO_AUTH_TOKEN);
  if (env.API_URL) client.conversations.baseUrl = env.API_URL;
  const configuration = await client.conversations.v1.configuration().fetch();
  const uri = env.REALTIME_URL;
  const { url } = await serve({
    accountSid: env.TWILIO_ACCOUNT_SID,
    apiKeySid: env.TWILIO_API_KEY,
    apiKeySecret: env.TWILIO_API_SECRET,
    serviceSid: configuration.defaultChatServiceSid,
    sdkOptions: uri ? { Twilsock: { uri } } : {},
  });
  console.log(`${url}?identity=alice`);
}
