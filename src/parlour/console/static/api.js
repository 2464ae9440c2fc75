/**
 * Calls of the API through the gate of the console: every one is an operation of the reference.
 *
 * A problem has the shape of the API: status, code, message, and the SID of the request.
 */
import { html, route, store, Trouble, useCallback, useEffect, useLayoutEffect, useRef, useState, useStore } from "./kit.js";

const ROOT = "/parlour/console/";

export class Problem extends Error {
	/** @param {number} status 0: no answer came. @param {number} code @param {string} message @param {string} requestSid */
	constructor(status, code, message, requestSid) {
		super(message);
		this.status = status;
		this.code = code;
		this.requestSid = requestSid;
	}
}

/**
 * Who is signed in; `null`: nobody, `undefined`: not known yet.
 * @type {ReturnType<typeof store<Record<string, any> | null | undefined>>}
 */
export const session = store(/** @type {any} */ (undefined));

let isLeaving = false;
export const mayChange = () => Boolean(session.get()?.may_change);

/** Whether a sign-in is possible without credentials, as in test mode on this machine. */
export let isOpen = false;

/** @param {Given} parameters @returns {URLSearchParams} without undefined and null; of arrays each value. */
function form(parameters) {
	const pairs = new URLSearchParams();
	for (const [name, value] of Object.entries(parameters)) {
		if (value === undefined || value === null) continue;
		for (const each of Array.isArray(value) ? value : [value]) pairs.append(name, String(each));
	}
	return pairs;
}

/** @param {string} url @param {RequestInit} options */
async function request(url, options) {
	const headers = new Headers(options.headers);
	headers.set("Parlour-Console", "1");
	let answer;
	try {
		answer = await fetch(url, { ...options, headers });
	} catch (error) {
		if (options.signal?.aborted) throw error;
		throw new Problem(0, 0, "The server does not answer.", "");
	}
	if (answer.ok) return answer;
	const body = await answer.json().catch(() => ({}));
	const sid = answer.headers.get("twilio-request-id") ?? "";
	// An earlier call does not undo a sign-out.
	if (answer.status === 401 && url !== `${ROOT}session`) session.get() && !isLeaving && void resume();
	else if (answer.status === 401) {
		isOpen = Boolean(body.open);
		if (!isOpen) session.set(null);
	}
	throw new Problem(answer.status, body.code ?? 0, body.message ?? answer.statusText, sid);
}

/**
 * The address of a path of the API for the account that is shown.
 * @param {string} path `/v1/…` or `/parlour/v1/…`
 * @param {string} [account] `-` for operations of the server
 */
export function address(path, account = route.get().account) {
	return `${ROOT}api/${account || "-"}${path}`;
}

/**
 * Call an operation; return its data, and the headers of the answer.
 * @param {string} method @param {string} path @param {Given} [parameters] @param {CallOptions} [options]
 */
export async function call(method, path, parameters = {}, options = {}) {
	const pairs = form(parameters);
	const headers = { ...options.headers };
	let url = address(path, options.account);
	let body = options.body;
	if (method !== "POST" || body !== undefined) url += pairs.size ? `?${pairs}` : "";
	else body = pairs;
	if (options.type) headers["Content-Type"] = options.type;
	const answer = await request(url, { method, headers, body, signal: options.signal });
	const isJson = answer.headers.get("content-type")?.includes("json");
	const data = answer.status === 204 ? null : await (isJson ? answer.json() : answer.text());
	return { data, headers: answer.headers };
}

/** @type {Caller} */
export const get = async (path, parameters, options) =>
	(await call("GET", path, parameters, options)).data;

/** @type {Caller} */
export const post = async (path, parameters, options) =>
	(await call("POST", path, parameters, options)).data;

/** @param {string} path @param {CallOptions} [options] */
export const remove = async (path, options) => (await call("DELETE", path, {}, options)).data;

// --- Loading

/**
 * Load data when `inputs` change; a load that was overtaken is aborted.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {unknown[]} inputs
 */
export function useLoad(load, inputs) {
	const [state, setState] = useState(
		/** @type {{data?: T, error?: Error, isLoading: boolean}} */ ({ isLoading: true }),
	);
	const [round, setRound] = useState(0);
	// What was refused is loaded after the sign-in.
	const isSignedIn = useStore(session) !== null;
	// Changes that arrive during a load may be later than its data, so they are made again.
	const changes = useRef(/** @type {((data: T) => T)[]} */ ([]));
	// Sooner than after a frame.
	useLayoutEffect(() => {
		const abort = new AbortController();
		changes.current = [];
		setState((last) => ({ ...last, isLoading: true }));
		const done = (/** @type {T} */ data) => {
			if (abort.signal.aborted) return;
			const changed = changes.current.reduce((next, change) => change(next), data);
			changes.current = [];
			setState({ data: changed, isLoading: false });
		};
		load(abort.signal).then(
			done,
			(error) =>
				abort.signal.aborted || setState((last) => ({ data: last.data, error, isLoading: false })),
		);
		return () => abort.abort();
	}, [...inputs, round, isSignedIn]);
	const reload = useCallback(() => setRound((count) => count + 1), []);
	/** Change what was loaded, as events arrive. */
	const update = useCallback(
		(/** @type {(data: T) => T} */ change) =>
			setState((last) => {
				if (last.isLoading) changes.current.push(change);
				return last.data === undefined ? last : { ...last, data: change(last.data) };
			}),
		[],
	);
	return { ...state, reload, update };
}

