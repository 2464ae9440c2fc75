/**
 * What every page uses: templates, hooks, routes, preferences, and the smallest parts.
 *
 * A route is `/parlour/console/<account or ->/<page>/<segments>?<query>`; the query holds each
 * filter and selection, so that an address shows again what was seen.
 */
import { Fragment, h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";
import { useCallback, useEffect, useErrorBoundary, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";

export const html = htm.bind(h);
export { Fragment, render, useCallback, useEffect, useErrorBoundary, useLayoutEffect, useMemo, useRef, useState };
/** @returns {{current: any}} */
export const useElement = () => useRef(null);

const BASE = "/parlour/console/";
export const ICONS = new URL("icons.svg", import.meta.url).pathname;

/** @template T @param {T} first A value that components follow. */
export function store(first) {
	let value = first;
	/** @type {Set<() => void>} */
	const followers = new Set();
	return {
		get: () => value,
		/** @param {T} next */
		set(next) {
			value = next;
			for (const each of [...followers]) each();
		},
		/** @param {() => void} follower */
		follow(follower) {
			followers.add(follower);
			return () => void followers.delete(follower);
		},
	};
}

/**
 * The value of a store, which draws the component again.
 * @template T
 * @param {{get: () => T, follow: (follower: () => void) => () => void}} source
 * @returns {T}
 */
export function useStore(source) {
	const [, redraw] = useState(0);
	useEffect(() => source.follow(() => redraw((count) => count + 1)), [source]);
	return source.get();
}

/** @template T @param {() => T} parse @param {T} other Used instead of a malformed text. */
function parsed(parse, other) {
	try {
		return parse();
	} catch {
		return other;
	}
}

/** The only thing that stays in the browser. @type {Record<string, string>} */
const kept = parsed(() => JSON.parse(localStorage.getItem("parlour") ?? "{}"), {});
export const preferences = store(kept);

/** @param {"theme" | "zone" | "shortcuts"} name @param {string} value */
export function prefer(name, value) {
	preferences.set({ ...preferences.get(), [name]: value });
	localStorage.setItem("parlour", JSON.stringify(preferences.get()));
}

/** @returns {Route} */
function readRoute() {
	const parts = location.pathname.slice(BASE.length).split("/").map((text) => parsed(() => decodeURIComponent(text), text));
	const [account = "", page = "", ...rest] = parts;
	return { account, page, rest: rest.filter(Boolean), query: new URLSearchParams(location.search) };
}

export const route = store(readRoute());
addEventListener("popstate", () => route.set(readRoute()));

/** @type {Href} */
export function href(page, rest = [], query = {}, account = route.get().account) {
	const path = [account || "-", page, ...rest].map(encodeURIComponent).join("/");
	const service = account === route.get().account ? route.get().query.get("service") : null;
	const all = new URLSearchParams(service ? { service } : {});
	for (const [name, value] of Object.entries(query)) if (value) all.set(name, value);
	return BASE + path + (all.size ? `?${all}` : "");
}

/** @param {string} address @param {{replace?: boolean, state?: string}} [how] */
export function go(address, { replace = false, state = "" } = {}) {
	if (address === location.pathname + location.search) return;
	history[replace ? "replaceState" : "pushState"](state, "", address);
	route.set(readRoute());
}

/** @param {string} name @param {string} [fallback] @returns {[string, (value: string) => void]} A value of the query, and its setter. */
export function useQuery(name, fallback = "") {
	const value = useStore(route).query.get(name) ?? fallback;
	const set = useCallback((/** @type {string} */ next) => setQuery({ [name]: next === fallback ? "" : next }), [name, fallback]);
	return [value, set];
}

/** @param {string} name Of a value of the query, in a field. @param {(text: string) => string} [read] @param {(value: string) => string} [write] */
export function useField(name, read = (text) => text.trim(), write = (value) => value) {
	const [value, set] = useQuery(name);
	const ref = useElement();
	// Not drawn: rows that arrive would replace what is being typed. A date is typed part by part.
	useEffect(() => {
		const now = route.get().query.get(name) ?? "";
		if (ref.current && read(ref.current.value) !== now) ref.current.value = write(now);
	}, [value]);
	return { ref, onChange: onValue((text) => set(read(text))) };
}

/** @param {Record<string, string>} changes Change values of the query in place; an empty one is removed. */
export function setQuery(changes) {
	const query = new URLSearchParams(location.search);
	for (const [name, value] of Object.entries(changes))
		if (value) query.set(name, value);
		else query.delete(name);
	go(location.pathname + (query.size ? `?${query}` : ""), { replace: true });
}

/** @param {Record<string, string>} names The parameters of a list, by the names of its filters in the query. */
export function useFilters(names) {
	const { query } = useStore(route);
	const pairs = Object.entries(names).map(([name, parameter]) => [parameter, query.get(name) ?? ""]);
	return /** @type {Record<string, string>} */ (Object.fromEntries(pairs.filter(([, value]) => value)));
}

/** @param {string} page @param {string[]} rest The address of a row, or of none; the filters stay. */
export const within = (page, ...rest) => href(page, rest, Object.fromEntries(route.get().query));

/** Follow links within the console without loading the page again. */
export function followLinks() {
	document.addEventListener("click", (event) => {
		const link = event.target instanceof Element ? event.target.closest("a") : null;
		const modified = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
		if (!link || modified || event.button || event.defaultPrevented || link.target || link.hash) return;
		if (link.origin !== location.origin || !link.pathname.startsWith(BASE)) return;
		event.preventDefault();
		go(link.pathname + link.search);
	});
}

/** @type {Set<{current: Record<string, (event: KeyboardEvent) => void>}>} */
const keymaps = new Set();

/** @param {Record<string, (event: KeyboardEvent) => void>} keys Of the component; letters never act in a field. */
export function useKeys(keys) {
	const latest = useRef(keys);
	latest.current = keys;
	useEffect(() => {
		keymaps.add(latest);
		return () => void keymaps.delete(latest);
	}, []);
}

addEventListener("keydown", (event) => {
	if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
	const inside = event.target instanceof HTMLElement ? event.target : document.body;
	if (inside.closest("input, textarea, select") || document.querySelector("dialog[open]")) return;
	if (event.key.length === 1 && preferences.get().shortcuts === "off") return;
	for (const each of [...keymaps].reverse()) {
		const act = each.current[event.key];
		if (!act) continue;
		event.preventDefault();
		return act(event);
	}
});

/** @param {(value: string) => unknown} act @returns {(event: any) => void} For `onInput` and `onChange`. */
export const onValue = (act) => (event) => void act(event.target.value);

/** @param {(form: any) => unknown} act @returns {(event: any) => void} For `onSubmit`: the page stays. */
export const onSubmit = (act) => (event) => {
	event.preventDefault();
	void act(event.currentTarget);
};

/** @param {() => unknown} act Repeated while the component and the page are shown. @param {number} ms */
export function useTimer(act, ms) {
	useEffect(() => {
		const timer = setInterval(() => document.hidden || act(), ms);
		return () => clearInterval(timer);
	}, []);
}

/** The server's clock: how far it is ahead of this one, in ms, and where it stands if it is frozen. */
export const serverClock = { ahead: 0, frozen: 0 };
export const serverNow = () => serverClock.frozen || Date.now() + serverClock.ahead;

// --- Smallest parts

/** @param {{name: string, label?: string}} props */
export function Icon({ name, label }) {
	return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden=${!label} aria-label=${label} role=${label && "img"}>
		<use href="${ICONS}#${name}" />
	</svg>`;
}

/** @param {{tone?: Tone, children?: any}} props A state as a word with a colour: never colour alone. */
export function Badge({ tone = "soft", children }) {
	return html`<span class="badge ${tone}">${children}</span>`;
}

const DAY = { year: "numeric", month: "short", day: "numeric" };
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const THIS_YEAR = { ...CLOCK, month: "short", day: "numeric", second: undefined };

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {Date} at @param {object} parts */
export function written(at, parts) {
	const timeZone = preferences.get().zone === "utc" ? "UTC" : undefined;
	const key = `${timeZone}${JSON.stringify(parts)}`;
	let format = formats.get(key);
	if (!format) formats.set(key, (format = new Intl.DateTimeFormat("en-GB", { ...parts, timeZone })));
	return format.format(at);
}

/**
 * A time of the server: the clock today, else the day; the exact time is in the title.
 * @param {{at?: string | number | null, full?: boolean}} props `full`: day and clock.
 */
export function Time({ at, full = false }) {
	if (at === null || at === undefined || at === "") return html`<span class="soft">–</span>`;
	const date = new Date(at);
	if (Number.isNaN(date.valueOf())) return html`<span>${String(at)}</span>`;
	const now = new Date(serverNow());
	const isToday = written(date, DAY) === written(now, DAY);
	const short = isToday ? CLOCK : date.getFullYear() === now.getFullYear() ? THIS_YEAR : DAY;
	const text = written(date, full ? { ...DAY, ...CLOCK } : short);
	return html`<time datetime=${date.toISOString()} title=${date.toISOString()}>${text}</time>`;
}

/** @param {{lines?: number}} props Grey lines of the final height; nothing is seen within the first 150 ms. */
export function Skeleton({ lines = 6 }) {
	return html`<div class="skeleton" role="status" aria-label="Loading">
		${Array.from({ length: lines }, () => html`<i />`)}
	</div>`;
}

/** @param {{title: string, children?: any}} props An empty list: what would be here, and the next step. */
export function Empty({ title, children }) {
	return html`<div class="empty"><p class="strong">${title}</p>${children}</div>`;
}

/** @param {any} props A row that cannot be drawn shows its JSON, until it is another one. */
export function Whole({ row, as = "li", children, ...rest }) {
	const odd = useRef(/** @type {any} */ (0));
	useErrorBoundary(() => (odd.current = row));
	// Preact has marked objects that it tried to draw.
	const json = () => JSON.stringify(row, (name, value) => (/^__/.test(name) ? undefined : value));
	return odd.current === row ? html`<${as} class="wide small" ...${rest}><code>${json()}</code><//>` : children;
}

/** @param {TroubleProps} props */
export function Trouble({ of, problem = of?.error ?? of?.problem, retry = of?.reload }) {
	if (!problem) return null;
	const { code, requestSid, message } = problem;
	return html`<div class="trouble" role="alert">
		<${Icon} name="warning" />
		<div>
			<p class="strong">${message}</p>
			<p class="soft">${code ? `Error ${code}. ` : ""}${requestSid ? `Request ${requestSid}.` : ""}</p>
		</div>
		${retry && html`<button type="button" onClick=${retry}>Try again</button>`}
	</div>`;
}

/** @param {KeyboardEvent} event Move the focus among the `[data-row]` elements of a list; for `onKeyDown` of the list. */
export function listKeys(event) {
	const inside = /** @type {HTMLElement} */ (event.target);
	if (inside.closest("input, textarea, select") || event.ctrlKey || event.metaKey) return;
	const letters = preferences.get().shortcuts !== "off";
	const step = { ArrowDown: 1, ArrowUp: -1, ...(letters && { j: 1, k: -1 }) }[event.key];
	if (!step) return;
	const list = /** @type {HTMLElement} */ (event.currentTarget);
	const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[data-row]")]);
	const at = rows.findIndex((row) => row.contains(inside));
	rows[at + step]?.focus();
	event.preventDefault();
}
