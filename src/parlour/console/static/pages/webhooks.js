/** Webhooks: the attempts, live; their targets, and the endpoints that they wait for. */
import { get, mayChange, post, useAction, useList, useLoad } from "../api.js";
import { world } from "../app.js";
import { href, html, route, Time, Trouble, useEffect, useFilters, useQuery, useRef, useState, useStore, useTimer } from "../kit.js";
import { useDialog } from "../parts/form.js";
import { Choice, columns, Filter, Table, Tabs } from "../parts/list.js";
import { count } from "../parts/report.js";
import { webhooks as words } from "../words.js";
import { Attempt, ATTEMPTS, COLUMNS, Sample, toAttempt } from "./webhooks/attempt.js";

/** @typedef {Record<string, any>} Row */

/** The attempts that match; while `isHeld()`, new ones wait for `show`. @param {Row} filters @param {() => boolean} isHeld */
function useAttempts(filters, isHeld) {
	const list = useList(ATTEMPTS, "webhook_attempts", { ...filters, PageSize: 50 });
	const [waiting, wait] = useState(/** @type {Row[]} */ ([]));
	const without = (/** @type {Row[]} */ rows, /** @type {Row[]} */ known) => rows.filter(({ sid }) => !known.some((each) => each.sid === sid));
	const add = (/** @type {Row[]} */ rows) =>
		list.update((last) => ({ ...last, rows: [...without(rows, last.rows), ...last.rows].slice(0, Math.max(500, last.rows.length)) }));
	const take = useRef(add);
	take.current = (rows) => (isHeld() ? wait((last) => [...without(rows, [...last, ...list.rows]), ...last]) : add(rows));
	useEffect(() => {
		const abort = new AbortController();
		wait([]);
		if (list.data) void follow(list.data.rows[0]?.date_created, filters, abort.signal, (rows) => take.current(rows));
		return () => abort.abort();
	}, [list.data?.askedAt]);
	const show = () => {
		add(waiting);
		wait([]);
	};
	return { ...list, waiting: without(waiting, list.rows), show };
}

/** @param {string} since @param {Row} filters @param {AbortSignal} signal @param {(rows: Row[]) => void} take */
async function follow(since, filters, signal, take) {
	for (let known = 0; !signal.aborted; ) {
		const given = { ...filters, Since: since ?? filters.Since, MinCount: known + 1, Wait: 20, PageSize: 100 };
		const rows = document.hidden ? [] : await get(ATTEMPTS, given, { signal }).then((data) => data.webhook_attempts, () => []);
		if (signal.aborted) return;
		take(rows);
		// From a later date on, so that an answer stays small.
		[since, known] = rows.length > 20 ? [rows[0].date_created, 0] : [since, rows.length];
		await new Promise((done) => setTimeout(done, rows.length ? 250 : 2000));
	}
}

/** @param {{filters: Row}} props Replay all that match: it counts, then asks. */
function ReplayAll({ filters }) {
	const [dialog, ask] = useDialog();
	const range = { Since: "2000-01-01T00:00:00Z", ...filters };
	const counting = useAction(async () => {
		const { webhook_attempts: rows, meta } = await get(ATTEMPTS, { ...range, PageSize: 100 });
		const delivered = rows.filter((/** @type {Row} */ row) => row.delivery_state === "delivered").length;
		const text = words.replayAll(`${rows.length}${meta.next_page_url ? "+" : ""}`, delivered);
		ask({ title: "Replay all that match", action: "Replay", text, act: replay });
	});
	const replay = async () => {
		/** @type {Row} */
		let part = { has_more: true };
		while (part.has_more) part = await post(`${ATTEMPTS}/Replay`, { ...range, After: part.after, Until: part.until ?? filters.Until });
	};
	return html`<button class="push" disabled=${counting.isRunning || !mayChange()} onClick=${counting.run}>Replay all that match …</button>
		<${Trouble} problem=${counting.problem} />
		${dialog}`;
}

/** @param {{list: any, sid?: string, isFiltered: boolean}} props */
function Attempts({ list, sid, isFiltered }) {
	return html`<div class="filters">
			<${Choice} label="Outcome" name="outcome" options=${[["", "Outcome: all"], ...Object.keys(words.outcomes)]} />
			<${Choice} label="Event" name="event" options=${[["", "Event: all"], ...words.events]} />
			${words.filters.map(([name, label, kind]) => html`<${Filter} name=${name} label=${label} kind=${kind} />`)}
		</div>
		<div role="status">${list.waiting.length > 0 && html`<button class="pill" onClick=${list.show}>${list.waiting.length} new</button>`}</div>
		<${Table} label="Attempts" columns=${COLUMNS.slice(0, sid ? 5 : 6)} list=${list} hrefOf=${toAttempt} selected=${sid}
			none=${isFiltered ? undefined : words.none} />`;
}

