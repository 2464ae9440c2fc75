// The content of messages made with a template, as returned by `getContentData()`.

import { because } from "../checks.mjs";
import { Place, messageAt } from "../place.mjs";

// A variant of each type with placeholders, and its representation in the SDK.
const FILLED = 'Ann "A" \\ {{2}}';
const VARIANTS = {
  "twilio/text": [{ body: "Hello {{1}}" }, { type: "text", body: `Hello ${FILLED}` }],
  "twilio/media": [
    { body: "{{1}}", media: ["https://media.example/{{ n }}.png"] },
    { type: "media", body: FILLED, media: ["https://media.example/7.png"] },
  ],
  "twilio/location": [
    { longitude: -122.42, latitude: 37.77, label: "At {{1}}'s" },
    { type: "location", longitude: -122.42, latitude: 37.77, label: `At ${FILLED}'s` },
  ],
  "twilio/quick-reply": [
    { body: "{{1}}?", actions: [{ title: "Yes, {{n}}", id: "y{{n}}" }] },
    { type: "quickReply", body: `${FILLED}?`, replies: [{ title: "Yes, 7", id: "y7" }] },
  ],
  "twilio/call-to-action": [
    {
      body: "{{unknown}}",
      actions: [
        { type: "URL", title: "{{1}}", url: "https://x.example/?n={{n}}" },
        { type: "PHONE_NUMBER", title: "Call", phone: "+155{{n}}" },
        { type: "QUICK_REPLY", title: "No", id: "{{n}}", index: 2 },
      ],
    },
    {
      type: "callToAction",
      body: "{{unknown}}",
      actions: [
        { type: "url", title: FILLED, url: "https://x.example/?n=7" },
        { type: "phone", title: "Call", phone: "+1557" },
        { type: "reply", title: "No", id: "7", index: 2 },
      ],
    },
  ],
  "twilio/list-picker": [
    { body: "b", button: "{{1}}", items: [{ id: "{{n}}", item: "i{{n}}", description: "ü{{n}}" }] },
    { type: "listPicker", body: "b", button: FILLED, items: [{ id: "7", item: "i7", description: "ü7" }] },
  ],
  "twilio/card": [
    { title: "{{1}}", subtitle: "{{n}}", media: ["https://m.example/{{n}}"], actions: [{ type: "URL", title: "t", url: "u{{n}}" }] },
    { type: "card", title: FILLED, subtitle: "7", media: ["https://m.example/7"], actions: [{ type: "url", title: "t", url: "u7" }] },
  ],
};

// The SDK's representation of content, without its source JSON.
function withoutRaw(value) {
  if (Array.isArray(value)) return value.map(withoutRaw);
  if (value === null || typeof value !== "object") return value;
  const shown = Object.entries(value).filter(([name]) => name !== "rawData");
  return Object.fromEntries(shown.map(([name, each]) => [name, withoutRaw(each)]));
}

async function eachType(place, checks) {
  const { sid, bob } = await place.together(["alice", "bob"]);
  const path = `/Conversations/${sid}/Messages`;
  const ContentVariables = JSON.stringify({ 1: FILLED, n: 7, 2: "never filled in" });
  for (const [type, [variant, expected]] of Object.entries(VARIANTS)) {
    const template = await Place.template({ "twilio/text": { body: "simpler" }, [type]: variant });
    const sent = await place.post(path, { ContentSid: template.sid, ContentVariables });
    checks.equal(`${type}: REST has no attachment`, sent.media, null);
    const message = await checks.event(`${type}: received`, bob.watch, "messageAdded", (each) => each.sid === sent.sid);
    const content = await checks.works(`${type}: content`, message.getContentData());
    checks.equal(`${type}: as it is`, withoutRaw(content), expected);
    const medias = message.getMediaByCategories(["body"]);
    checks.equal(`${type}: medium`, medias.map((each) => each.contentType), [`application/x-vnd.com.twilio.rich.${type.replace("/", ".")}`]);
    checks.equal(`${type}: no attachment`, [message.type, message.attachedMedia], ["media", []]);
    const [{ sid: mediaSid, size }] = medias;
    const url = await medias[0].getContentTemporaryUrl();
    const bytes = await (await fetch(url)).arrayBuffer();
    checks.equal(`${type}: size`, bytes.byteLength, size);
    const of = await bob.client.getTemporaryContentUrlsForMediaSids([mediaSid]);
    checks.true(`${type}: in a set`, of.get(mediaSid)?.includes(mediaSid));
  }
  const first = await messageAt(bob.conversation, 0);
  await checks.works("edited", place.post(`${path}/${first.sid}`, { Body: "edited" }));
  await checks.event("emitted", bob.watch, "messageUpdated", because("body", first.sid));
  const reasons = bob.watch.all("messageUpdated").flatMap((each) => each.updateReasons);
  checks.true("no update of media emitted", !reasons.includes("media"));
  checks.equal("the content stays", (await first.getContentData())?.type, "text");
}

export const scenes = { eachType };
