/**
 * The stream of events of the account that is shown: one per tab, none while the tab is hidden.
 *
 * Off without an account, or connecting, live, or lost for 1 to 30 s.
 *
 * A stream starts where the list on the page was read, and continues where the last one ended. A
 * follower gets batches of events, at most ten a second, or `null`: the stream goes on
 * at another position, and the data have to be loaded again.
 */
import { address, loadingLists, resume, session } from "./api.js";
import { route, store, useEffect, useRef, useState } from "./kit.js";

const DRAW_MS = 100;
const MISSED_MAX = 4000;
const CATCH_UP_MS = 5000;
const START_MS = 400;
const REFRESH_RETRY_MS = 2000;

/** @typedef {"off" | "connecting" | "live" | "lost"} LiveState */
/** @typedef {Record<string, any>} Event */

export const live = store(/** @type {{state: LiveState, since: Date}} */ ({
	state: "off",
	since: new Date(),
}));

/** @type {Set<{current: (events: Event[] | null) => void}>} */
const followers = new Set();
/** The account of the stream; empty while there is none. */
let account = "";
let lastAccount = "";
let cursor = "";
let liveFrom = Infinity;
/** @type {AbortController | null} */
let stream = null;
/** @type {Event[]} */
let waiting = [];
let tries = 0;
let retry = 0;
let drawing = 0;
let drawnAt = 0;

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
 * Load again what events have changed, one request at a time, so that no answer overtakes another:
 * what changes during a load is part of the next one; a load that fails is tried again.
 * @param {(sids: string[]) => Promise<unknown>} load
 * @param {number} [rest] Pause after a load, in its durations.
 * @returns {(sids: string[]) => Promise<void>}
 */
export function useRefresh(load, rest = 5) {
	const latest = useRef(load);
	latest.current = load;
	const [{ run, stop }] = useState(() => {
		const changed = /** @type {Set<string>} */ (new Set());
		let [isLoading, isGone] = [false, false];
		const run = async (/** @type {string[]} */ sids) => {
			for (const each of sids) changed.add(each);
			if (isLoading) return;
			isLoading = true;
			while (changed.size && !isGone) {
				const part = [...changed];
				changed.clear();
				const begin = Date.now();
				try {
					await latest.current(part);
					await after(Math.min(REFRESH_RETRY_MS, rest * (Date.now() - begin)));
				} catch {
					for (const each of part) changed.add(each);
					await after(REFRESH_RETRY_MS);
				}
			}
			isLoading = false;
		};
		return { run, stop: () => void (isGone = true) };
	});
	useEffect(() => stop, []);
	return run;
}

/** @param {number} ms */
const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {Event[] | null} events */
function notify(events) {
	for (const each of [...followers]) each.current(events);
}

/**
 * Start the stream where a list was read, unless it was live before the list was asked for.
 * @param {{cursor?: string | null, askedAt: number} | undefined} list As `useList` returns it.
 */
export function startAt(list) {
	if (!list?.cursor || liveFrom < list.askedAt || !account) return;
	cursor = list.cursor;
	stop();
	void connect();
}

/** @param {LiveState} state */
function enter(state) {
	if (live.get().state !== state) live.set({ state, since: new Date() });
}

function stop() {
	stream?.abort();
	stream = null;
	clearTimeout(retry);
	retry = 0;
	liveFrom = Infinity;
}

/** Open or close the stream, as session, account and visibility require. */
function check() {
	const shown = route.get().account;
	// Cursors are of one account.
	if (shown !== lastAccount) [lastAccount, cursor, waiting] = [shown, "", []];
	const wanted = session.get() && !document.hidden && shown !== "-" ? shown : "";
	if (wanted === account) return;
	stop();
	account = wanted;
	if (!wanted) enter("off");
	else if (cursor) void connect();
	else retry = setTimeout(connect, START_MS);
}

route.follow(check);
session.follow(check);
document.addEventListener("visibilitychange", check);

async function connect() {
	// A list on the page may say soon where to start.
	if (!cursor && loadingLists) return void (retry = setTimeout(connect, START_MS));
	const abort = (stream = new AbortController());
	clearTimeout(retry);
	retry = 0;
	if (live.get().state !== "lost") enter("connecting");
	try {
		const from = cursor ? `?After=${encodeURIComponent(cursor)}` : "";
		const answer = await fetch(address(`/parlour/v1/Events${from}`, account), {
			headers: { Accept: "text/event-stream", "Parlour-Console": "1" },
			signal: abort.signal,
		});
		if (answer.status === 410) restart();
		if (answer.status === 401) await resume();
		if (!answer.ok || !answer.body) throw new Error(`status ${answer.status}`);
		liveFrom = Date.now();
		tries = 0;
		enter("live");
		if (!from) notify(null);
		await receive(answer.body);
	} catch {
		if (abort.signal.aborted) return;
	}
	if (abort.signal.aborted) return;
	stop();
	enter("lost");
	const pause = Math.min(30, 2 ** tries++) * 1000 * (0.75 + Math.random() / 2);
	retry = setTimeout(connect, pause);
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
async function receive(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let startedAt = Date.now();
	let rest = "";
	let count = 0;
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		const blocks = (rest + value).split("\n\n");
		rest = blocks.pop() ?? "";
		for (const block of blocks) take(block);
		if (Date.now() - startedAt > CATCH_UP_MS) [startedAt, count] = [Date.now(), 0];
		count += blocks.length;
		if (count > MISSED_MAX) return restart();
	}
}

/** @param {string} block */
function take(block) {
	for (const line of block.split("\n"))
		if (line.startsWith("id: ")) cursor = line.slice(4);
		else if (line.startsWith("data: ")) waiting.push(JSON.parse(line.slice(6)));
	if (waiting.length && !drawing) drawing = setTimeout(deliver, drawnAt + DRAW_MS - Date.now());
}

function deliver() {
	[drawing, drawnAt] = [0, Date.now()];
	const events = waiting;
	waiting = [];
	if (events.length) notify(events);
}

/** Continue at the present: too much was missed. */
function restart() {
	cursor = "";
	waiting = [];
}
