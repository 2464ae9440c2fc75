/** One attempt: what happened, its request, the answer, the other attempts, and its signature. */
import { get, mayChange, post, useAction, useLoad } from "../../api.js";
import { go, href, html, Icon, onSubmit, Skeleton, Time, Trouble, useEffect, useKeys, useQuery, useState } from "../../kit.js";
import { Field } from "../../parts/dialog.js";
import { ATTEMPT, ATTEMPTS, toAttempt } from "../../parts/feed.js";
import { useDialog } from "../../parts/form.js";
import { Panel, Table } from "../../parts/list.js";
import { Facts } from "../../parts/report.js";
import { Copy, copyText } from "../../parts/values.js";
import { webhooks as words } from "../../words.js";
import { quoted } from "../requests/snippets.js";

/** @param {Row} fields A form as it is sent. */
const encode = (fields) => String(new URLSearchParams(fields)).replaceAll("%7E", "~").replaceAll("*", "%2A");

/** @param {Row} request What was signed: the URL, the fields, the signature of today. */
async function sign({ method, url, parameters }) {
	const isGet = method === "GET";
	const fields = isGet ? {} : parameters;
	const Url = isGet ? `${url}${url.includes("?") ? "&" : "?"}${encode(parameters)}` : url;
	return { fields, body: encode(fields), url: Url, ...(mayChange() && (await signed(Url, fields))) };
}

/** @param {string} Url @param {Row} fields */
const signed = (Url, fields) => post("/parlour/v1/WebhookSignatures", { Url, Parameters: JSON.stringify(fields) });

/** @param {string} sid */
async function load(sid) {
	const attempt = await get(`${ATTEMPTS}/${sid}`);
	const { webhook_attempts: rows } = await get(ATTEMPTS, { AttemptSid: sid, PageSize: 100 });
	const all = rows.filter((/** @type {Row} */ row) => row.idempotency_token === attempt.idempotency_token);
	return { attempt, all, ours: attempt.request && (await sign(attempt.request)) };
}

/** @param {Row} attempt @param {Row} ours Its headers, and the call as a command. */
function write({ request: { method }, idempotency_token: token }, { header, signature, url, body }) {
	const headers = [...(signature ? [`${header}: ${signature}`] : []), `I-Twilio-Idempotency-Token: ${token}`, "Accept: */*", "User-Agent: TwilioProxy/1.1"];
	if (body) headers.push("Content-Type: application/x-www-form-urlencoded; charset=utf-8");
	const options = [...headers.map((each) => `-H ${quoted(each)}`), ...(body ? [`--data-raw ${quoted(body)}`] : [])];
	return { headers: headers.join("\n"), curl: [`curl -X ${method} ${quoted(url)}`, ...options].join(" \\\n  ") };
}

/** A dialog that sends a sample and shows its answer. @returns {[any, (request: Row, event?: string) => void]} */
export function useSample() {
	const [dialog, open] = useDialog();
	const start = (/** @type {Row} */ request, event = "onMessageAdded", /** @type {any} */ text = words.sample) => open({
		title: "Send a sample", action: "Send", text, isWhole: true,
		fields: [
			{ name: "EventType", label: "Event", value: event, options: words.events },
			{ name: "Method", value: request.method, options: ["POST", "GET"] },
			{ name: "Url", label: "URL", value: request.url, isRequired: true, kind: "url" },
			{ name: "Parameters", label: words.sampleFields, kind: "area", value: request.parameters ? JSON.stringify(request.parameters, null, 2) : "" },
		],
		async act({ Parameters, ...fields }) {
			const answer = await post("/parlour/v1/WebhookSamples", { ...fields, Parameters: Parameters.trim() || undefined });
			start(request, event, html`<p class="strong" role="status">${words.result(answer)}</p><pre>${answer.response?.body_start}</pre>`);
			return true;
		},
	});
	return [dialog, start];
}

const PARTS = ["scheme", "host", "port", "path", "query"];

/** @param {string} url */
const split = (url) => /^(\w+):\/\/([^:/?]*)(:\d+)?([^?]*)(.*)$/.exec(url)?.slice(1) ?? [];

