// A page without a mouse: what a program does with click(), check(), fill() and selectOption() becomes
// presses of keys. A control is reached by Tab, or by the arrow keys of its list; otherwise it fails.

const PRESSES_MAX = 300;
const REACH_MS = 4000;
const TYPED_MAX = 160;

// Runs in the page: which key leads from the focus to a control; nothing if it has the focus.
export function steer(element) {
  const STOPS = "a[href], button, input, select, textarea, summary, audio[controls], video[controls], [tabindex]";
  const isStop = (each) => each.tabIndex >= 0 && !each.matches(":disabled") && !each.closest("[inert]") && each.checkVisibility({ visibilityProperty: true });
  const target = element.control ?? element.closest(STOPS);
  if (!target) throw new Error(`no control: ${element.outerHTML.slice(0, 200)}`);
  if (target.matches(":disabled")) return { wait: `disabled: ${target.outerHTML.slice(0, 200)}` };
  const active = document.activeElement;
  if (active === target) {
    // A field in a label that looks like a button has its outline there; of a date a part is marked.
    const isSeen = /^date/.test(target.type) || [target, target.closest("label")].some((each) => each && getComputedStyle(each).outlineStyle !== "none" && !each.matches(".unseen"));
    return { isThere: true, isSeen, kind: target.tagName.toLowerCase(), type: target.type ?? "", html: target.outerHTML.slice(0, 200) };
  }
  // Rows and tabs: one of them is reached by Tab, the others by arrow keys.
  const members = (() => {
    if (target.tabIndex >= 0) return [];
    const list = target.matches("[role=tab]") ? target.closest("[role=tablist]") : target.matches("[data-row]") && target.closest("ul, ol, table");
    if (!list) throw new Error(`not reached by Tab: ${target.outerHTML.slice(0, 200)}`);
    return [...list.querySelectorAll(target.matches("[role=tab]") ? "[role=tab]" : "[data-row]")];
  })();
  const at = members.indexOf(active);
  if (at >= 0) {
    const isTab = target.matches("[role=tab]");
    const isForward = members.indexOf(target) > at;
    return { key: isTab ? (isForward ? "ArrowRight" : "ArrowLeft") : isForward ? "ArrowDown" : "ArrowUp", count: 1, follows: isTab };
  }
  const goal = members.find(isStop) ?? target;
  const modal = [...document.querySelectorAll("dialog:modal")].at(-1);
  const stops = [...(modal ?? document).querySelectorAll(STOPS)].filter(isStop);
  const place = stops.indexOf(goal);
  if (place < 0) return { wait: `not reached by Tab: ${goal.outerHTML.slice(0, 200)}` };
  if (active === document.body || active === modal || !active) return { key: place < stops.length / 2 ? "Tab" : "Shift+Tab", count: 1 };
  const before = stops.filter((each) => each !== active && active.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING).length;
  const isStopItself = stops.includes(active);
  const forward = place - before + (isStopItself ? 0 : 1);
  return place >= before && place !== (isStopItself ? before : -1) ? { key: "Tab", count: Math.max(1, forward) } : { key: "Shift+Tab", count: Math.max(1, before - place) };
}

const wait = (milliseconds) => new Promise((next) => setTimeout(next, milliseconds));

async function repeat(keyboard, key, count) {
  for (let done = 0; done < count; done += 1) await keyboard.press(key);
}

// Move the focus to a control.
export async function reach(locator) {
  const page = locator.page();
  const end = Date.now() + REACH_MS;
  await locator.waitFor();
  for (let pressed = 0; pressed < PRESSES_MAX; ) {
    const next = await locator.evaluate(steer);
    if (next.isThere) {
      if (!next.isSeen) throw new Error(`the focus is not seen: ${next.html}`);
      return next;
    }
    if (next.wait) {
      if (Date.now() > end) throw new Error(next.wait);
      await wait(30);
      continue;
    }
    await repeat(page.keyboard, next.key, next.count);
    pressed += next.count;
    // The page moves the focus to a tab after it has drawn it.
    if (next.follows) await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  }
  throw new Error(`not reached with ${PRESSES_MAX} keys: ${locator}`);
}

