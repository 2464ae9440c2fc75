// Media: sent with messages, listed, and fetched by a temporary URL.

import { messageAt, baseUrl } from "../place.mjs";

const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

async function fetched(url) {
  const response = await fetch(url);
  return Buffer.from(await response.arrayBuffer());
}

const facts = (media) => [media.filename, media.contentType, media.size, media.category];

async function sendOne(place, checks) {
  const { sid, alice, bob } = await place.together(["alice", "bob"]);
  const options = { contentType: "image/png", filename: "pixel.png", media: PIXEL };
  checks.equal("index", await checks.works("sent", alice.conversation.sendMessage(options, { seen: 1 })), 0);
  const message = await checks.event("received", bob.watch, "messageAdded");
  checks.equal("type", message.type, "media");
  checks.equal("attributes", message.attributes, { seen: 1 });
  checks.equal("one", message.attachedMedia.length, 1);
  const [medium] = message.attachedMedia;
  checks.true("sid", /^ME[0-9a-f]{32}$/.test(medium.sid));
  checks.equal("facts", facts(medium), ["pixel.png", "image/png", PIXEL.length, "media"]);
  checks.equal("the legacy way", message.media.sid, medium.sid);
  const url = await checks.works("URL", medium.getContentTemporaryUrl());
  checks.true("bytes", PIXEL.equals(await fetched(url)));
  const own = await messageAt(alice.conversation, 0);
  checks.true("the sender's too", PIXEL.equals(await fetched(await own.attachedMedia[0].getContentTemporaryUrl())));
  const [shown] = await place.list(`/Conversations/${sid}/Messages`);
  const expected = { sid: medium.sid, size: PIXEL.length, filename: "pixel.png", content_type: "image/png" };
  const { category, ...media } = shown.media[0];
  checks.equal("REST", { ...media, size: Number(media.size) }, expected);
  await checks.works("text next to it", own.updateBody("a pixel"));
  const changed = await checks.event("emitted", bob.watch, "messageUpdated", ({ message: each }) => each.body === "a pixel");
  checks.equal("media did not change", changed.updateReasons.includes("media"), false);
}

async function text(place, checks) {
  const { alice, bob } = await place.together(["alice", "bob"]);
  const body = "Grüße, als Text: 😀";
  const options = { contentType: "text/plain", filename: "grüße & co.txt", media: body };
  await checks.works("sent", alice.conversation.sendMessage(options));
  const message = await checks.event("received", bob.watch, "messageAdded");
  const [medium] = message.attachedMedia;
  checks.equal("facts", facts(medium), ["grüße & co.txt", "text/plain", Buffer.byteLength(body), "media"]);
  checks.equal("text", (await fetched(await medium.getContentTemporaryUrl())).toString(), body);
  const unnamed = { contentType: "application/octet-stream", media: Buffer.from([0, 255, 10, 13]) };
  await checks.works("without a name", alice.conversation.sendMessage(unnamed));
  const second = await checks.event("received", bob.watch, "messageAdded", (each) => each.index === 1);
  checks.equal("no name", second.attachedMedia[0].filename ?? null, null);
}

