// A program of the client SDK as it is written for the hosted service: no address, only a token.
// It joins, sends, and receives its own message; the result is printed as JSON.

import { createRequire } from "node:module";

const { TOKEN, SDK_FOLDER } = process.env;
const { Client } = createRequire(`${SDK_FOLDER}/`)("conversations-3.0");

const client = new Client(TOKEN);
await new Promise((resolve, reject) => {
  client.on("initialized", resolve);
  client.on("initFailed", ({ error }) => reject(new Error(error?.message)));
});
const conversation = await client.createConversation({ friendlyName: "By name" });
await conversation.join();
await conversation.getParticipants();
const received = new Promise((resolve) => conversation.on("messageAdded", resolve));
await conversation
  .prepareMessage()
  .setBody("hello")
  .addMedia({ contentType: "text/plain", filename: "a.txt", media: Buffer.from("a medium") })
  .build()
  .send();
const message = await received;
const media = message.attachedMedia[0];
const mediaUrl = await media.getContentTemporaryUrl();
const content = await (await fetch(mediaUrl)).text();
const { body, author } = message;
await client.shutdown();
console.log(JSON.stringify({ body, author, mediaUrl, content }));
process.exit(0);
