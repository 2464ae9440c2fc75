/** One attempt: what happened, its request, the answer, the other attempts, and its signature. */
import { get, post, session, useAction, useLoad } from "../../api.js";
import { Badge, go, href, html, Icon, route, Skeleton, Time, Trouble, useEffect, useKeys, useQuery, useState } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { Panel } from "../../parts/panel.js";
import { Facts } from "../../parts/report.js";
import { Copy, copyText } from "../../parts/sid.js";
import { columns, Table } from "../../parts/table.js";
import { webhooks as words } from "../../words.js";
import { quoted } from "../requests/snippets.js";

export const ATTEMPTS = "/parlour/v1/WebhookAttempts";

/** @param {any} [attempt] Its address, or that of the list; the filters stay. */
export const toAttempt = (attempt) => href("webhooks", attempt ? [attempt.sid] : [], Object.fromEntries(route.get().query));

export const COLUMNS = columns(
	["Time", (row) => html`<a href=${toAttempt(row)}><${Time} at=${row.date_created} /></a>`, "nowrap"],
	["Outcome", ({ outcome }) => html`<${Badge} tone=${words.outcomes[outcome]}>${outcome}<//>`],
	["Answer", words.answer],
	["Attempt", (row) => row.retry_count + 1, "number"],
	["Event", (row) => row.event_type, "nowrap"],
	["Receiver", (row) => row.request?.url ?? words.gone, "wide"],
);

/** @param {any} attempt The request as it was sent; its signature is made again. */
async function resign({ request: { method, url, parameters }, idempotency_token: token }) {
	const form = String(new URLSearchParams(parameters)).replaceAll("%7E", "~").replaceAll("*", "%2A");
	const [Url, fields, body] = method === "GET" ? [`${url}${url.includes("?") ? "&" : "?"}${form}`, {}, ""] : [url, parameters, form];
	const made = await post("/parlour/v1/WebhookSignatures", { Url, Parameters: JSON.stringify(fields) });
	const headers = [`${made.header}: ${made.signature}`, `I-Twilio-Idempotency-Token: ${token}`, "Accept: */*", "User-Agent: TwilioProxy/1.1"];
	if (body) headers.push("Content-Type: application/x-www-form-urlencoded; charset=utf-8");
	const options = [...headers.map((each) => `-H ${quoted(each)}`), ...(body ? [`--data-raw ${quoted(body)}`] : [])];
	return { ...made, fields, body, headers: headers.join("\n"), curl: [`curl -X ${method} ${quoted(made.url)}`, ...options].join(" \\\n  ") };
}

/** @param {any} open Of `useDialog`. @param {any} given What is prefilled. @param {any} [answer] To the last one. */
export function openSample(open, given, answer) {
	const fields = [
		{ name: "EventType", label: "Event", options: words.events, value: given.EventType },
		{ name: "Method", options: ["POST", "GET"], value: given.Method },
		{ name: "Url", label: "URL", isRequired: true, value: given.Url },
		{ name: "Parameters", kind: "json", label: words.sampleFields, max: 65536, value: given.Parameters ?? "{}" },
	];
	const act = async (/** @type {any} */ all) => {
		openSample(open, all, await post("/parlour/v1/WebhookSamples", all));
		return true;
	};
	const text = html`<span role="status">${answer ? html`<b>${words.result(answer)}</b> ${answer.response?.body_start}` : words.sample}</span>`;
	open({ title: "Send a sample", text, action: "Send", isWhole: true, fields, act });
}

const URL_PARTS = /^(?<scheme>\w+):\/\/(?<host>[^:/?]*)(?<port>:\d+)?(?<path>[^?]*)(?<query>.*)$/;

/** @param {string} name @param {string} [ours] @param {string} [seen] Which reason explains a difference. */
function why(name, ours, seen) {
	if (name === "path" && `${ours}/`.replace("//", "/") === `${seen}/`.replace("//", "/")) return "slash";
	if (name === "query" && ours && (seen ?? "").split(ours.slice(1)).length > 2) return "twice";
	if (name in words.why) return name;
	if (ours === undefined || seen === undefined) return ours ? "missing" : ours === undefined ? "extra" : "empty";
	return ours.trim() === String(seen).trim() ? "trimmed" : "encoded";
}

/** @param {any} ours @param {any} seen Pairs: a reason, and what differs. */
function explain(ours, { Url, Signature, Body }) {
	const body = Body.trim();
	const fields = body.startsWith("{") ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body));
	const a = { ...URL_PARTS.exec(ours.url)?.groups, ...ours.fields };
	const b = { ...URL_PARTS.exec(Url.trim())?.groups, ...fields };
	const names = Object.keys({ ...a, ...b }).filter((name) => String(a[name]) !== String(b[name]));
	const found = names.map((name) => [why(name, a[name], b[name]), `${name}: ${a[name] ?? "–"} → ${b[name] ?? "–"}`]);
	if (Signature && Signature.trim() !== ours.signature) found.push(["token"]);
	return found.length ? found : [["same"]];
}

/** @param {any} open @param {any} ours @param {any} [seen] What a validator saw. */
function openHelp(open, ours, seen) {
	const found = seen ? explain(ours, seen) : [];
	const text = html`<ul class="stack tight" role="status">${words.paste}
		${found.map(([key, detail]) => html`<li><p class="strong">${words.why[key]}</p>${detail && html`<code>${detail}</code>`}</li>`)}</ul>`;
	const fields = [{ name: "Url", label: "URL", isRequired: true }, { name: "Signature" }, { name: "Body", kind: "area", label: words.body }];
	const act = (/** @type {any} */ all) => {
		openHelp(open, ours, all);
		return true;
	};
	open({ title: "Why is it refused?", text, action: "Explain", isWhole: true, fields, act });
}