async function click() {
  const { kind, type } = await reach(this);
  if (kind === "select" || kind === "textarea" || (kind === "input" && !["checkbox", "radio", "submit", "button"].includes(type))) return;
  await this.page().keyboard.press(kind === "input" ? "Space" : "Enter");
}

async function check() {
  await reach(this);
  if (!(await this.isChecked())) await this.page().keyboard.press("Space");
  if (!(await this.isChecked())) throw new Error(`not checked by the space bar: ${this}`);
}

// Open the choice, go to the option, take it.
async function selectOption(value) {
  const { keyboard } = this.page();
  await reach(this);
  const step = await this.evaluate((select, wanted) => {
    const options = [...select.options].filter((each) => !each.disabled);
    const found = options.findIndex((each) => each.value === wanted || each.label === wanted);
    return found < 0 ? null : found - options.indexOf(select.selectedOptions[0]);
  }, value);
  if (step === null) throw new Error(`no option ${value}: ${this}`);
  if (step === 0) return;
  await keyboard.press("Space");
  await repeat(keyboard, step > 0 ? "ArrowDown" : "ArrowUp", Math.abs(step));
  await keyboard.press("Enter");
}

// A date has fields for its parts: month, day, year, and of a time after midnight hour, minute, second.
const partsOf = (date) => date.replace(/^(\d{4})-(\d\d)-(\d\d)/, "$2$3$1").split("T");

async function fill(text) {
  const { keyboard } = this.page();
  const { type } = await reach(this);
  if (type.startsWith("date")) {
    // From the right, its last part has the focus.
    while (await this.evaluate((field) => field === document.activeElement)) await keyboard.press("Shift+Tab");
    await keyboard.press("Tab");
    const [date, time] = partsOf(text);
    await keyboard.type(date);
    if (!time) return;
    await keyboard.press("ArrowRight");
    return keyboard.type(`${time.replaceAll(":", "")}AM`);
  }
  await keyboard.press("Control+a");
  if (!text) return keyboard.press("Delete");
  // As from the clipboard.
  return text.length > TYPED_MAX ? keyboard.insertText(text) : keyboard.type(text);
}

async function pressSequentially(text) {
  await reach(this);
  await this.page().keyboard.type(text);
}

async function press(key) {
  await reach(this);
  await this.page().keyboard.press(key);
}

async function setInputFiles(files) {
  const page = this.page();
  await reach(this);
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
  await chooser.setFiles(files);
}

async function blur() {
  await this.page().keyboard.press("Tab");
}

const BY_KEYS = { click, check, selectOption, fill, pressSequentially, press, setInputFiles, blur, focus: reach };
const BY_MOUSE = ["dblclick", "hover", "tap", "dragTo", "uncheck", "setChecked", "dispatchEvent", "type", "clear"];

const refuse = (name) => () => Promise.reject(new Error(`${name} is not for a keyboard`));

// Runs in the page before its scripts: counts what only a mouse, pen or finger does.
function countPointers() {
  globalThis.pointers = 0;
  for (const name of ["pointerdown", "mousedown", "touchstart"]) addEventListener(name, () => (globalThis.pointers += 1), true);
}

// From now on a page of this process is used by its keys alone.
export async function takeMouseAway(page, context) {
  await context.addInitScript(countPointers);
  // From the start on choosers are ours; a listener that comes later may come too late.
  page.on("filechooser", () => {});
  const locators = Object.getPrototypeOf(page.locator("body"));
  for (const [name, act] of Object.entries(BY_KEYS)) locators[name] = name === "focus" ? function () { return reach(this); } : act;
  for (const name of BY_MOUSE) locators[name] = refuse(name);
  for (const name of [...BY_MOUSE, "click", "check", "selectOption", "fill", "focus", "press"]) page[name] = refuse(name);
  for (const name of ["click", "down", "move", "up", "wheel"]) page.mouse[name] = refuse(`mouse.${name}`);
  page.setInputFiles = (selector, files) => page.locator(selector).setInputFiles(files);
}

export const pointersOf = (page) => page.evaluate(() => globalThis.pointers);