/** @param {any} owner @param {Row} given The URLs of an account or service; only names of events end in d. */
const configured = (owner, { pre_webhook_url, post_webhook_url, method, filters }) =>
	[[pre_webhook_url, /[^d]$/, words.before], [post_webhook_url, /d$/, words.after]].flatMap(([url, ending, kind]) =>
		url ? { sid: owner + kind, owner, kind, url, method, filters: filters?.filter((/** @type {string} */ name) => ending.test(name)) } : []);

/** @param {Row[]} services Webhooks of conversations are found by their attempts: no list has them all. */
async function loadTargets(services) {
	const { webhook_attempts: rows } = await get(ATTEMPTS, { PageSize: 100 });
	const scoped = new Set(rows.map((/** @type {Row} */ row) => row.scope === "conversation" && row.conversation_sid));
	const found = await Promise.allSettled([
		get("/v1/Configuration/Webhooks").then((given) => configured("Account", given)),
		...services.map(async ({ sid, friendly_name: name }) =>
			configured(`Service ${name || sid}`, await get(`/v1/Services/${sid}/Configuration/Webhooks`))),
		...[...scoped].filter(Boolean).map(async (sid) => {
			const owner = html`<a href=${href("conversations", [sid], { tab: "webhooks" })}>${sid.slice(0, 8)}…</a>`;
			const { webhooks } = await get(`/v1/Conversations/${sid}/Webhooks`);
			return webhooks.map((/** @type {Row} */ each) => ({ sid: each.sid, owner, kind: each.target, ...each.configuration }));
		}),
	]);
	return found.flatMap((part) => (part.status === "fulfilled" ? part.value : []));
}

function Targets() {
	const { services } = useStore(world);
	const [tested, test] = useState(/** @type {Row | null} */ (null));
	const list = useLoad(() => loadTargets(services), [services]);
	const shown = columns(
		["Of", (row) => row.owner, "nowrap"],
		["Kind", (row) => row.kind, "nowrap"],
		["URL", (row) => `${row.method ?? ""} ${row.url ?? row.flow_sid}`, "wide"],
		["Filters", (row) => (row.triggers ?? row.filters)?.join(", ") || words.all, "wide"],
		["Test", (row) => html`<button class="small" onClick=${() => test(row)}>Test …</button>`, "nowrap"],
	);
	return html`<h2>Targets</h2><p class="soft">${words.targets}</p>
		<${Table} label="Targets" columns=${shown} rows=${list.data ?? []} list=${list} keyOf="sid" none=${words.noTargets} />
		${tested && html`<${Sample} event=${tested.filters?.[0]} request=${tested} onClose=${() => test(null)} />`}`;
}

function Endpoints() {
	const list = useList("/parlour/v1/WebhookEndpoints", "webhook_endpoints");
	useTimer(list.reload, 5000);
	const retry = useAction(async (/** @type {string} */ Url) => {
		while ((await post("/parlour/v1/WebhookEndpoints/Retry", { Url })).has_more);
		list.reload();
	});
	const time = (/** @type {string} */ name) => (/** @type {Row} */ row) => html`<${Time} at=${row[name]} />`;
	const shown = columns(
		["URL", (row) => row.url, "wide"],
		["Waiting", (row) => count(row.waiting), "number"],
		["Oldest", time("date_oldest")],
		["Next attempt", time("date_next_attempt")],
		["Last success", time("date_last_success")],
		["Last failure", ({ last_failure: last }) => last && html`${last.text} <${Time} at=${last.date} />`, "wide"],
		["Retry", ({ url, waiting }) => html`<button class="small" onClick=${() => retry.run(url)}
			disabled=${!waiting.count || retry.isRunning || !mayChange()}>Retry now</button>`, "nowrap"],
	);
	return html`<h2>Endpoints</h2><${Trouble} problem=${retry.problem} />
		<${Table} label="Endpoints" columns=${shown} list=${list} keyOf="url" none=${words.noEndpoints} />`;
}

export default function Webhooks() {
	const { rest: [sid] } = useStore(route);
	const [tab] = useQuery("tab", "attempts");
	const body = useRef(/** @type {HTMLElement | null} */ (null));
	const filters = useFilters(words.parameters);
	const list = useAttempts(filters, () => Boolean(sid || body.current?.scrollTop));
	return html`<div class="beside ${sid ? "open" : ""}">
		<div class="page">
			<header class="head"><h1>Webhooks</h1>${tab === "attempts" && html`<${ReplayAll} filters=${filters} />`}</header>
			<${Tabs} label="About webhooks" tabs=${words.tabs} />
			<div class="body padded" role="tabpanel" id="tab-panel" aria-labelledby="tab-${tab}" ref=${body}>
				${tab === "attempts"
					? html`<${Attempts} list=${list} sid=${sid} isFiltered=${Object.keys(filters).length > 0} />`
					: html`<div class="stack"><${Targets} /><${Endpoints} /></div>`}
			</div>
		</div>
		${sid && html`<${Attempt} key=${sid} sid=${sid} rows=${[...list.waiting, ...list.rows]} />`}
	</div>`;
}
