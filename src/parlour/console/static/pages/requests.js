/** Requests: the calls of programs with parameters and answers, newest first, live. */
import { call, get, useAction, useList, useLoad } from "../api.js";
import { Badge, href, html, route, Skeleton, Time, Trouble, useEffect, useFilters, useKeys, useStore, within } from "../kit.js";
import { useDialog } from "../parts/form.js";
import { Choice, columns, Filter, Panel, Table, timeOf } from "../parts/list.js";
import { Copy, Json, Sid } from "../parts/values.js";
import { requests as words } from "../words.js";
import { snippet } from "./requests/snippets.js";

const PATH = "/parlour/v1/Requests";
const ROWS_MAX = 500;

/** @param {{status: number | null, code?: number | null}} props */
function Status({ status, code }) {
	const tone = !status || status >= 500 ? "bad" : status >= 400 ? "warn" : "good";
	return html`<${Badge} tone=${tone}>${status ?? "none"}${code ? ` · ${code}` : ""}<//>`;
}

const COLUMNS = columns(
	["Time", timeOf("date"), "nowrap"],
	["Operation", (row) => html`<a href=${within("requests", row.sid)}>${row.operation ?? `${row.method} ${row.path ?? ""}`}</a>`],
	["Status", (row) => html`<${Status} ...${row} />`, "nowrap"],
	["ms", (row) => row.elapsed_ms.toFixed(1), "number"],
	["Source", (row) => (row.source === "sdk" ? `client ${row.identity ?? ""}` : "REST")],
	["Path", (row) => html`<span class="small">${row.path ?? ""}</span>`, "wide"],
);

/** The journal with these filters; each long poll brings what came since. */
function useJournal() {
	const filters = useFilters({
		operation: "Operation", status: "Status", code: "Code", source: "Source", identity: "Identity", conversation: "ConversationSid",
	});
	const list = useList(PATH, "requests", { ...filters, PageSize: 50 });
	useEffect(() => {
		if (!list.data) return;
		const abort = new AbortController();
		void poll(list, filters, abort.signal);
		return () => abort.abort();
	}, [list.data?.askedAt]);
	return list;
}

/** @param {any} list @param {Record<string, string>} filters @param {AbortSignal} signal */
async function poll(list, filters, signal) {
	let newest = list.data.rows[0]?.sid;
	while (!signal.aborted) {
		try {
			const { requests } = await get(PATH, { ...filters, After: newest, Wait: 20, PageSize: 50 }, { signal });
			const known = new Set(list.data.rows.map((/** @type {any} */ row) => row.sid));
			const fresh = requests.filter((/** @type {any} */ row) => !known.has(row.sid));
			if (!fresh.length) continue;
			fresh.sort((/** @type {any} */ one, /** @type {any} */ other) => (one.date < other.date ? 1 : -1));
			newest = fresh[0].sid;
			list.update((/** @type {any} */ last) => ({ ...last, rows: merge(fresh, last.rows) }));
		} catch {
			// The server restarts, or the newest request left the journal: begin again.
			if (signal.aborted) return;
			await new Promise((resume) => setTimeout(resume, 2000));
			return list.reload();
		}
	}
}

/** @param {any[]} fresh @param {any[]} rows */
function merge(fresh, rows) {
	const sids = new Set(fresh.map((row) => row.sid));
	return [...fresh, ...rows.filter((row) => !sids.has(row.sid))].slice(0, Math.max(ROWS_MAX, rows.length));
}

/** @param {{request: any}} props */
function Again({ request }) {
	const [dialog, ask] = useDialog();
	const again = useAction(async () => {
		const headers = { "X-Twilio-Webhook-Enabled": String(Boolean(request.webhooks_enabled)) };
		await call(request.method, request.path, request.form ?? {}, { headers });
	});
	const start = () => (request.method === "GET" ? void again.run() : ask({ title: "Run again", action: "Run again", text: words.again, act: again.run }));
	useKeys({ r: start });
	return html`<button onClick=${start} disabled=${again.isRunning}>Run again</button>
		<${Trouble} problem=${again.problem} />
		${dialog}`;
}

/** @param {{sid: string}} props */
function Detail({ sid }) {
	const request = useLoad((signal) => get(`${PATH}/${sid}`, {}, { signal }), [sid]);
	const row = request.data;
	return html`<${Panel} title=${row?.operation ?? "Request"} closeTo=${within("requests")} row=${sid} actions=${row?.path && html`<${Again} request=${row} />`}>
		<${Trouble} problem=${request.error} retry=${request.reload} />
		${!row && request.isLoading && html`<${Skeleton} />`}
		${row && html`<${Facts} row=${row} />`}
	<//>`;
}

/** @param {{row: any}} props */
function Facts({ row }) {
	const since = new Date(Date.parse(row.date) - 1).toISOString();
	const facts = [
		["Answered", html`<${Status} ...${row} /> after ${row.elapsed_ms} ms, <${Time} at=${row.date} full />`],
		["Request", html`<code>${row.method} ${row.path}</code>`],
		["SID", html`<${Sid} sid=${row.sid} full />`],
		["By", [row.source, row.identity, row.user_agent].filter(Boolean).join(" · ")],
		["Webhooks", row.webhooks_enabled ? "asked for" : "not asked for"],
		["Idempotency key", row.idempotency_key],
		["Injected fault", row.fault],
	];
	const about = row.conversation_sid;
	return html`<dl class="facts">${facts.map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
		${row.path === null && html`<p class="soft">${words.production}</p>`}
		<p class="row">
			${about && html`<a class="button" href=${href("conversations", [about])}>Conversation</a>`}
			<a class="button" href=${href("events", [], { request: row.sid, conversation: about })}>Events</a>
			<a class="button" href=${href("webhooks", [], { since, conversation: about })}>Webhooks since</a>
			${row.path && ["curl", "Python", "Node.js"].map((language) => html`<${Copy} text=${() => snippet(language, row)}>${language}<//>`)}
		</p>
		${row.form && html`<${Json} value=${row.form} label="Parameters" />`}
		${row.answer && html`<${Json} value=${row.answer} label="Answer" />`}`;
}

export default function Requests() {
	const { rest } = useStore(route);
	const list = useJournal();
	return html`<div class="beside ${rest[0] ? "open" : ""}"><div class="page">
		<header class="head"><h1>Requests</h1></header>
		<div class="filters">
			<${Choice} label="Source" name="source" options=${[["", "REST and clients"], ["rest", "REST"], ["sdk", "Clients"]]} />
			${words.filters.map(([name, label]) => html`<${Filter} name=${name} label=${label} />`)}
		</div>
		<div class="body">
			<${Table} label="Requests" columns=${COLUMNS} list=${list} hrefOf=${(/** @type {any} */ row) => within("requests", row.sid)}
				selected=${rest[0]} none=${words.empty} />
		</div></div>
		${rest[0] && html`<${Detail} key=${rest[0]} sid=${rest[0]} />`}
	</div>`;
}
