/** A page of figures of the server: facts and tables that are read again every few seconds. */
import { get, useLoad } from "../api.js";
import { html, Skeleton, Time, Trouble, useTimer } from "../kit.js";
import { Table } from "./list.js";

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

/** @typedef {{title: string, columns: import("./list.js").Column[], rows: any[], none: string, keyOf?: string | ((row: any) => string)}} Section */

/**
 * @param {{
 *   title: string, path: string, facts?: (data: any) => [string, any][],
 *   sections?: (data: any) => Section[], children?: (data: any, reload: () => void) => any,
 * }} props `path` is one of an operator, or of the account if it starts with `/v1`.
 */
export function Report({ title, path, facts = () => [], sections = () => [], children }) {
	const report = useLoad((signal) => get(path, {}, { signal, account: "-" }), [path]);
	useTimer(() => report.reload(), REFRESH_MS);
	const data = report.data;
	return html`<div class="page scrolls" role="region" aria-label=${title} tabindex="0">
		<header class="head"><h1>${title}</h1>${data?.node && html`<span class="small soft">node ${data.node}, <${Time} at=${data.date} /></span>`}</header>
		<div class="body stack">
			<${Trouble} problem=${report.error} retry=${report.reload} />
			${!data && report.isLoading && html`<${Skeleton} />`}
			${data && html`<${Facts} facts=${facts(data)} />${children?.(data, report.reload)}
				${sections(data).map((each) => html`<section class="stack"><h2>${each.title}</h2>
					<${Table} label=${each.title} ...${each} /></section>`)}`}
		</div>
	</div>`;
}

/** @param {{facts: [string, any][]}} props */
export function Facts({ facts }) {
	return facts.length ? html`<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? "–"}</dd>`)}</dl>` : null;
}
