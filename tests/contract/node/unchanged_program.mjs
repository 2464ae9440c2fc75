// A program as it is written for the hosted service: no base URL, and nothing else to set.

import twilio from "twilio";

const client = twilio(process.env.ACCOUNT_SID, process.env.AUTH_TOKEN);
const { conversations } = client.conversations.v1;
const { sid, url } = await conversations.create({ friendlyName: "By name" });
const { messages, participants } = conversations(sid);
await participants.create({ identity: "alice" });
for (let number = 0; number < 5; number += 1) {
  await messages.create({ author: "alice", body: `message ${number}` });
}
// A page of two: the next ones are fetched from the URLs that the server wrote.
const bodies = (await messages.list({ pageSize: 2 })).map((each) => each.body);
const account = await client.api.v2010.accounts(client.accountSid).fetch();
const greeting = { language: "en", types: { "twilio/text": { body: "Hello {{1}}" } } };
const template = (await client.content.v1.contents.create(greeting)).url;
console.log(JSON.stringify({ url, bodies, account_sid: account.sid, template }));
