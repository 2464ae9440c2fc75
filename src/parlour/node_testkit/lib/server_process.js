// A server in test mode as a child process, which ends with this one.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartFailed } from "./errors.js";
import { clearRealTimeout, elapsedMs, setRealTimeout, sleep } from "./real_time.js";

const START_MS_MAX = 30_000;
const POLL_MS = 10;
// The server stops when its standard input closes; these are for a command that hides it.
const SIGNALS_AFTER_MS = { SIGTERM: 1_000, SIGKILL: 6_000 };
const LOG_CHARS_MAX = 4_000;

export class ServerProcess {
  #child;
  #folder;
  #log = "";
  #ended = null;

  // Start the server, and wait until it answers. Throws StartFailed.
  static async start(options) {
    const folder = await mkdtemp(join(tmpdir(), "parlour-testkit-"));
    const server = new ServerProcess(folder);
    try {
      server.#spawn(words(options.command), await server.#parameters(options), options.env);
      server.ready = await server.#waitUntilReady();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  constructor(folder) {
    this.#folder = folder;
  }

  // Why the server no longer runs; empty while it runs.
  describeEnd() {
    if (!this.#ended) return "";
    const log = this.#log.trim();
    if (this.#ended === "stop()") return "stop() has ended the server.";
    return `the server ended with ${this.#ended}.${log ? ` The end of its log:\n${log}\n` : ""}`;
  }

  async stop() {
    const child = this.#child;
    if (child?.pid !== undefined && !this.#ended) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.stdin.end();
      const timers = Object.entries(SIGNALS_AFTER_MS).map(([signal, ms]) =>
        setRealTimeout(() => child.kill(signal), ms),
      );
      await ended;
      timers.forEach(clearRealTimeout);
      this.#ended = "stop()";
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #parameters({ seed, strict, randomSeed, args = [] }) {
    const parameters = ["serve", "--test", "--port", "0", "--exit-with-parent"];
    parameters.push("--ready-file", this.#readyFile());
    if (strict) parameters.push("--strict");
    if (randomSeed !== undefined) parameters.push("--random-seed", String(randomSeed));
    const seeds = seed === undefined ? [] : [seed].flat();
    for (const [index, each] of seeds.entries()) {
      parameters.push("--seed", await this.#seedFile(each, index));
    }
    return [...parameters, ...args];
  }

  async #seedFile(seed, index) {
    if (typeof seed === "string") return seed;
    const path = join(this.#folder, `seed-${index}.json`);
    await writeFile(path, JSON.stringify(seed));
    return path;
  }

  #readyFile() {
    return join(this.#folder, "ready.json");
  }

  #spawn([program, ...first], parameters, env) {
    const child = spawn(program, [...first, ...parameters], {
      stdio: ["pipe", "pipe", "pipe"],
      // Settings of another server in the environment are not for this one.
      env: { ...withoutSettings(process.env), ...env },
    });
    this.#child = child;
    child.on("error", (error) => (this.#ended ??= `the error ${error.message}`));
    child.on("exit", (status, signal) => (this.#ended ??= signal ?? `status ${status}`));
    child.stdin.on("error", () => {});
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => (this.#log = (this.#log + text).slice(-LOG_CHARS_MAX)));
      stream.unref();
    }
    // The server does not keep this process alive; it ends as soon as its standard input closes.
    child.stdin.unref();
    child.unref();
    this.program = program;
  }

  async #waitUntilReady() {
    const began = elapsedMs();
    for (;;) {
      if (this.#ended) throw this.#notStarted(this.#ended);
      try {
        return JSON.parse(await readFile(this.#readyFile(), "utf8"));
      } catch (error) {
        if (error.code !== "ENOENT") throw error;
      }
      if (elapsedMs() - began > START_MS_MAX) {
        throw this.#notStarted(`no answer within ${START_MS_MAX / 1000} s`);
      }
      await sleep(POLL_MS);
    }
  }

  #notStarted(how) {
    if (how.includes("ENOENT")) {
      return new StartFailed(
        `The command \`${this.program}\` was not found. Install the server, so that it is in ` +
          'PATH, or name it: `startParlour({command: "…"})` or PARLOUR_COMMAND. A server that ' +
          "runs already, such as a container, is reached by connectParlour() or PARLOUR_URL.",
      );
    }
    return new StartFailed(`The server did not start: ${how}.\n${this.#log.trim()}`);
  }
}

function withoutSettings(environment) {
  const others = Object.entries(environment).filter(([name]) => !name.startsWith("PARLOUR_"));
  return Object.fromEntries(others);
}

// The words of a command: a list, or a text that is split at spaces.
function words(command = process.env.PARLOUR_COMMAND || "parlour") {
  const list = Array.isArray(command) ? command : command.split(/\s+/).filter(Boolean);
  if (!list.length) throw new TypeError("`command` is empty: name the program, such as parlour.");
  return list;
}
