// A headless Chromium from a package of the registry: nothing to install, and no browser to fetch.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const HERE = dirname(fileURLToPath(import.meta.url));
const UNPACKED = join(HERE, "node_modules", ".chromium");

const UNPACK = 'import chromium from "@sparticuz/chromium"; await chromium.executablePath();';

// The package unpacks into the folder for temporary files; its process gets a permanent one.
export function unpacked() {
  if (!existsSync(UNPACKED)) {
    const under = `${UNPACKED}-${process.pid}`;
    mkdirSync(under, { recursive: true });
    execFileSync(process.execPath, ["--input-type=module", "-e", UNPACK], {
      cwd: HERE,
      // Simulates a machine without Chromium's libraries, so that they are unpacked too.
      env: { ...process.env, TMPDIR: under, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs20.x" },
    });
    renameSync(under, UNPACKED);
  }
  return UNPACKED;
}

// The package's configuration names other folders. Without fonts, a text field ends the browser.
function fontConfiguration(folder) {
  const path = join(folder, "fonts.conf");
  const folders = `<dir>${folder}/fonts/fonts</dir><cachedir>${folder}/font-cache</cachedir>`;
  if (!existsSync(path)) {
    const head = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">';
    writeFileSync(`${path}-${process.pid}`, `${head}<fontconfig>${folders}</fontconfig>`);
    renameSync(`${path}-${process.pid}`, path);
  }
  return path;
}

export async function launch(...more) {
  const folder = unpacked();
  const { FONTCONFIG_PATH, ...environment } = process.env;
  const libraries = join(folder, "al2023", "lib");
  return chromium.launch({
    executablePath: join(folder, "chromium"),
    // Required in a container; a page's permissions stay as in any browser.
    args: ["--no-sandbox", ...more],
    env: {
      ...environment,
      LD_LIBRARY_PATH: [libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
      FONTCONFIG_FILE: fontConfiguration(folder),
    },
  });
}
