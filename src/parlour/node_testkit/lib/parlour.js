// A server, and everything that concerns all of its accounts.

import { Account } from "./account.js";
import { Api } from "./api.js";
import { Clock } from "./clock.js";
import { ParlourError } from "./errors.js";
import { ServerProcess } from "./server_process.js";
import { compareVersions } from "./versions.js";

const CREDENTIALS = ["accountSid", "authToken"];
const VARIABLES = {
  url: "PARLOUR_URL",
  accountSid: "PARLOUR_ACCOUNT_SID",
  authToken: "PARLOUR_AUTH_TOKEN",
};

// Start a server in test mode on a free port; it ends with `stop()` or with this process.
export async function startParlour(options = {}) {
  const server = await ServerProcess.start(options);
  try {
    return await Parlour.open(fieldsOfReadyFile(server.ready), server);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

// Use a server that runs already, such as a container.
export async function connectParlour(options = {}) {
  const found = Object.entries(VARIABLES).map(([name, variable]) => [
    name,
    options[name] ?? process.env[variable],
  ]);
  const fields = Object.fromEntries(found);
  if (!fields.url) {
    const text = "Which server? Give `url`, or set PARLOUR_URL; startParlour() starts one.";
    throw new ParlourError(text);
  }
  const missing = CREDENTIALS.filter((name) => !fields[name]);
  if (missing.length) {
    const names = missing.map((name) => `\`${name}\` or ${VARIABLES[name]}`).join(" and ");
    throw new ParlourError(`${names} is missing: the credentials of an account of ${fields.url}.`);
  }
  return Parlour.open(fields);
}

export class Parlour {
  #api;
  #process;

  // Check the version of the server, and get its URLs.
  static async open(fields, process = null) {
    const describeEnd = process ? () => process.describeEnd() : undefined;
    const api = new Api(fields.url, fields.accountSid, fields.authToken, describeEnd);
    const server = await api.get("/parlour/v1/Server");
    compareVersions(server.version);
    const serviceSid =
      fields.serviceSid ?? (await api.get("/v1/Configuration")).default_chat_service_sid;
    return new Parlour(api, process, server, { ...fields, serviceSid });
  }

  constructor(api, process, server, fields) {
    this.#api = api;
    this.#process = process;
    this.url = api.url;
    // The caller's URL decides: behind a mapped port, the server does not know its own.
    this.wsUrl = `ws${api.url.slice("http".length)}${new URL(server.ws_url).pathname}`;
    this.version = server.version;
    this.clock = new Clock(api);
    this.account = new Account(this, api, {
      sid: fields.accountSid,
      authToken: fields.authToken,
      apiKeySid: fields.apiKeySid ?? null,
      apiKeySecret: fields.apiKeySecret ?? null,
      serviceSid: fields.serviceSid,
    });
  }

  // Whether this process started the server.
  get isOwn() {
    return this.#process !== null;
  }

  // An account of its own for a test: no other account sees its data.
  async createAccount({ friendlyName, sid, authToken } = {}) {
    const made = await this.#api.post("/parlour/v1/Accounts", { friendlyName, sid, authToken });
    return new Account(this, this.#api.withAccount(made.sid, made.auth_token), {
      sid: made.sid,
      authToken: made.auth_token,
      apiKeySid: made.api_key_sid,
      apiKeySecret: made.api_key_secret,
      serviceSid: made.service_sid,
    });
  }

  async deleteAccount(account) {
    await this.#api.delete(`/parlour/v1/Accounts/${account.sid}`);
  }

  // Everything as after the start, and the clock on system time.
  async reset({ seed, randomSeed } = {}) {
    await this.#api.post("/parlour/v1/Reset", { scope: "server", seed, randomSeed });
  }

  async snapshot(name) {
    await this.#api.post("/parlour/v1/Snapshots", { name, scope: "server" });
  }

  async restore(name) {
    await this.#api.post(`/parlour/v1/Snapshots/${encodeURIComponent(name)}/Restore`);
  }

  // The settings with which another process, or connectParlour(), reaches this server.
  get env() {
    const { sid, authToken } = this.account;
    return { PARLOUR_URL: this.url, PARLOUR_ACCOUNT_SID: sid, PARLOUR_AUTH_TOKEN: authToken };
  }

  // Stop the server, if this process started it.
  async stop() {
    await this.#process?.stop();
  }
}

function fieldsOfReadyFile(ready) {
  return {
    url: ready.url,
    accountSid: ready.account_sid,
    authToken: ready.auth_token,
    apiKeySid: ready.api_key_sid,
    apiKeySecret: ready.api_key_secret,
    serviceSid: ready.service_sid,
  };
}
