// A TCP proxy before the server, that drops connections once, or refuses them until `open`.

import { createConnection, createServer } from "node:net";
import { baseUrl } from "./place.mjs";

export class Proxy {
  static async make() {
    const proxy = new Proxy();
    await new Promise((ready) => proxy.server.listen(0, "127.0.0.1", ready));
    return proxy;
  }

  constructor() {
    this.pairs = new Set();
    this.refuses = false;
    this.accepted = 0;
    this.server = createServer((near) => this.#take(near));
  }

  get uri() {
    return `ws://127.0.0.1:${this.server.address().port}/v3/wsconnect`;
  }

  #take(near) {
    if (this.refuses) {
      near.resetAndDestroy();
      return;
    }
    this.accepted += 1;
    const far = createConnection(Number(new URL(baseUrl).port), "127.0.0.1");
    const pair = { near, far };
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
    near.pipe(far);
    far.pipe(near);
  }

  // Every connection is reset, as when a network goes away.
  drop() {
    for (const { near, far } of this.pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  // Drop all connections and refuse new ones until `open`.
  cut() {
    this.refuses = true;
    this.drop();
  }

  open() {
    this.refuses = false;
  }

  close() {
    this.drop();
    this.server.close();
  }
}