/** @param {any[]} difference Its name in `words.why`; `at`: the part of the URL, -1 for a field. */
function why([name, ours, seen, at]) {
	if (at === 3 && ours.replace(/\/$/, "") === seen?.replace(/\/$/, "")) return "slash";
	if (at === 4 && ours && seen.split(ours.slice(1)).length > 2) return "twice";
	if (at >= 0) return name;
	if (ours === undefined) return "extra";
	if (seen === undefined) return "missing";
	if (name === "RetryCount") return "retry";
	return ours.trim() === String(seen).trim() ? "trimmed" : "encoded";
}

/** @param {string[]} urls What a receiver behind a proxy may have to take. */
const candidates = (urls) => urls.flatMap((url) => ["https", "http"].flatMap((scheme) => {
	const other = url.replace(/^\w+/, scheme);
	return [url, other, other.replace(/(\/\/[^:/]+):\d+/, "$1")];
}));

/** @param {Row} ours @param {Row} seen What explains the differences: names in `words.why`, and what differs. */
async function explain(ours, { url: given, body, signature: pasted }) {
	const [url, signature] = [given.trim(), pasted.trim()];
	const fields = body.startsWith("{") ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body.trim()));
	const [a, b] = [split(ours.url), split(url)];
	const pairs = [
		...PARTS.map((part, at) => [part, a[at], b[at], at]),
		...Object.keys({ ...ours.fields, ...fields }).map((name) => [name, ours.fields[name], fields[name], -1]),
	].filter(([, one, other]) => one !== other);
	/** @type {string[][]} */
	const found = [];
	for (const pair of pairs) {
		const [key, detail] = [why(pair), `${pair[0]}: ${pair[1] ?? "–"} → ${pair[2] ?? "–"}`];
		const same = found.find(([each]) => each === key);
		if (same) same.push(detail);
		else found.push([key, detail]);
	}
	// With what it saw of the body: is there a URL that makes the signature right?
	const wanted = signature || ours.signature;
	const urls = wanted === ours.signature ? [url, ours.url] : candidates([url, ours.url]);
	const tried = await Promise.all([...new Set(urls)].map((each) => signed(each, fields)));
	const right = tried.find((each) => each.signature === wanted);
	if (right && right.url !== url) found.unshift(["right", right.url]);
	if (!right && wanted !== ours.signature) found.push(["token"]);
	return found.length ? found : [["same"]];
}

/** @param {any} props */
function Signature({ ours }) {
	const [found, setFound] = useState(/** @type {any[][]} */ ([]));
	const check = useAction(async (form) => setFound(await explain(ours, Object.fromEntries(new FormData(form)))));
	const names = Object.keys(ours.fields).sort((one, other) => (one < other ? -1 : 1));
	return html`<p>${ours.header}: <code>${ours.signature}</code><${Copy} text=${ours.signature} /></p>
		<p class="soft">${words.signed}<${Copy} text=${ours.signed_string} label="Copy the signed text" /></p>
		<pre tabindex="0" aria-label="Signed text"><b>${ours.url}</b>${names.map((name) => html`<i>${name}</i>${ours.fields[name]}`)}</pre>
		<form class="form" onSubmit=${onSubmit(check.run)}>
			<h3 class="wide">${words.paste}</h3>
			<${Field} label="URL"><input name="url" required /><//><${Field} label="Signature"><input name="signature" /><//>
			<${Field} label="Body, or its parameters as JSON" isWide><textarea name="body" rows="3" spellcheck=${false} /><//>
			<button class="primary">Explain</button>
		</form>
		<${Trouble} of=${check} />
		<div role="status"><ul class="stack tight">${found.map(([key, ...details]) => html`<li><p class="strong">${words.why[key]}</p>${details.map((each) => html`<p><code>${each}</code></p>`)}</li>`)}</ul></div>`;
}

/** @param {any} props */
function Request({ attempt, ours }) {
	return html`<section><h3>Request</h3><code>${attempt.request.method} ${ours.url}</code>
		<details open><summary>Parameters</summary><${Facts} facts=${Object.entries(attempt.request.parameters ?? {})} /></details>
		${ours.body && html`<details><summary>Raw body</summary><pre tabindex="0">${ours.body}</pre></details>`}
		<details><summary>Headers</summary><pre tabindex="0">${write(attempt, ours).headers}</pre></details>
	</section>`;
}

