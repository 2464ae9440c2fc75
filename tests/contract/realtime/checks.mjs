// Prints the checks, one JSON object a line, for the test that runs this.

import { isDeepStrictEqual } from "node:util";

export const SECONDS_MAX = 10;
const POLL_MS = 10;

export function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export function sleep(ms) {
  return new Promise((resume) => setTimeout(resume, ms));
}

function shown(value) {
  return JSON.stringify(value, (_, each) => (each === undefined ? "(undefined)" : each));
}

export class Checks {
  constructor(topic, scene) {
    this.topic = topic;
    this.scene = scene;
  }

  #line(check, ok, error) {
    print({ kind: "check", topic: this.topic, scene: this.scene, check, ok, error });
  }

  equal(check, actual, expected) {
    const ok = isDeepStrictEqual(actual, expected);
    this.#line(check, ok, ok ? null : `${shown(actual)}, not ${shown(expected)}`);
  }

  true(check, claim) {
    this.#line(check, claim === true, claim === true ? null : `${shown(claim)}, not true`);
  }

  // The call resolves; returns its result.
  async works(check, promise) {
    try {
      const result = await promise;
      this.#line(check, true, null);
      return result;
    } catch (error) {
      this.#line(check, false, described(error));
      return undefined;
    }
  }

  // The server rejects the call with this status and code.
  async refused(check, promise, status, code) {
    try {
      await promise;
    } catch (error) {
      const body = typeof error?.body === "string" ? parsed(error.body) : error?.body;
      const found = [error?.status, body?.code];
      const ok = isDeepStrictEqual(found, [status, code]);
      this.#line(check, ok, ok ? null : `${shown(found)}: ${described(error)}`);
      return;
    }
    this.#line(check, false, "not refused");
  }

  async rejects(check, promise) {
    const error = await promise.then(
      () => null,
      (reason) => reason ?? new Error("rejected with nothing"),
    );
    this.#line(check, error !== null, error === null ? "not rejected" : null);
    return error;
  }

  // The event is emitted, or was since the watch was cleared; returns its argument.
  async event(check, watch, name, accept = () => true, seconds = SECONDS_MAX) {
    const found = await watch.wait(name, accept, seconds);
    this.#line(check, found !== undefined, found === undefined ? watch.missing(name) : null);
    return found?.argument;
  }

  // The value becomes the expected one within some seconds.
  async becomes(check, read, expected, seconds = SECONDS_MAX) {
    this.equal(check, await eventually(read, (seen) => isDeepStrictEqual(seen, expected), seconds), expected);
  }

  failed(error) {
    this.#line("runs to its end", false, described(error));
  }

  finished() {
    this.#line("runs to its end", true, null);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function described(error) {
  const body = error?.body === undefined ? "" : ` ${shown(error.body)}`;
  return `${error?.status ?? ""} ${error?.stack ?? error}${body}`.trim().slice(0, 1500);
}

export async function eventually(read, accept, seconds = SECONDS_MAX) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await read();
    if (accept(seen) || Date.now() > deadline) return seen;
    await sleep(POLL_MS);
  }
}

// All events of an object of the SDK, in order, from the start of the watch.
export class Watch {
  constructor(emitter, names) {
    this.seen = [];
    this.from = 0;
    this.waiting = new Set();
    for (const name of names) {
      emitter.on(name, (argument) => this.#take(name, argument));
    }
  }

  #take(name, argument) {
    const each = { name, argument };
    this.seen.push(each);
    for (const listener of this.waiting) listener(each);
  }

  // Ignore all events so far.
  clear() {
    this.from = this.seen.length;
    return this;
  }

  since() {
    return this.seen.slice(this.from);
  }

  names() {
    return this.since().map((each) => each.name);
  }

  all(name) {
    return this.since()
      .filter((each) => each.name === name)
      .map((each) => each.argument);
  }

  missing(name) {
    const others = this.since().map((each) => {
      const reasons = each.argument?.updateReasons;
      return reasons ? `${each.name}(${reasons})` : each.name;
    });
    return `no such ${name}; seen: ${others.join(", ") || "nothing"}`;
  }

  wait(name, accept, seconds) {
    const matches = (each) => each.name === name && accept(each.argument);
    const found = this.since().find(matches);
    if (found) return Promise.resolve(found);
    return new Promise((resolve) => {
      const end = (result) => {
        clearTimeout(timer);
        this.waiting.delete(listener);
        resolve(result);
      };
      const listener = (each) => matches(each) && end(each);
      const timer = setTimeout(() => end(undefined), seconds * 1000);
      this.waiting.add(listener);
    });
  }
}

// An `…Updated` event with this among its reasons, about the object with this sid.
export function because(reason, sid) {
  return (argument) => {
    const about = argument.conversation ?? argument.participant ?? argument.message ?? argument.user;
    return argument.updateReasons.includes(reason) && (sid === undefined || about.sid === sid);
  };
}
