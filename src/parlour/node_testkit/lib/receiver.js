// A receiver of webhooks in the process of the test.

import { createServer } from "node:http";
import { ExpectationFailed } from "./errors.js";
import { describeFields } from "./nearest.js";
import { clearRealTimeout, defaultWaitMs, setRealTimeout, sleep } from "./real_time.js";
import { isGenuine } from "./signatures.js";
import { POST_ACTION, PRE_ACTION } from "./webhook_events.js";

// One request; its parameters are in `params`.
export class Webhook {
  constructor({ method, url, headers, body, params }) {
    Object.assign(this, { method, url, headers, body, params });
  }

  get event() {
    return this.params.EventType;
  }

  // The same for each attempt of a delivery.
  get idempotencyToken() {
    return this.headers["i-twilio-idempotency-token"];
  }

  // Whether the server asks before it acts.
  get isPreAction() {
    return PRE_ACTION.includes(this.event);
  }
}

export class Receiver {
  #account;
  #answers = [];
  #api;
  #decision = null;
  #forged = [];
  #received = [];
  #server;
  #waiting = new Set();

  // `publicHost`: the name of this machine for a server in a container.
  static async listen(account, api, options = {}) {
    const { hostname = "127.0.0.1", port = 0, publicHost = hostname } = options;
    const receiver = new Receiver(account, api);
    const server = createServer((request, response) => receiver.#take(request, response));
    receiver.#server = server;
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, hostname, resolve);
    });
    // A test that forgets `close` still ends.
    server.unref();
    receiver.url = `http://${publicHost}:${server.address().port}/webhooks`;
    return receiver;
  }

  constructor(account, api) {
    this.#account = account;
    this.#api = api;
  }

  // All webhooks so far, in order of arrival.
  get all() {
    return [...this.#received];
  }

  // Have events sent here: of the account, of a service, or of a conversation.
  async configure({ filters = POST_ACTION, serviceSid, conversationSid, method = "POST" } = {}) {
    checkEvents(filters);
    if (conversationSid && filters === POST_ACTION) {
      throw new TypeError("A webhook of a conversation needs `filters`: which events it is for.");
    }
    if (conversationSid) {
      const configuration = { Url: this.url, Method: method, Filters: filters };
      const form = { target: "webhook" };
      for (const [name, value] of Object.entries(configuration)) {
        form[`Configuration.${name}`] = value;
      }
      await this.#api.post(`/v1/Conversations/${conversationSid}/Webhooks`, form);
      return this;
    }
    const before = filters.some((each) => PRE_ACTION.includes(each));
    const after = filters.some((each) => POST_ACTION.includes(each));
    const prefix = serviceSid ? `/v1/Services/${serviceSid}` : "/v1";
    await this.#api.post(`${prefix}/Configuration/Webhooks`, {
      method,
      filters,
      preWebhookUrl: before ? this.url : undefined,
      postWebhookUrl: after ? this.url : undefined,
    });
    return this;
  }

  // The first webhook of an event with these parameters; waits if it has not arrived.
  async waitFor(event, params = {}, { timeout = defaultWaitMs() } = {}) {
    if (event !== undefined) checkEvents([event]);
    const find = () => this.#received.find((each) => fits(each, event, params));
    const found = find() ?? (await this.#arrival(find, timeout));
    this.#throwIfForged();
    if (found) return found;
    throw new ExpectationFailed(
      `No ${event} with ${describeFields(params)} arrived within ${timeout} ms.` +
        this.#nearest(event, params),
    );
  }

  // Throws if an event, or any, arrives before the account has settled.
  async none(event) {
    if (event !== undefined) checkEvents([event]);
    await this.#account.settle();
    this.#throwIfForged();
    const found = this.#received.filter((each) => event === undefined || each.event === event);
    if (!found.length) return;
    const list = found.map((each) => `\n  - ${describe(each)}`).join("");
    throw new ExpectationFailed(`${found.length} webhooks arrived where none was expected:${list}`);
  }

  // Answer the next `times` requests with a status, after a pause; 0 times: all.
  answer({ status = 200, times = 1, delayMs = 0, body = "", headers = {}, event } = {}) {
    if (event !== undefined) checkEvents([event]);
    this.#answers.push({ status, delayMs, body, headers, event, left: times || Infinity });
  }

  // Let pre-action events through with other fields, such as `{body: "…"}`.
  amend(fields) {
    this.#decision = { status: 200, body: JSON.stringify(fields) };
  }

  // Reject the actions of pre-action events.
  reject({ status = 403 } = {}) {
    this.#decision = { status, body: "" };
  }

  // Let pre-action events through again.
  accept() {
    this.#decision = null;
  }

  forget() {
    this.#received = [];
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#throwIfForged();
  }

  async #take(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    const webhook = this.#webhookOf(request, Buffer.concat(chunks).toString());
    if (webhook) {
      this.#received.push(webhook);
      for (const wake of this.#waiting) wake();
    }
    const { status, body, headers, delayMs = 0 } = webhook ? this.#answerTo(webhook) : FORGED;
    if (delayMs) await sleep(delayMs);
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(body);
  }

  // The webhook of a request; null if its signature is wrong.
  #webhookOf({ method, url, headers }, body) {
    const full = new URL(this.url).origin + url;
    const isForm = headers["content-type"]?.startsWith("application/x-www-form-urlencoded");
    const form = isForm ? new URLSearchParams(body) : null;
    const signature = headers["x-twilio-signature"];
    if (!isGenuine(this.#account.authToken, full, { form, body, signature })) {
      this.#forged.push(`${method} ${full} with the signature ${signature ?? "(none)"}`);
      return null;
    }
    const params = Object.fromEntries(form ?? new URL(full).searchParams);
    return new Webhook({ method, url: full, headers, body, params });
  }

  #answerTo(webhook) {
    const index = this.#answers.findIndex(({ event }) => !event || event === webhook.event);
    if (index >= 0) {
      const answer = this.#answers[index];
      answer.left -= 1;
      if (!answer.left) this.#answers.splice(index, 1);
      return answer;
    }
    return (webhook.isPreAction && this.#decision) || { status: 200, body: "" };
  }

  #arrival(find, timeout) {
    return new Promise((resolve) => {
      const end = (found) => {
        this.#waiting.delete(look);
        clearRealTimeout(timer);
        resolve(found);
      };
      const look = () => {
        const found = find();
        if (found || this.#forged.length) end(found);
      };
      const timer = setRealTimeout(end, timeout);
      this.#waiting.add(look);
      look();
    });
  }

  #nearest(event, params) {
    if (!this.#received.length) {
      return NOTHING_ARRIVED;
    }
    const same = this.#received.filter((each) => each.event === event);
    if (!same.length) {
      const names = [...new Set(this.#received.map((each) => each.event))].join(", ");
      return ` Only these arrived: ${names}.`;
    }
    const differing = (each) =>
      Object.entries(params).filter(([name, value]) => !isSame(each.params[name], value));
    const [nearest] = [...same].sort((a, b) => differing(a).length - differing(b).length);
    const found = differing(nearest).map(
      ([name]) => `${name} ${JSON.stringify(nearest.params[name])}`,
    );
    return ` The nearest of ${same.length} has ${found.join(", ")}.`;
  }

  #throwIfForged() {
    if (!this.#forged.length) return;
    const list = this.#forged.splice(0).map((each) => `\n  - ${each}`).join("");
    throw new ExpectationFailed(
      `Requests came that the account ${this.#account.sid} has not signed:${list}`,
    );
  }
}

const NOTHING_ARRIVED =
  " No webhook has arrived at all. Was configure() called, with this event among `filters`?" +
  " A change by the REST client sends webhooks only with `xTwilioWebhookEnabled: \"true\"`.";
const FORGED = { status: 403, body: "", headers: {} };

// A webhook of an unknown event never arrives: without this, `none` would always succeed.
function checkEvents(events) {
  const known = [...PRE_ACTION, ...POST_ACTION];
  const unknown = events.filter((each) => !known.includes(each));
  if (unknown.length) {
    throw new TypeError(`${unknown.join(", ")} is no event. The events are ${known.join(", ")}.`);
  }
}

function isSame(sent, wanted) {
  return wanted instanceof RegExp ? wanted.test(sent ?? "") : sent === String(wanted);
}

function fits(webhook, event, params) {
  if (event !== undefined && webhook.event !== event) return false;
  return Object.entries(params).every(([name, value]) => isSame(webhook.params[name], value));
}

function describe({ event, params }) {
  const { MessageSid, ParticipantSid, ConversationSid, UserSid } = params;
  return `${event} ${MessageSid ?? ParticipantSid ?? ConversationSid ?? UserSid ?? ""}`.trim();
}
