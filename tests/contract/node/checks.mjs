// Prints checks and requests, one JSON object a line, for the test that runs this.

import { isDeepStrictEqual } from "node:util";

function print(line) {
  console.log(JSON.stringify(line));
}

export class Checks {
  constructor(scenario, form) {
    this.scenario = scenario;
    this.form = form;
  }

  #line(check, ok, error) {
    print({ kind: "check", scenario: this.scenario, form: this.form, check, ok, error });
  }

  equal(check, actual, expected) {
    const ok = isDeepStrictEqual(actual, expected);
    const error = ok ? null : `${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`;
    this.#line(check, ok, error);
  }

  true(check, claim) {
    this.#line(check, claim === true, claim === true ? null : "not true");
  }

  failed(error) {
    this.#line("runs to its end", false, String(error?.stack ?? error));
  }

  finished() {
    this.#line("runs to its end", true, null);
  }
}

export function printRequest(response) {
  const { method, url } = response.config;
  const path = new URL(url).pathname;
  print({ kind: "request", method: method.toUpperCase(), path, status: response.status });
}

export async function eventually(read, accept, seconds = 5) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await read();
    if (accept(seen) || Date.now() > deadline) return seen;
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

export function sids(items) {
  return items.map((item) => item.sid);
}
