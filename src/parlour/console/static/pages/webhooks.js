/** Webhooks: the attempts, live; their targets, and the endpoints that they wait for. */
import { get, mayChange, post, useAction, useList, useLoad } from "../api.js";
import { world } from "../app.js";
import { href, html, route, Time, Trouble, useQuery, useStore, useTimer } from "../kit.js";
import { ATTEMPT, ATTEMPTS, Filters, Pill, toAttempt, useAsked, useFeed } from "../parts/feed.js";
import { useDialog } from "../parts/form.js";
import { columns, Table, Tabs, timeOf } from "../parts/list.js";
import { count } from "../parts/report.js";
import { webhooks as words } from "../words.js";
import { Attempt, useSample } from "./webhooks/attempt.js";

/** @type {Follow} */
async function follow(filters, list, take, signal) {
	let since = list.rows[0]?.date_created;
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

/** @param {any} props It counts, then asks. */
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
		<${Trouble} of=${counting} />
		${dialog}`;
}

/** @param {string[]} none With a way to the settings. */
const step = ([title, next]) => [title, html`${next} <a class="button" href=${href("settings")}>Settings</a>`];

/** @param {any} props */
function Attempts({ list, sid, isFiltered }) {
	return html`<${Filters} fields=${words.filters} />
		<${Pill} list=${list} />
		<${Table} label="Attempts" columns=${ATTEMPT.slice(0, sid ? 5 : 6)} list=${list} hrefOf=${toAttempt} selected=${sid}
			none=${isFiltered ? undefined : step(words.none)} />`;
}

/** @param {any} owner @param {Row} given The URLs of an account or service; only names of events end in d. */
const configured = (owner, { pre_webhook_url, post_webhook_url, method, filters }) =>
	[[pre_webhook_url, /[^d]$/, words.before], [post_webhook_url, /d$/, words.after]].flatMap(([url, ending, kind]) =>
		url ? { sid: url + kind, owner, kind, url, method, filters: filters?.filter((/** @type {string} */ name) => ending.test(name)) } : []);

/** @param {Row[]} services Webhooks of conversations are found by their attempts: no list has them all. */
async function loadTargets(services) {
	const { webhook_attempts: rows } = await get(ATTEMPTS, { PageSize: 100 });
	const scoped = new Set(rows.map((/** @type {Row} */ row) => row.scope === "conversation" && row.conversation_sid));
	const found = await Promise.allSettled([
		get("/v1/Configuration/Webhooks").then((given) => configured("Account", given)),
		...services.map(async ({ sid, friendly_name: name }) =>
			configured(html`${name || sid} <span class="small soft">service</span>`, await get(`/v1/Services/${sid}/Configuration/Webhooks`))),
		...[...scoped].filter(Boolean).map(async (sid) => {
			const owner = html`<a href=${href("conversations", [sid], { tab: "webhooks" })}>${sid.slice(0, 8)}…</a> <span class="small soft">conversation</span>`;
			const { webhooks } = await get(`/v1/Conversations/${sid}/Webhooks`);
			return webhooks.map((/** @type {Row} */ each) => ({ sid: each.sid, owner, kind: words.kinds[each.target], ...each.configuration }));
		}),
	]);
	return found.flatMap((part) => (part.status === "fulfilled" ? part.value : []));
}

function Targets() {
	const { services } = useStore(world);
	const [dialog, test] = useSample();
	const list = useLoad(() => loadTargets(services), [services]);
	const shown = columns(
		["Belongs to", (row) => row.owner],
		["Fires", (row) => row.kind, "nowrap"],
		["URL", (row) => html`<span class="small soft">${row.method}</span> ${row.url ?? row.flow_sid}`, "wide"],
		["Filters", (row) => html`<span class="small soft">${(row.triggers ?? row.filters)?.join(", ") || words.all}</span>`, "wide"],
		["Test", (row) => html`<button class="small" disabled=${!mayChange()} onClick=${() => test(row, row.filters?.[0])}>Test …</button>`, "actions"],
	);
	return html`<h2>Targets</h2><p class="soft">${words.targets}</p>
		<${Table} label="Targets" columns=${shown} rows=${list.data ?? []} list=${list} keyOf="sid" none=${step(words.noTargets)} />
		${dialog}`;
}

function Endpoints() {
	const list = useList("/parlour/v1/WebhookEndpoints", "webhook_endpoints");
	useTimer(list.reload, 5000);
	const retry = useAction(async (Url) => {
		while ((await post("/parlour/v1/WebhookEndpoints/Retry", { Url })).has_more);
		list.reload();
	});
	const shown = columns(
		["URL", (row) => row.url, "wide"],
		["Waiting", (row) => count(row.waiting), "number"],
		["Oldest", timeOf("date_oldest"), "nowrap"],
		["Next attempt", timeOf("date_next_attempt"), "nowrap"],
		["Last success", timeOf("date_last_success"), "nowrap"],
		["Last failure", ({ last_failure: last }) => last && html`${last.text} <${Time} at=${last.date} />`, "wide"],
		["Retry", ({ url, waiting }) => waiting.count > 0 &&
			html`<button class="small" onClick=${() => retry.run(url)} disabled=${retry.isRunning || !mayChange()}>Retry now</button>`, "actions"],
	);
	return html`<h2>Endpoints</h2><${Trouble} of=${retry} />
		<${Table} label="Endpoints" columns=${shown} list=${list} keyOf="url" none=${words.noEndpoints} />`;
}

export default function Webhooks() {
	const { rest: [sid] } = useStore(route);
	const [tab] = useQuery("tab", "attempts");
	const filters = useAsked(words.filters);
	const list = useFeed({ path: ATTEMPTS, name: "webhook_attempts", filters, selected: sid,
		follow: (...given) => follow(filters, ...given) });
	return html`<div class="beside ${sid ? "open" : ""}">
		<div class="page">
			<header class="head"><h1>Webhooks</h1>${tab === "attempts" && html`<${ReplayAll} filters=${filters} />`}</header>
			<${Tabs} label="About webhooks" tabs=${words.tabs} />
			<div class="body padded" role="tabpanel" id="tab-panel" aria-labelledby="tab-${tab}" ref=${list.body}>
				${tab === "attempts"
					? html`<${Attempts} list=${list} sid=${sid} isFiltered=${Object.keys(filters).length > 0} />`
					: html`<div class="stack"><${Targets} /><${Endpoints} /></div>`}
			</div>
		</div>
		${sid && html`<${Attempt} key=${sid} sid=${sid} rows=${[...list.waiting, ...list.rows]} />`}
	</div>`;
}
