/** Requests: the calls of programs with parameters and answers, newest first, live. */
import { call, get, mayChange, useAction, useLoad } from "../api.js";
import { Badge, href, html, Icon, route, Skeleton, Time, Trouble, useKeys, useStore, within } from "../kit.js";
import { ListPage, toObject, useAsked, useFeed } from "../parts/feed.js";
import { useDialog } from "../parts/form.js";
import { columns, Panel, timeOf } from "../parts/list.js";
import { Facts } from "../parts/report.js";
import { Copy, copyText, Json, Sid } from "../parts/values.js";
import { requests as words } from "../words.js";
import { snippet } from "./requests/snippets.js";

const PATH = "/parlour/v1/Requests";

/** @param {any} props */
function Status({ status, code }) {
	const tone = !status || status >= 500 ? "bad" : status >= 400 ? "warn" : "good";
	return html`<${Badge} tone=${tone}>${status ?? "none"}${code ? ` · ${code}` : ""}<//>`;
}

/** @param {any} row @returns {string} The SID that was made or named last. */
const objectOf = ({ answer, path, conversation_sid: conversation }) => answer?.sid ?? path?.match(/[A-Z]{2}[0-9a-f]{32}/g)?.at(-1) ?? conversation ?? "";

const toRequest = (/** @type {Row} */ row) => within("requests", row.sid);
const COLUMNS = columns(
	["Time", timeOf("date"), "nowrap"],
	["Operation", (row) => html`<a href=${toRequest(row)}>${row.operation ?? `${row.method} ${row.path ?? ""}`}</a>`],
	["Status", (row) => html`<${Status} ...${row} />`, "nowrap"],
	["ms", (row) => row.elapsed_ms.toFixed(1), "number"],
	["Source", (row) => (row.source === "sdk" ? `client ${row.identity ?? ""}` : "REST")],
	["Object", (row) => html`<${Sid} sid=${objectOf(row)} to=${toObject(objectOf(row), row.conversation_sid)} />`, "wide"],
);

/** Each long poll brings what came since. @type {Follow} */
async function follow(filters, list, take, signal) {
	let newest = list.rows[0]?.sid;
	while (!signal.aborted) {
		try {
			const { requests } = await get(PATH, { ...filters, After: newest, Wait: 20, PageSize: 50 }, { signal });
			requests.sort((/** @type {Row} */ one, /** @type {Row} */ other) => (one.date < other.date ? 1 : -1));
			newest = requests[0]?.sid ?? newest;
			take(requests);
		} catch {
			// The server restarts, or the newest request left the journal: begin again.
			if (signal.aborted) return;
			await new Promise((resume) => setTimeout(resume, 2000));
			return list.reload();
		}
	}
}

/** @param {any} props */
function Again({ request }) {
	const [dialog, ask] = useDialog();
	const again = useAction(async () => {
		const headers = { "X-Twilio-Webhook-Enabled": String(Boolean(request.webhooks_enabled)) };
		await call(request.method, request.path, request.form ?? {}, { headers });
	});
	const start = () => (request.method === "GET" ? void again.run() : ask({ title: "Run again", action: "Run again", text: words.again, act: again.run }));
	useKeys({ r: () => (request.method === "GET" || mayChange()) && start() });
	return html`<button onClick=${start} disabled=${again.isRunning || (request.method !== "GET" && !mayChange())}><${Icon} name="again" />Run again</button>
		<${Trouble} of=${again} />
		${dialog}`;
}

/** @param {any} props */
function Detail({ sid }) {
	const request = useLoad((signal) => get(`${PATH}/${sid}`, {}, { signal }), [sid]);
	const row = request.data;
	return html`<${Panel} title=${row?.operation ?? "Request"} closeTo=${within("requests")} row=${sid} actions=${row?.path && html`<${Again} request=${row} />`}>
		<${Trouble} of=${request} />
		${!row && request.isLoading && html`<${Skeleton} />`}
		${row && html`<${About} row=${row} />`}
	<//>`;
}

/** @param {any} props */
function About({ row }) {
	useKeys({ c: () => void copyText(row.sid) });
	const { conversation_sid: about, answer } = row;
	const object = toObject(objectOf(row), about);
	const facts = [
		["Answered", html`<${Status} ...${row} /> after ${row.elapsed_ms.toFixed(1)} ms, <${Time} at=${row.date} full />`],
		["Problem", row.code && answer?.message],
		["Request", html`<code>${row.method} ${row.path}</code>`],
		["SID", html`<${Sid} sid=${row.sid} full />`],
		["By", [row.source === "rest" ? "REST" : "client", row.identity, row.user_agent].filter(Boolean).join(" · ")],
		["Webhooks", row.method === "POST" && (row.webhooks_enabled ? "asked for" : "not asked for")],
		["Idempotency key", row.idempotency_key],
		["Injected fault", row.fault],
	];
	return html`<${Facts} facts=${facts.filter(([, value]) => value)} />
		${row.path === null && html`<p class="soft">${words.production}</p>`}
		<p class="row">
			${object && html`<a class="button" href=${object}>Open the object</a>`}
			<a class="button" href=${href("events", [], { request: row.sid })}>Events</a>
			${row.path && ["curl", "Python", "Node.js"].map((language) => html`<${Copy} text=${() => snippet(language, row)}>${language}<//>`)}
		</p>
		${row.form && html`<${Json} value=${row.form} label="Parameters" />`}
		${answer && html`<${Json} value=${answer} label="Answer" />`}`;
}

export default function Requests() {
	const { rest: [sid] } = useStore(route);
	const filters = useAsked(words.filters);
	const list = useFeed({ path: PATH, name: "requests", filters, selected: sid, follow: (...given) => follow(filters, ...given) });
	return html`<${ListPage} title="Requests" fields=${words.filters} list=${list} columns=${COLUMNS} hrefOf=${toRequest} selected=${sid} none=${words.empty}>
		${sid && html`<${Detail} key=${sid} sid=${sid} />`}
	<//>`;
}
