// Records the public methods called and the events emitted, by class name.
//
// The package is unchanged: each method is wrapped and called with the same arguments.

import { print } from "./checks.mjs";

export function recordUse(sdk, names) {
  const called = new Set();
  for (const name of names) {
    for (let owner = sdk[name]; owner?.name; owner = Object.getPrototypeOf(owner)) {
      // The emitters that the classes inherit from are no part of their interface.
      if (Object.hasOwn(owner.prototype, "emit")) break;
      recordMethods(owner.prototype, name, called);
      recordMethods(owner, `${name} static`, called);
    }
  }
  return called;
}

function recordMethods(owner, prefix, called) {
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
    const method = property.value;
    const isMethod = typeof method === "function" && property.writable;
    if (!isMethod || name === "constructor" || name.startsWith("_")) continue;
    owner[name] = function (...given) {
      called.add(`${prefix}.${name}`);
      return method.apply(this, given);
    };
  }
}

// The events that emitters of these classes emitted to at least one listener.
export function recordEvents(sdk, names) {
  const emitted = new Set();
  for (const name of names) {
    const { prototype } = sdk[name];
    const { emit } = prototype;
    prototype.emit = function (event, ...given) {
      if (this.listenerCount(event) > 0) emitted.add(`${name}.${String(event)}`);
      return emit.call(this, event, ...given);
    };
  }
  return emitted;
}

export function printUse(called, emitted) {
  print({ kind: "use", methods: [...called].sort(), events: [...emitted].sort() });
}