/**
 * A part that is loaded when it is shown; its other properties are passed on.
 * @param {{load: (of: string) => Promise<{default: any}>, of?: string, [name: string]: any}} props
 */
export function Later({ load, of = "", ...rest }) {
	const part = useLoad(async () => ({ of, show: (await load(of)).default }), [of]);
	return part.data?.of === of ? html`<${part.data.show} ...${rest} />` : html`<${Trouble} of=${part} />`;
}

/** How many lists are loading. */
export let loadingLists = 0;

/**
 * A list that is loaded in pages: `rows`, and `more` while there is a next page.
 * @param {string} path
 * @param {string} key The name of the array in the answer.
 * @param {Given} [parameters]
 * @param {unknown[]} [inputs] Loaded again when they change; by default path and parameters.
 * @param {string} [account] `-` for a list of the server
 */
export function useList(path, key, parameters = {}, inputs, account) {
	const [isLoadingMore, setLoadingMore] = useState(false);
	const list = useLoad(
		async (signal) => {
			const headers = { "Parlour-Event-Cursor": "?1" };
			const askedAt = Date.now();
			loadingLists += 1;
			const answer = await call("GET", path, parameters, { signal, headers, account }).finally(() => (loadingLists -= 1));
			const cursor = answer.headers.get("parlour-event-cursor");
			return { ...page(answer.data, key), cursor, askedAt };
		},
		inputs ?? [path, JSON.stringify(parameters), route.get().account],
	);
	const next = list.data?.next;
	const more = async () => {
		if (!next || isLoadingMore) return;
		setLoadingMore(true);
		try {
			const further = page(await get(next, {}, { account }), key);
			list.update((last) => ({ ...last, ...further, rows: [...last.rows, ...further.rows] }));
		} finally {
			setLoadingMore(false);
		}
	};
	return { ...list, rows: list.data?.rows ?? [], more: next ? more : undefined, isLoadingMore };
}

/** @param {any} data @param {string} key @returns {{rows: Record<string, any>[], next: string | null}} */
function page(data, key) {
	const next = data.meta?.next_page_url;
	if (!next) return { rows: data[key], next: null };
	// Links are addresses of the API: their path goes through the gate.
	const url = new URL(next);
	return { rows: data[key], next: url.pathname + url.search };
}

// --- Session

/**
 * Ask who is signed in; with a ticket, or in an open console, sign in at once.
 * @param {string} [ticket] From the fragment of the address.
 */
export async function resume(ticket) {
	try {
		if (ticket) await signIn({ Ticket: ticket });
		else session.set(await (await request(`${ROOT}session`, {})).json());
	} catch (error) {
		if (isOpen) await signIn({ Open: "true" }).catch(() => session.set(null));
		else if (!(error instanceof Problem) || error.status !== 401) throw error;
	}
}

/** @param {Given} credentials `Name` and `Secret`, `Ticket`, or `Open`. */
export async function signIn(credentials) {
	const answer = await request(`${ROOT}session`, { method: "POST", body: form(credentials) });
	session.set(await answer.json());
}

export async function signOut() {
	isLeaving = true;
	await request(`${ROOT}session`, { method: "DELETE" }).finally(() => (isLeaving = false));
	isOpen = false;
	session.set(null);
}

/**
 * Run an action of a form or button: `isRunning` and `problem` while it does and after it failed.
 * @param {(...given: any[]) => Promise<unknown>} act
 */
export function useAction(act) {
	const [state, setState] = useState(
		/** @type {{isRunning: boolean, problem?: Error}} */ ({ isRunning: false }),
	);
	const isShown = useRef(true);
	useEffect(() => () => void (isShown.current = false), []);
	const run = async (/** @type {any[]} */ ...given) => {
		setState({ isRunning: true });
		try {
			const result = await act(...given);
			if (isShown.current) setState({ isRunning: false });
			return result;
		} catch (error) {
			if (isShown.current) setState({ isRunning: false, problem: /** @type {Error} */ (error) });
		}
	};
	return { ...state, run };
}
