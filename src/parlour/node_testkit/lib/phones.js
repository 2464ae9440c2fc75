// Virtual phones: any address on the far side of the virtual carrier.

import { camelCased } from "./api.js";
import { wholeSeconds } from "./clock.js";
import { ExpectationFailed } from "./errors.js";
import { describeFields } from "./nearest.js";
import { defaultWaitMs, elapsedMs } from "./real_time.js";

const PATH = "/parlour/v1/VirtualPhones";

export class Phones {
  #api;

  constructor(api) {
    this.#api = api;
  }

  // The phone of an address such as "+15550100" or "whatsapp:+15550100".
  get(address) {
    return new Phone(this.#api, address);
  }

  async all() {
    const rows = await this.#api.list(PATH, "virtual_phones");
    return rows.map((row) => new Phone(this.#api, row.address));
  }
}

export class Phone {
  #api;
  #path;

  constructor(api, address) {
    this.#api = api;
    this.address = address;
    this.#path = `${PATH}/${encodeURIComponent(address)}`;
  }

  // Send a message to one of the account's numbers, or several for a group.
  async send({ to, body, media = [], profileName }) {
    const all = [media].flat();
    const mediaUrl = all.filter((each) => typeof each === "string");
    const files = all
      .filter((each) => typeof each !== "string")
      .map((each) => ({ name: "Media", filename: "media", ...each }));
    const form = { to, body, profileName, mediaUrl };
    const path = `${this.#path}/Messages`;
    const made = files.length
      ? await this.#api.postMultipart(path, form, files)
      : await this.#api.post(path, form);
    return camelCased(made);
  }

  // What the phone has received, the oldest first.
  async inbox() {
    return this.#received();
  }

  // The first message in the inbox with these fields; waits for it if it has not arrived.
  async waitFor(fields = {}, { timeout = defaultWaitMs() } = {}) {
    const began = elapsedMs();
    for (let count = 1; ; ) {
      const left = Math.max(0, timeout - (elapsedMs() - began));
      const wait = wholeSeconds(left, { minimum: 0, maximum: 30 });
      const messages = await this.#received({ wait, minCount: Math.min(count, 1000) });
      const found = messages.find((each) => fits(each, fields));
      if (found) return found;
      if (!left) throw this.#missing(fields, timeout, messages);
      count = messages.length + 1;
    }
  }

  // `{error: 30003}` makes messages undeliverable; otherwise parameters of the API.
  async behave({ error, ...parameters } = {}) {
    const failing = error === undefined ? {} : { behaviour: "undeliverable", errorCode: error };
    const form = { ...failing, ...parameters };
    return this.#ofPhone(async () => camelCased(await this.#api.post(this.#path, form)));
  }

  // The person opens a received message (WhatsApp, RCS).
  async read(sid) {
    return camelCased(await this.#api.post(`${this.#path}/Messages/${sid}`, { status: "read" }));
  }

  async remove() {
    await this.#api.delete(this.#path);
  }

  async #received(query = {}) {
    return this.#ofPhone(async () => {
      const path = `${this.#path}/Messages`;
      const rows = await this.#api.list(path, "messages", { direction: "received", ...query });
      return rows.map(camelCased);
    });
  }

  // The result of a call, before which the phone is created if there is none.
  async #ofPhone(call) {
    try {
      return await call();
    } catch (failure) {
      if (failure.status !== 404) throw failure;
    }
    try {
      await this.#api.post(PATH, { address: this.address });
    } catch (failure) {
      if (failure.status !== 409) throw failure; // A message has created it since.
    }
    return call();
  }

  #missing(fields, timeout, messages) {
    const list = messages.map((each) => `\n  - from ${each.from}: ${JSON.stringify(each.body)}`);
    const inbox = list.length ? `Its inbox:${list.join("")}` : "Its inbox is empty.";
    const wanted = `no message with ${describeFields(fields)}`;
    return new ExpectationFailed(
      `${this.address} received ${wanted} within ${timeout} ms. ${inbox}`,
    );
  }
}

function fits(message, fields) {
  return Object.entries(fields).every(([name, wanted]) =>
    wanted instanceof RegExp ? wanted.test(message[name] ?? "") : message[name] === wanted,
  );
}