/** @param {any} attempt Facts with links. */
const about = ({ sid, conversation_sid: conversation, event_cursor: event, request_sid: request, ...rest }) => [
	["Conversation", conversation && html`<a href=${href("conversations", [conversation])}>${conversation}</a>`],
	["Event", event && html`<a href=${href("events", [event], { conversation })}>${rest.event_type}</a>`],
	["Request", request && html`<a href=${href("requests", [request])}>${request}</a>`],
	["Webhook", [rest.scope, rest.webhook_sid].filter(Boolean).join(" ")],
	["Token", rest.idempotency_token],
	["Attempt", sid],
];

/** @param {{attempt: any, ours: any, open: any}} props */
function Sent({ attempt: { request }, ours, open }) {
	const [view, setView] = useQuery("view");
	const onToggle = (/** @type {any} */ event) => setView(event.target.open ? "signature" : "");
	const names = Object.keys(ours.fields).sort((one, other) => (one < other ? -1 : 1));
	return html`<section><h3>Request</h3><code>${request.method} ${ours.url}</code>
			<details open><summary>Parameters</summary><${Facts} facts=${Object.entries(request.parameters)} /></details>
			${ours.body && html`<details><summary>Raw body</summary><pre tabindex="0">${ours.body}</pre></details>`}
			<details><summary>Headers</summary><pre tabindex="0">${ours.headers}</pre></details>
		</section>
		<details open=${view === "signature"} onToggle=${onToggle}><summary>Signature help</summary>
			<p>${ours.header}: <code>${ours.signature}</code><${Copy} text=${ours.signature} /></p>
			<p class="soft">${words.signed}<${Copy} text=${ours.signed_string} label="Copy the signed text" /></p>
			<pre tabindex="0" aria-label="Signed text"><b>${ours.url}</b>${names.map((name) => html`<i>${name}</i>${ours.fields[name]}`)}</pre>
			<p><button onClick=${() => openHelp(open, ours)}>Why is it refused? …</button></p>
		</details>`;
}

/** @param {string} sid */
async function load(sid) {
	const attempt = await get(`${ATTEMPTS}/${sid}`);
	const { webhook_attempts: all } = await get(ATTEMPTS, { AttemptSid: sid, PageSize: 100 });
	return { attempt, all, ours: attempt.request && (await resign(attempt)) };
}

/** @param {{sid: string, rows: any[]}} props `rows` of the list, which is live. */
export function Attempt({ sid, rows }) {
	const token = rows.find((row) => row.sid === sid)?.idempotency_token;
	const latest = token && rows.find((row) => row.idempotency_token === token)?.sid;
	const { data, error, reload } = useLoad(() => load(sid), [sid, latest]);
	const { attempt, all = [], ours } = data ?? {};
	const [dialog, open] = useDialog();
	const [replayed, setReplayed] = useState("");
	useEffect(() => {
		if (!replayed) return;
		if (all[0].sid !== replayed) return go(toAttempt(all[0]));
		const timer = setTimeout(reload, 500);
		return () => clearTimeout(timer);
	}, [replayed, data]);
	const again = useAction(async () => {
		await post(`${ATTEMPTS}/${sid}/Replay`);
		setReplayed(all[0].sid);
	});
	const start = () => {
		if (attempt.delivery_state !== "delivered") void again.run();
		else open({ title: "Replay", text: words.wasDelivered, action: "Replay", act: again.run });
	};
	const may = session.get()?.may_change && ours && !again.isRunning && !replayed;
	useKeys({ r: () => may && start(), c: () => ours && void copyText(ours.curl) });
	const sample = () => openSample(open, { EventType: attempt.event_type, Method: attempt.request.method, Url: attempt.request.url, Parameters: JSON.stringify(attempt.request.parameters) });
	const button = attempt?.delivery_state === "pending" ? "Retry now" : "Replay";
	const actions = html`<button class="primary" disabled=${!may} onClick=${start}><${Icon} name="again" />${button}</button>`;
	return html`<${Panel} title=${attempt?.event_type ?? "Attempt"} closeTo=${toAttempt()} row=${sid} actions=${actions}>
		<${Trouble} problem=${error ?? again.problem} retry=${reload} />
		${!attempt ? html`<${Skeleton} />` : html`
			<p><b>${words.result(attempt)}</b> ${words.place(attempt)}${attempt.date_next_attempt && html`; next at <${Time} at=${attempt.date_next_attempt} />`}.</p>
			<p class="row">
				<button disabled=${!may} onClick=${sample}>Send with changes …</button>
				${ours ? html`<${Copy} text=${ours.curl}>Copy as curl<//>` : words.gone}
				<span role="status">${replayed && words.replaying}</span>
			</p>
			<section><h3>Answer</h3><p>${words.answer(attempt)}</p>${attempt.response?.body_start && html`<pre tabindex="0">${attempt.response.body_start}</pre>`}</section>
			<section><h3>All attempts of this delivery</h3><${Table} label="Attempts of this delivery" columns=${COLUMNS.slice(0, 4)} rows=${all} hrefOf=${toAttempt} selected=${sid} /></section>
			${ours && html`<${Sent} attempt=${attempt} ours=${ours} open=${open} />`}
			<section><h3>About</h3><${Facts} facts=${about(attempt)} /></section>`}
		${dialog}
	<//>`;
}
