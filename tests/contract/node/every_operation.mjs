// Drives the 103 operations with the unmodified npm client; settings come from the environment.
// Each line printed is one check or one request, as JSON.

import twilio from "twilio";

import { ACCOUNT_SCENARIOS } from "./account.mjs";
import { Checks, printRequest } from "./checks.mjs";
import { CONVERSATION_SCENARIOS } from "./conversations.mjs";

const { BASE_URL, ACCOUNT_SID, AUTH_TOKEN, SERVICE_SID, BINDING_SIDS } = process.env;

// The HTTP client is the package's own; an interceptor of its axios records each response.
const httpClient = new twilio.RequestClient();
httpClient.axios.interceptors.response.use((response) => {
  printRequest(response);
  return response;
});
const client = twilio(ACCOUNT_SID, AUTH_TOKEN, { httpClient });
client.conversations.baseUrl = BASE_URL;

function makePlace(form, defaultServiceSid) {
  const v1 = client.conversations.v1;
  const inService = form === "service";
  const prefix = inService ? `/Services/${SERVICE_SID}` : "";
  const resources = inService ? v1.services(SERVICE_SID) : v1;
  return {
    v1,
    accountSid: ACCOUNT_SID,
    serviceSid: inService ? SERVICE_SID : defaultServiceSid,
    shownServiceSid: inService ? SERVICE_SID : undefined,
    bindingSids: BINDING_SIDS.split(","),
    resources,
    // The object that this client's create returns has no sid in its context: its
    // subresources are reached through the sid of the result.
    newConversation: async (parameters) => {
      const { sid } = await resources.conversations.create(parameters);
      const { participants, messages, webhooks } = resources.conversations(sid);
      return { sid, participants, messages, webhooks };
    },
    url: (path) => `${BASE_URL}/v1${prefix}${path}`,
    number: (last) => `+1555867${inService ? 3 : 2}${String(last).padStart(3, "0")}`,
  };
}

async function run(scenarios, place, form) {
  for (const [name, scenario] of Object.entries(scenarios)) {
    const checks = new Checks(name, form);
    try {
      await scenario(place, checks);
      checks.finished();
    } catch (error) {
      checks.failed(error);
    }
  }
}

const { defaultChatServiceSid } = await client.conversations.v1.configuration().fetch();
const short = makePlace("short", defaultChatServiceSid);
const service = makePlace("service", defaultChatServiceSid);
await run(ACCOUNT_SCENARIOS, service, "service");
await run(CONVERSATION_SCENARIOS, short, "short");
await run(CONVERSATION_SCENARIOS, service, "service");