async function several(place, checks) {
  const { alice, bob } = await place.together(["alice", "bob"]);
  const part = (contentType, filename, media) => ({ contentType, filename, media });
  const builder = alice.conversation
    .prepareMessage()
    .setBody("all of it")
    .addMedia(part("image/png", "a.png", PIXEL))
    .addMedia(part("image/png", "b.png", PIXEL))
    .setEmailBody("text/plain", part("text/plain", "body.txt", "the body"))
    .setEmailBody("text/html", part("text/html", "body.html", "<p>the body"))
    .setEmailHistory("text/plain", part("text/plain", "history.txt", "what was before"));
  checks.equal("index", await checks.works("sent", builder.buildAndSend()), 0);
  const message = await checks.event("received", bob.watch, "messageAdded");
  checks.equal("body", message.body, "all of it");
  const names = (media) => media.map((each) => each.filename).sort();
  checks.equal("attached", names(message.attachedMedia), ["a.png", "b.png"]);
  checks.equal("by category", names(message.getMediaByCategories(["body", "history"])), ["body.html", "body.txt", "history.txt"]);
  checks.equal("by category, the old way", names(message.getMediaByCategory(["media"])), ["a.png", "b.png"]);
  checks.equal("body of the mail", message.getEmailBody()?.filename, "body.txt");
  checks.equal("body in HTML", message.getEmailBody("text/html")?.filename, "body.html");
  checks.equal("history", message.getEmailHistory()?.filename, "history.txt");
  checks.equal("no history in HTML", message.getEmailHistory("text/html") ?? null, null);
  const history = message.getEmailHistory();
  checks.equal("its text", (await fetched(await history.getContentTemporaryUrl())).toString(), "what was before");
  const sids = message.attachedMedia.map((each) => each.sid);
  const ways = {
    "of attached media": () => message.getTemporaryContentUrlsForAttachedMedia(),
    "of media": () => message.getTemporaryContentUrlsForMedia(message.attachedMedia),
    "of sids": () => message.getTemporaryContentUrlsForMediaSids(sids),
    "of media, by the client": () => bob.client.getTemporaryContentUrlsForMedia(message.attachedMedia),
    "of sids, by the client": () => bob.client.getTemporaryContentUrlsForMediaSids(sids),
  };
  for (const [name, way] of Object.entries(ways)) {
    const urls = await checks.works(`URLs ${name}`, way());
    checks.equal(`all ${name}`, [...(urls?.keys() ?? [])].sort(), [...sids].sort());
    const [url] = urls?.values() ?? [];
    checks.true(`bytes ${name}`, PIXEL.equals(await fetched(url)));
  }
  const withUrls = await checks.works("URLs attached", message.attachTemporaryUrlsFor(message.attachedMedia));
  checks.equal("to each", withUrls?.length, 2);
}

async function byRest(place, checks) {
  const { sid, alice } = await place.together(["alice", "bob"]);
  const upload = await fetch(`${baseUrl}/v1/Services/${place.serviceSid}/Media?Filename=rest.png`, {
    method: "POST",
    headers: { "content-type": "image/png", "x-twilio-token": await place.token("bob") },
    body: PIXEL,
  });
  checks.equal("uploaded", upload.status, 201);
  const { sid: MediaSid } = await upload.json();
  await place.post(`/Conversations/${sid}/Messages`, { Author: "bob", MediaSid });
  const message = await checks.event("received", alice.watch, "messageAdded");
  checks.equal("facts", facts(message.attachedMedia[0]), ["rest.png", "image/png", PIXEL.length, "media"]);
  checks.true("bytes", PIXEL.equals(await fetched(await message.attachedMedia[0].getContentTemporaryUrl())));
}

async function large(place, checks) {
  const { alice, bob } = await place.together(["alice", "bob"]);
  const media = Buffer.alloc(3 * 1024 * 1024, "parlour ");
  const options = { contentType: "application/x-large", filename: "large.bin", media };
  await checks.works("sent", alice.conversation.sendMessage(options));
  const message = await checks.event("received", bob.watch, "messageAdded");
  checks.equal("size", message.attachedMedia[0].size, media.length);
  checks.true("bytes", media.equals(await fetched(await message.attachedMedia[0].getContentTemporaryUrl())));
}

async function limits(place, checks) {
  const { alice } = await place.together(["alice"]);
  const part = { contentType: "text/plain", filename: "x.txt", media: "x" };
  const builder = alice.conversation.prepareMessage();
  for (let each = 0; each < 11; each += 1) builder.addMedia(part);
  await checks.rejects("more than ten", Promise.resolve().then(() => builder.buildAndSend()));
  await checks.rejects("an unknown sid", alice.client.getTemporaryContentUrlsForMediaSids([`ME${"0".repeat(32)}`]));
}

export const scenes = { sendOne, text, several, byRest, large, limits };
