// The clock of the server: one for all of its accounts.

import { NotSettled } from "./errors.js";

const PATH = "/parlour/v1/Clock";
const ADVANCE_MS = 10_000;

// A duration as the API takes it: `PT10M`, or milliseconds.
export function duration(by) {
  if (typeof by === "string") return by;
  if (!Number.isFinite(by) || by < 0) {
    throw new TypeError(`${by} is no duration: give milliseconds, or a text such as "PT10M".`);
  }
  return `PT${Math.round(by) / 1000}S`;
}

// A date as the API takes it: a Date, milliseconds since 1970, or a text in ISO 8601.
export function dateText(at) {
  const date = at instanceof Date ? at : new Date(at);
  if (Number.isNaN(date.getTime())) throw new TypeError(`${at} is no date.`);
  return date.toISOString();
}

// Seconds for the parameters `Timeout` and `Wait`, which are whole.
export function wholeSeconds(ms, { minimum, maximum }) {
  return Math.min(maximum, Math.max(minimum, Math.ceil(ms / 1000)));
}

// Throws NotSettled for the answer of an advance or a settlement that was not through in time.
export function throwUnlessSettled(answer, what) {
  if (answer.settled) return;
  const waitingFor = answer.waiting_for ?? [];
  const list = waitingFor.map((each) => `\n  - ${each}`).join("");
  const at = answer.now ? ` The clock stands at ${answer.now}.` : "";
  throw new NotSettled(
    `${what} was not settled within ${answer.elapsed_ms} ms.${at} Still waiting for:${list}\n` +
      "If a handler in this process has to answer, it must not wait for this call, and must not " +
      "use fake timers. Call again to continue, or raise `timeout`.",
    { waitingFor, now: answer.now },
  );
}

export class Clock {
  #api;
  #changed = false;

  constructor(api) {
    this.#api = api;
  }

  // Whether this object has changed the clock since `system()`.
  get isChanged() {
    return this.#changed;
  }

  async now() {
    return new Date((await this.#api.get(PATH)).now);
  }

  async freeze(at) {
    return this.#update("frozen", at);
  }

  // Runs on from a date.
  async shift(to) {
    return this.#update("shifted", to);
  }

  async system() {
    const now = await this.#update("system");
    this.#changed = false;
    return now;
  }

  advance(by, options) {
    return this.#advance({ by: duration(by) }, `The advance by ${duration(by)}`, options);
  }

  travelTo(at, options) {
    return this.#advance({ to: dateText(at) }, `The advance to ${dateText(at)}`, options);
  }

  async #update(mode, at) {
    this.#changed = true;
    const now = at === undefined ? undefined : dateText(at);
    return new Date((await this.#api.post(PATH, { mode, now })).now);
  }

  async #advance(form, what, { timeout = ADVANCE_MS } = {}) {
    this.#changed = true;
    const seconds = wholeSeconds(timeout, { minimum: 1, maximum: 60 });
    const options = { msMax: seconds * 1000 + ADVANCE_MS };
    const answer = await this.#api.post(`${PATH}/Advance`, { ...form, timeout: seconds }, options);
    throwUnlessSettled(answer, what);
    return {
      now: new Date(answer.now),
      steps: answer.steps,
      elapsedMs: answer.elapsed_ms,
      fired: answer.fired.map((each) => ({ ...each, at: new Date(each.at) })),
    };
  }
}
