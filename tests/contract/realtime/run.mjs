// Runs scenes against a server: `node run.mjs TOPIC …`; TOPIC is a file of topics/.

import { Checks, print } from "./checks.mjs";
import { Place, SDK_NAME, VERSION, sdk } from "./place.mjs";
import { printUse, recordEvents, recordUse } from "./recording.mjs";

// High enough to overlap waits, low enough to leave processor time for each.
const SCENES_AT_ONCE = 6;
const SCENE_SECONDS_MAX = 60;
const CLASSES =
  "Client Conversation Message Participant User Media MessageBuilder UnsentMessage".split(" ");
const EMITTERS = "Client Conversation Message Participant User".split(" ");

async function runScene(topic, name, scene) {
  const checks = new Checks(topic, name);
  const began = Date.now();
  let place;
  let timer;
  try {
    place = await Place.make();
    const late = new Promise((_, reject) => {
      const error = new Error(`not done within ${SCENE_SECONDS_MAX} s`);
      timer = setTimeout(() => reject(error), SCENE_SECONDS_MAX * 1000);
    });
    await Promise.race([scene(place, checks), late]);
    checks.finished();
  } catch (error) {
    checks.failed(error);
  } finally {
    clearTimeout(timer);
    await place?.close();
    print({ kind: "scene", topic, scene: name, ms: Date.now() - began });
  }
}

async function runAll(topics) {
  const waiting = [];
  for (const topic of topics) {
    const { scenes } = await import(`./topics/${topic}.mjs`);
    for (const [name, scene] of Object.entries(scenes)) waiting.push([topic, name, scene]);
  }
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await runScene(...next);
  };
  await Promise.all(Array.from({ length: SCENES_AT_ONCE }, work));
}

// The SDK leaves some rejections of its own unhandled, which must not end the run.
process.on("unhandledRejection", (error) => print({ kind: "stray", error: String(error) }));
process.on("uncaughtException", (error) => print({ kind: "stray", error: String(error?.stack) }));

print({ kind: "sdk", name: SDK_NAME, version: VERSION, exported: Object.keys(sdk).sort() });
const called = recordUse(sdk, CLASSES);
const emitted = recordEvents(sdk, EMITTERS);
await runAll(process.argv.slice(2));
printUse(called, emitted);
process.exit(0);