/** @param {Row} attempt Facts with links. */
const about = ({ sid, conversation_sid: conversation, event_cursor: event, request_sid: request, ...rest }) => [
	["Conversation", conversation && html`<a href=${href("conversations", [conversation])}>${conversation}</a>`],
	["Event", event && html`<a href=${href("events", [event], request ? { request } : { type: rest.event_type, conversation })}>${rest.event_type}</a>`],
	["Request", request && html`<a href=${href("requests", [request])}>${request}</a>`],
	["Webhook", [rest.scope, rest.webhook_sid].filter(Boolean).join(" ")],
	["Token", rest.idempotency_token],
	["Attempt", sid],
];

/** @param {{sid: string, rows: Row[]}} props `rows` of the list, which is live. */
export function Attempt({ sid, rows }) {
	const token = rows.find((row) => row.sid === sid)?.idempotency_token;
	const latest = token && rows.find((row) => row.idempotency_token === token)?.sid;
	const shown = useLoad(() => load(sid), [sid, latest]);
	const { attempt, all = [], ours } = shown.data ?? {};
	const [view, setView] = useQuery("view");
	const [dialog, ask] = useDialog();
	const [sample, send] = useSample();
	const [replayed, setReplayed] = useState("");
	useEffect(() => {
		if (!replayed) return;
		if (all[0] && all[0].sid !== replayed) return go(toAttempt(all[0]));
		const timer = setTimeout(shown.reload, 500);
		return () => clearTimeout(timer);
	}, [replayed, shown.data]);
	const again = useAction(async () => {
		await post(`${ATTEMPTS}/${sid}/Replay`);
		setReplayed(all[0]?.sid ?? sid);
	});
	const state = attempt?.delivery_state;
	const start = () => (state === "delivered" ? ask({ title: "Replay", action: "Replay", text: words.wasDelivered, act: again.run }) : void again.run());
	const may = mayChange() && ours && !again.isRunning && !replayed;
	const curl = () => write(attempt, ours).curl;
	useKeys({ r: () => may && start(), c: () => ours && void copyText(curl()) });
	const actions = html`<button class="primary" disabled=${!may} onClick=${start}><${Icon} name="again" />${state === "pending" ? "Retry now" : "Replay"}</button>`;
	return html`<${Panel} title=${attempt?.event_type ?? "Attempt"} closeTo=${toAttempt()} row=${sid} actions=${actions}>
		<${Trouble} problem=${shown.error ?? again.problem} retry=${shown.reload} />
		${!attempt ? shown.isLoading && html`<${Skeleton} />` : html`
			<p><span class="strong">${words.result(attempt)}</span> ${words.place(attempt)}${attempt.date_next_attempt && html`; next at <${Time} at=${attempt.date_next_attempt} />`}.</p>
			<p class="row">
				<button disabled=${!may} onClick=${() => send(attempt.request, attempt.event_type)}>Send with changes …</button>
				${ours ? html`<${Copy} text=${curl}>Copy as curl<//>` : words.gone}
				<span role="status">${replayed && words.replaying}</span>
			</p>
			${attempt.response?.body_start && html`<section><h3>Answer</h3><pre tabindex="0">${attempt.response.body_start}</pre></section>`}
			${ours && html`<${Request} attempt=${attempt} ours=${ours} />
			${ours.signature && html`<details open=${view === "signature"} onToggle=${(/** @type {any} */ event) => setView(event.target.open ? "signature" : "")}>
				<summary>Signature help</summary><${Signature} ours=${ours} /></details>`}`}
			<section><h3>All attempts of this delivery</h3><${Table} label="Attempts of this delivery" columns=${ATTEMPT.slice(0, 4)} rows=${all} hrefOf=${toAttempt} selected=${sid} /></section>
			<section><h3>About</h3><${Facts} facts=${about(attempt)} /></section>`}
		${dialog}${sample}
	<//>`;
}
