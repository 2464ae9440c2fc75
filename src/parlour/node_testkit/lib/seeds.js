// Seeds: a document, or a file in JSON or YAML whose `${NAME}` are replaced here.

import { readFile } from "node:fs/promises";
import { ParlourError } from "./errors.js";

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

// The body of a request with the seed. The server reads YAML: no library is needed here.
export async function readSeed(document, variables) {
  if (typeof document !== "string") {
    return { body: JSON.stringify(document), contentType: "application/json" };
  }
  const text = await readFile(document, "utf8");
  const isJson = document.endsWith(".json");
  return {
    body: text.replace(VARIABLE, (_, name) => value(name, variables, document)),
    contentType: isJson ? "application/json" : "application/yaml",
  };
}

function value(name, variables, path) {
  const found = variables[name] ?? process.env[name];
  if (found === undefined) {
    const text = `${path} has \${${name}}: give it as a variable of seed(), or in the environment.`;
    throw new ParlourError(text);
  }
  return String(found);
}
