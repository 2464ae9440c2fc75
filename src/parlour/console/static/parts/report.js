/** A page of figures of the server: facts and tables that are read again every few seconds. */
import { get, mayChange, useLoad } from "../api.js";
import { html, Icon, Skeleton, Time, Trouble, useTimer } from "../kit.js";
import { useDialog } from "./form.js";
import { Table } from "./list.js";
import { labelOf } from "./values.js";

const REFRESH_MS = 5000;

/** @param {{count: number, at_least: boolean} | null | undefined} value A bounded count. */
export const count = (value) =>
	value ? html`<span class="number">${value.count.toLocaleString("en")}${value.at_least ? "+" : ""}</span>` : "–";

/** @param {number | null | undefined} bytes */
export function size(bytes) {
	if (bytes === null || bytes === undefined) return "–";
	const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
	return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** @param {ReportProps} props */
export function Report({ title, path, state, facts = () => [], sections = () => [], children }) {
	const report = useLoad((signal) => get(path, {}, { signal, account: "-" }), [path]);
	useTimer(() => report.reload(), REFRESH_MS);
	const data = report.data;
	return html`<div class="page scrolls" role="region" aria-label=${title} tabindex="0">
		<header class="head"><h1>${title}</h1>${data?.node && html`<span class="small soft">node ${data.node}${data.date && html`, <${Time} at=${data.date} />`}</span>`}${data && state?.(data)}</header>
		<div class="body stack">
			<${Trouble} of=${report} />
			${!data && report.isLoading && html`<${Skeleton} />`}
			${data && html`${children?.(data)}<${Facts} facts=${facts(data)} />
				${sections(data).map((each) => html`<section class="stack"><h2>${each.title}</h2>
					<${Table} label=${each.title} ...${each} /></section>`)}`}
		</div>
	</div>`;
}

/** @param {number} seconds The two largest units. */
export function spoken(seconds) {
	let rest = Math.round(seconds);
	const parts = Object.entries({ d: 86400, h: 3600, min: 60, s: 1 }).flatMap(([unit, size]) => {
		const count = Math.floor(rest / size);
		rest %= size;
		return count > 0 ? `${count} ${unit}` : [];
	});
	return parts.slice(0, 2).join(" ") || "0 s";
}

/** @param {{facts: FactList}} props */
export function Facts({ facts }) {
	return facts.length ? html`<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? "–"}</dd>`)}</dl>` : null;
}

// --- A group of settings: what the server answers, and a form that changes it

const HIDDEN = /^(url|links|account_sid|chat_service_sid|meta)$/;

/** @param {any} value @returns {string} */
const written = (value) =>
	value === true ? "yes" : value === false ? "no" : Array.isArray(value) ? value.join(", ")
	: typeof value === "object" ? Object.entries(value ?? {}).map(([name, each]) => `${labelOf(name)}: ${written(each)}`).join(", ")
	: String(value);

/** @param {GroupProps} props */
export function Group({ title, path, id, values }) {
	const row = useLoad(() => get(path), [path]);
	const [dialog, open] = useDialog();
	const facts = Object.entries(row.data ?? {}).filter(([name]) => !HIDDEN.test(name));
	return html`<section class="card stack">
		<header class="row"><h2>${title}</h2>
			<button class="push" disabled=${!mayChange() || !row.data} onClick=${() => open({ id, title, values, row: row.data, onDone: row.reload })}><${Icon} name="edit" />Edit</button></header>
		<${Trouble} of=${row} />
		${row.data ? html`<${Facts} facts=${facts.map(([name, value]) => [labelOf(name), written(value) || "–"])} />` : row.isLoading && html`<${Skeleton} lines=${3} />`}
		${dialog}
	</section>`;
}
