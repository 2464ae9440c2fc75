/**
 * The stream of events of the account that is shown: one per tab, none while the tab is hidden.
 *
 * | state      | meaning                               | next                                      |
 * |------------|---------------------------------------|-------------------------------------------|
 * | off        | no account, or the tab is hidden      | connecting, when shown                    |
 * | connecting | a request is sent                     | live; lost                                |
 * | live       | events arrive                         | lost; off                                 |
 * | lost       | waits 1 to 30 s before the next try   | connecting                                |
 *
 * A stream continues where the last one ended. A follower gets batches of events, at most ten a
 * second, or `null`: too much was missed, so its data has to be loaded again.
 */
import { address, session } from "./api.js";
import { route, store, useEffect, useRef } from "./kit.js";

const DRAW_MS = 100;
const MISSED_MAX = 5000;

/** @typedef {"off" | "connecting" | "live" | "lost"} LiveState */
/** @typedef {Record<string, any>} Event */

export const live = store(/** @type {{state: LiveState, since: Date}} */ ({
	state: "off",
	since: new Date(),
}));

/** @type {Set<{current: (events: Event[] | null) => void}>} */
const followers = new Set();
let account = "";
let cursor = "";
/** @type {AbortController | null} */
let stream = null;
/** @type {Event[]} */
let waiting = [];
let tries = 0;
let retry = 0;
let drawing = 0;

/**
 * Follow the events of the account while the component is shown.
 * @param {(events: Event[] | null) => void} follower
 */
export function useLive(follower) {
	const latest = useRef(follower);
	latest.current = follower;
	useEffect(() => {
		followers.add(latest);
		return () => void followers.delete(latest);
	}, []);
}

/**
 * Start the stream where a list was read, unless it is further already: nothing is missed.
 * @param {string | null | undefined} position The header `Parlour-Event-Cursor` of the list.
 */
export function startAt(position) {
	if (position && !cursor) cursor = position;
	check();
}

/** @param {LiveState} state */
function enter(state) {
	if (live.get().state !== state) live.set({ state, since: new Date() });
}

/** Open or close the stream, as session, account and visibility require. */
export function check() {
	const wanted = session.get() && !document.hidden ? route.get().account : "";
	const next = wanted === "-" ? "" : wanted;
	if (next === account && (stream || retry || !next)) return;
	stream?.abort();
	stream = null;
	clearTimeout(retry);
	retry = 0;
	if (next && account && next !== account) cursor = "";
	if (next) {
		if (next !== account) waiting = [];
		account = next;
		void connect();
	} else {
		account = "";
		enter("off");
	}
}

let lastAccount = "";
route.follow(() => {
	// Cursors are of one account.
	if (route.get().account !== lastAccount) {
		lastAccount = route.get().account;
		cursor = "";
	}
	check();
});
session.follow(check);
document.addEventListener("visibilitychange", check);

async function connect() {
	const abort = (stream = new AbortController());
	retry = 0;
	if (live.get().state !== "lost") enter("connecting");
	try {
		const from = cursor ? `?After=${encodeURIComponent(cursor)}` : "";
		const answer = await fetch(address(`/parlour/v1/Events${from}`, account), {
			headers: { Accept: "text/event-stream", "Parlour-Console": "1" },
			signal: abort.signal,
		});
		if (answer.status === 410) restart();
		if (answer.status === 401) session.set(null);
		if (!answer.ok || !answer.body) throw new Error(`status ${answer.status}`);
		tries = 0;
		enter("live");
		await receive(answer.body);
	} catch {
		if (abort.signal.aborted) return;
	}
	if (abort.signal.aborted) return;
	enter("lost");
	stream = null;
	const pause = Math.min(30, 2 ** tries++) * 1000 * (0.75 + Math.random() / 2);
	retry = setTimeout(connect, pause);
}

/** @param {ReadableStream<Uint8Array>} body */
async function receive(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	let count = 0;
	let countedAt = Date.now();
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		const blocks = (rest + value).split("\n\n");
		rest = blocks.pop() ?? "";
		for (const block of blocks) take(block);
		count += blocks.length;
		if (Date.now() - countedAt > 2000) {
			count = 0;
			countedAt = Date.now();
		} else if (count > MISSED_MAX) {
			restart();
			return;
		}
	}
}

/** @param {string} block */
function take(block) {
	for (const line of block.split("\n"))
		if (line.startsWith("id: ")) cursor = line.slice(4);
		else if (line.startsWith("data: ")) waiting.push(JSON.parse(line.slice(6)));
	if (waiting.length && !drawing) drawing = setTimeout(deliver, DRAW_MS);
}

function deliver() {
	drawing = 0;
	const events = waiting;
	waiting = [];
	if (events.length) for (const each of [...followers]) each.current(events);
}

/** Continue at the present: what was missed is too much, or gone. */
function restart() {
	cursor = "";
	waiting = [];
	for (const each of [...followers]) each.current(null);
}
