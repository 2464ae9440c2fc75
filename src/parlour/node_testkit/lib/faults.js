// Faults of an account: which calls fail, how, and how often.

import { camelCased } from "./api.js";
import { ExpectationFailed } from "./errors.js";

const PATH = "/parlour/v1/Faults";

export class Fault {
  #api;

  constructor(api, row) {
    this.#api = api;
    Object.assign(this, camelCased(row));
  }

  // Update `matched`, `fired` and `left`, and return this object.
  async refresh() {
    return Object.assign(this, camelCased(await this.#api.get(`${PATH}/${this.sid}`)));
  }

  async remove() {
    await this.#api.delete(`${PATH}/${this.sid}`);
  }

  describe() {
    const name = this.name ? `"${this.name}"` : this.sid;
    const times = this.times === 0 ? "until it is removed" : `${this.times} times`;
    return `${name} on ${this.target}s: fired ${this.fired} of ${times}, matched ${this.matched}`;
  }
}

export class Faults {
  #api;
  #added = [];

  constructor(api) {
    this.#api = api;
  }

  // Parameters as the API has them, in camelCase: `{operation, status: 429, times: 2}`.
  async add({ target = "request", ...parameters }) {
    const fault = new Fault(this.#api, await this.#api.post(PATH, { target, ...parameters }));
    this.#added.push(fault);
    return fault;
  }

  async all() {
    const rows = await this.#api.list(PATH, "faults");
    return rows.map((row) => new Fault(this.#api, row));
  }

  async clear() {
    await this.#api.delete(PATH);
    this.#added = [];
  }

  // Throws unless each fault that was added here has acted as often as it was to.
  async assertAllFired() {
    for (const fault of this.#added) await fault.refresh();
    const short = this.#added.filter((each) => each.fired < Math.max(each.times, 1));
    if (!short.length) return;
    const list = short.map((each) => `\n  - ${each.describe()}`).join("");
    const count = `${short.length} of ${this.#added.length} faults`;
    throw new ExpectationFailed(`${count} did not act as often as they were to:${list}`);
  }
}
