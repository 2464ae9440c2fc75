// Manages content templates with the unmodified npm client; settings come from the environment.
// Prints one line of JSON with what it saw.

import twilio from "twilio";

const { BASE_URL, ACCOUNT_SID, AUTH_TOKEN } = process.env;
const client = twilio(ACCOUNT_SID, AUTH_TOKEN);
client.content.baseUrl = BASE_URL;
const { contents, contentAndApprovals } = client.content.v1;

const request = {
  friendly_name: "table",
  language: "en",
  variables: { 1: "Ada", 2: "4" },
  types: { "twilio/text": { body: "Hello {{1}}, your table for {{2}} is ready." } },
};
const made = await contents.create(request);
const other = await contents.create({ ...request, friendly_name: "other", variables: null });
const { friendlyName, language, variables, types } = await contents(made.sid).fetch();
const listed = await contents.list({ pageSize: 1 });
const removed = await contents(other.sid).remove();

const status = async () => (await contents(made.sid).approvalFetch().fetch()).whatsapp.status;
const before = await status();
const requested = await contents(made.sid).approvalCreate.create({
  name: "table_ready",
  category: "UTILITY",
});
const both = await contentAndApprovals.list();
console.log(
  JSON.stringify({
    created: { friendlyName, language, variables },
    types,
    listed: listed.length,
    removed,
    statuses: [before, requested.status, await status()],
    both: both.map((each) => [each.approvalRequests.status, each.sid]),
    left: (await contents.list())[0].sid,
  }),
);
