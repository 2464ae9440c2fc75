// Reads a JSON array of texts, and writes what sms-segments-calculator says about each.

import { readFileSync } from "node:fs";

import calculator from "sms-segments-calculator";

const texts = JSON.parse(readFileSync(0, "utf8"));
const results = texts.map((text) => {
  const message = new calculator.SegmentedMessage(text);
  return {
    encoding: message.encodingName,
    segments: message.segmentsCount,
    // Fewer than code points: some characters are composed of several.
    graphemes: message.graphemes.length,
  };
});
process.stdout.write(JSON.stringify(results));
