// Which controls the pages showed, and which were used: the tour leaves none out.

const shown = new Set();
const used = new Set();

// Runs in the page before its scripts: tells each new control, and each that is used, by its name.
function watchControls() {
  const CONTROLS = "button, summary, a.button, nav a, .bar a, select, input, textarea";
  const FIELDS = "select, input, textarea";
  const textOf = (each) => [...each.childNodes].map((node) => (node.nodeType === Node.TEXT_NODE ? node.data : node.matches?.("datalist") ? "" : node.textContent)).join("");
  const nameOf = (each) => {
    const label = each.getAttribute("aria-label");
    const text = label ?? (each.labels?.[0] ? textOf(each.labels[0]) : textOf(each) || each.querySelector("[aria-label]")?.getAttribute("aria-label") || "");
    if (each.matches("[role=switch]")) return "switch";
    const plain = text.trim().replace(/\s+/g, " ").replace(/[A-Z]{2}[0-9a-f]{32}|(whatsapp:)?\+\d+/g, "…").replace(/\d+/g, "0").replace(/ 0 failing$/, "").replace(/fault armed$/, "faults armed");
    if (each.closest(".frames summary")) return "frame";
    if (/^virtual /.test(text.trim())) return "virtual time";
    return label ? plain.replace(/^(Edit|Remove|End the connection of|Message as|Copy|Theme:) .+/, "$1 …") : plain;
  };
  const placeOf = (each) => {
    if (each.closest(".bar, .rail")) return "frame";
    const tab = each.closest("#tab-panel") && new URLSearchParams(location.search).get("tab");
    return location.pathname.split("/").slice(4, 5) + (tab && !tab.includes("+") ? `/${tab}` : "") + (each.closest("dialog") ? " dialog" : each.closest(".panel") ? " panel" : "");
  };
  const keyOf = (each) => {
    const name = nameOf(each);
    const kind = each.matches("[role=tab]") ? "tab" : each.tagName.toLowerCase();
    // What is the same everywhere counts once.
    if (/^(Copy|Copied|Cancel|Load more)/.test(name)) return `anywhere: ${kind} ${name.replace("Copied", "Copy")}`;
    return `${placeOf(each)}: ${kind} ${name}`;
  };
  const told = new Set();
  const tell = (what, each) => {
    const key = keyOf(each);
    if (told.has(what + key)) return;
    told.add(what + key);
    globalThis.tellControl(what, key);
  };
  // The fields of dialogs are those of operations: their tests have them.
  const counts = (each) => each.tabIndex >= 0 && !(each.closest("dialog") && each.matches(FIELDS)) && !each.matches("[data-row]");
  let planned = 0;
  const look = () => {
    planned = 0;
    for (const each of document.querySelectorAll(CONTROLS)) if ((counts(each) || each.matches("[role=tab]")) && !each.matches(":disabled") && each.checkVisibility()) tell("shown", each);
  };
  new MutationObserver(() => (planned ||= setTimeout(look, 30))).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["open", "disabled"] });
  for (const event of ["click", "change", "input"])
    addEventListener(event, ({ target }) => {
      const each = target.closest?.(CONTROLS) ?? target.closest?.("label")?.control;
      if (each && !(event === "click" && each.matches(FIELDS))) tell("used", each);
    }, true);
}

export async function watchUse(context) {
  await context.exposeBinding("tellControl", (_source, what, key) => void (what === "used" ? used : shown).add(key));
  await context.addInitScript(watchControls);
}

// What no step used, but what matches an exception.
export const unused = (exceptions) => [...shown].filter((key) => !used.has(key) && !exceptions.some((each) => each.test(key))).sort();
