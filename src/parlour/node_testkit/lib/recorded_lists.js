// What happened in an account: requests, events, and attempts of webhooks.

import { camelCased } from "./api.js";
import { wholeSeconds } from "./clock.js";
import { ExpectationFailed } from "./errors.js";
import { describeFields, describeNearest, isFieldMatch } from "./nearest.js";
import { defaultWaitMs, elapsedMs } from "./real_time.js";

const ROWS_MAX = 1000;

class RecordedList {
  #key;
  #path;

  constructor(api, path, key) {
    this.api = api;
    this.#path = path;
    this.#key = key;
  }

  // The rows that fit filters of the API, in camelCase: `{operation: "CreateUser"}`.
  async all(filters = {}) {
    const rows = await this.api.list(this.#path, this.#key, filters);
    return rows.map(camelCased);
  }

  // The first `count` rows that fit, as soon as there are so many; the server waits, not the test.
  async waitFor(filters = {}, { count = 1, timeout = defaultWaitMs() } = {}) {
    const wait = wholeSeconds(timeout, { minimum: 0, maximum: 30 });
    const began = elapsedMs();
    const query = { ...filters, wait, minCount: count, pageSize: ROWS_MAX };
    const rows = (await this.api.get(this.#path, query))[this.#key];
    if (rows.length >= count) return rows.map(camelCased);
    throw new ExpectationFailed(
      `${rows.length} instead of ${count} rows of ${this.#path} fit ${describeFields(filters)} ` +
        `after ${elapsedMs() - began} ms.`,
    );
  }
}

export class Events extends RecordedList {
  constructor(api) {
    super(api, "/parlour/v1/Events", "events");
  }
}

export class WebhookAttempts extends RecordedList {
  constructor(api) {
    super(api, "/parlour/v1/WebhookAttempts", "webhook_attempts");
  }
}

export class Requests extends RecordedList {
  constructor(api) {
    super(api, "/parlour/v1/Requests", "requests");
  }

  // Throws unless an operation was called so often, with these fields of the form.
  async expect(operation, { times = 1, form = {}, status, timeout = defaultWaitMs() } = {}) {
    const wanted = { operation, form, status };
    let rows = await this.all({ operation });
    if (times && matching(rows, wanted).length < times) {
      // The journal may be behind the answer by a moment.
      await this.waitFor({ operation }, { count: times, timeout }).catch(ignoreExpectation);
      rows = await this.all({ operation });
    }
    const found = matching(rows, wanted);
    if (found.length === times) return found;
    const isShort = found.length < times;
    const nearest = isShort ? describeNearest(wanted, await this.all()) : listed(found);
    throw new ExpectationFailed(
      `${operation} was called ${found.length} instead of ${times} times` +
        `${Object.keys(form).length ? ` with ${describeFields(form)}` : ""}` +
        `${status ? ` and answered ${status}` : ""}.${nearest}`,
    );
  }
}

function ignoreExpectation(error) {
  if (!(error instanceof ExpectationFailed)) throw error;
}

function matching(rows, { form, status }) {
  return rows.filter(
    (row) =>
      (status === undefined || row.status === status) &&
      Object.entries(form).every(([name, value]) => isFieldMatch(row.form?.[name], value)),
  );
}

function listed(rows) {
  return rows.map((row) => `\n  - ${row.date} ${row.method} ${row.path}: ${row.status}`).join("");
}
