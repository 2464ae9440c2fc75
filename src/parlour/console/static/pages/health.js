/** Health: is the server well, and what to do if it is not. */
import { Badge, html, Icon, Time } from "../kit.js";
import { columns, timeOf } from "../parts/list.js";
import { Report, size, spoken } from "../parts/report.js";
import { by, health as words } from "../words.js";

const TONES = by({ ok: "good", warning: "warn", error: "bad" });

/** @param {any} data @returns {FactList} */
const facts = (data) => [
	["Version", `${data.version}, ${data.engine}${data.test ? ", test mode" : ""}`],
	["Running for", spoken(data.uptime_seconds)],
	["Requests now", data.requests_running],
	["Disk", data.disk && `${size(data.disk.free_bytes)} free of ${size(data.disk.total_bytes)}`],
	["Memory", `${size(data.memory.bytes)} of ${size(data.memory.total_bytes)}`],
	["Certificate", data.certificate ? `${data.certificate.days_left} days left` : "none: plain HTTP"],
	["Last backup", data.date_last_backup ? html`<${Time} at=${data.date_last_backup} full />` : words.noBackup],
];

/** @param {any} props */
function Check({ check }) {
	return html`<li class="check">
		<${Badge} tone=${TONES[check.state]}><${Icon} name=${check.state === "ok" ? "check" : "warning"} />${check.state}<//>
		<span><span class="strong">${check.name}</span> ${check.text}${check.do && html` <span class="soft">${check.do}</span>`}</span>
	</li>`;
}

/** @param {{minutes: Row[], [name: string]: any}} props The last hour of one figure as bars. */
function Chart({ minutes, name, label, unit = "" }) {
	const values = minutes.map((each) => each[name] ?? 0);
	const top = Math.max(...values);
	const last = values.at(-1);
	return html`<figure class="card">
		<figcaption><p class="soft">${label}</p><p class="row"><span class="title">${last}${unit}</span><span class="soft push">at most ${top}${unit}</span></p></figcaption>
		<svg class="chart" viewBox="0 0 ${minutes.length * 4} 40" preserveAspectRatio="none" role="img" aria-label="${label}: ${last}${unit} now, at most ${top}${unit} in an hour">
			${values.map((value, at) => html`<rect x=${at * 4} width="3" y=${40 - (value / (top || 1)) * 40} height=${(value / (top || 1)) * 40} />`)}
		</svg>
	</figure>`;
}

const FIGURES = [
	["requests", "Requests per minute", ""],
	["errors", "Errors per minute", ""],
	["p50_ms", "Half are answered within", " ms"],
	["p99_ms", "99 of 100 are answered within", " ms"],
	["lag_ms", "Delay of the event loop", " ms"],
];

/** @param {any} data */
const state = (data) => html`<${Badge} tone=${TONES[data.state]}>${words.states[data.state]}<//>`;

/** @param {any} data */
const children = (data) => html`
	<section class="stack"><h2>Checks</h2>
		<ul class="stack tight">${data.checks.map((/** @type {any} */ each) => html`<${Check} key=${each.name} check=${each} />`)}</ul></section>
	<section class="stack"><h2>The last hour</h2>
		<div class="cards">${FIGURES.map(([name, label, unit]) => html`<${Chart} minutes=${data.minutes} name=${name} label=${label} unit=${unit} />`)}</div></section>`;

/** @param {any} data @returns {Section[]} */
const sections = (data) => [
	{
		title: "By the minute", none: "", keyOf: "date",
		rows: data.minutes.filter((/** @type {any} */ each) => each.requests).reverse(),
		columns: columns(
			["Minute", timeOf("date")],
			...FIGURES.map(([name, label]) => /** @type {ShortColumn} */ ([label, name, "number"])),
		),
	},
];

export default () => html`<${Report} title="Health" path="/parlour/v1/Operator/Health" state=${state} facts=${facts} sections=${sections}>${children}<//>`;
