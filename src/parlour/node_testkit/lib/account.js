// An account: its credentials, clients for it, and what happened in it.

import { throwUnlessSettled, wholeSeconds } from "./clock.js";
import { Faults } from "./faults.js";
import { Phones } from "./phones.js";
import { Receiver } from "./receiver.js";
import { Events, Requests, WebhookAttempts } from "./recorded_lists.js";
import { readSeed } from "./seeds.js";
import { restClient } from "./twilio_client.js";

const SETTLE_MS = 10_000;

export class Account {
  #api;
  #parlour;
  #receivers = [];

  constructor(parlour, api, { sid, authToken, apiKeySid, apiKeySecret, serviceSid }) {
    this.#api = api;
    this.#parlour = parlour;
    Object.assign(this, { sid, authToken, apiKeySid, apiKeySecret, serviceSid });
    this.faults = new Faults(api);
    this.phones = new Phones(api);
    this.requests = new Requests(api);
    this.events = new Events(api);
    this.webhookAttempts = new WebhookAttempts(api);
  }

  // The official REST client, pointed at the server: `account.client(require("twilio"))`.
  client(twilio, options = {}) {
    return restClient(twilio, this.#parlour.url, this, options);
  }

  // Options of the client SDK: `new Client(token, account.sdkOptions)`.
  get sdkOptions() {
    return { Twilsock: { uri: this.#parlour.wsUrl } };
  }

  // The variables that programs of the official libraries read.
  get env() {
    return {
      ...this.#parlour.env,
      PARLOUR_ACCOUNT_SID: this.sid,
      PARLOUR_AUTH_TOKEN: this.authToken,
      TWILIO_ACCOUNT_SID: this.sid,
      TWILIO_AUTH_TOKEN: this.authToken,
      ...(this.apiKeySid && {
        TWILIO_API_KEY: this.apiKeySid,
        TWILIO_API_SECRET: this.apiKeySecret,
      }),
    };
  }

  // An access token of a user, whose `ttl` is in seconds.
  async token(identity, { ttl, serviceSid } = {}) {
    return (await this.#api.post("/parlour/v1/Tokens", { identity, ttl, serviceSid })).token;
  }

  // Load a document, or the file of one, all or nothing. Returns the sids by local name.
  async seed(document, variables = {}) {
    const { body, contentType } = await readSeed(document, variables);
    return (await this.#api.send("POST", "/parlour/v1/Seeds", { body, contentType })).sids;
  }

  // Wait until nothing is left to do: the replacement for a sleep.
  async settle({ timeout = SETTLE_MS } = {}) {
    const seconds = wholeSeconds(timeout, { minimum: 1, maximum: 60 });
    const options = { msMax: seconds * 1000 + SETTLE_MS };
    const answer = await this.#api.post("/parlour/v1/Settle", { timeout: seconds }, options);
    throwUnlessSettled(answer, `The account ${this.sid}`);
    return { elapsedMs: answer.elapsed_ms };
  }

  // Make the real change that causes an event. Returns the sids of what it touched.
  async trigger(eventType, parameters = {}) {
    return this.#api.post("/parlour/v1/Triggers", { eventType, ...parameters });
  }

  // Remove everything but the account's credentials and its default service.
  async reset() {
    await this.#api.post("/parlour/v1/Reset", { scope: "account" });
  }

  async snapshot(name) {
    await this.#api.post("/parlour/v1/Snapshots", { name, scope: "account" });
  }

  async restore(name) {
    await this.#api.post(`/parlour/v1/Snapshots/${encodeURIComponent(name)}/Restore`);
  }

  // Behave more like the hosted service: `{actionsPerSecond, unknownParameters, …}`.
  async emulate(changes) {
    return this.#api.post("/parlour/v1/Emulation", changes);
  }

  // A receiver of webhooks in this process.
  async webhooks(options = {}) {
    const receiver = await Receiver.listen(this, this.#api, options);
    this.#receivers.push(receiver);
    return receiver;
  }

  // Close the receivers, and remove the account with all of its data.
  async remove() {
    const failures = [];
    for (const receiver of this.#receivers.splice(0)) {
      await receiver.close().catch((error) => failures.push(error));
    }
    await this.#parlour.deleteAccount(this);
    if (failures.length) throw failures[0];
  }
}
