/** A table of rows that open: a list of cards on a narrow screen. */
import { Empty, go, html, listKeys, Skeleton, Time, Trouble } from "../kit.js";
import { empty } from "../words.js";
import { Sid } from "./sid.js";

/**
 * @typedef {{label: string, cell: (row: any) => any, kind?: "number" | "wide" | "nowrap"}} Column
 * `kind` `wide`: both columns of a card.
 */

/** @typedef {[label: string, cell: string | ((row: any) => any), kind?: Column["kind"]]} ShortColumn */

/** @param {ShortColumn[]} rows Columns, written short; a cell may be the name of a property. @returns {Column[]} */
export const columns = (...rows) =>
	rows.map(([label, cell, kind]) => ({ label, cell: typeof cell === "string" ? (row) => row[cell] ?? "–" : cell, kind }));

/** @param {string} name @param {boolean} [full] @returns {(row: any) => any} A cell with this time. */
export const timeOf = (name, full) => (row) => html`<${Time} at=${row[name]} full=${full} />`;

/** @param {string} name @returns {(row: any) => any} A cell with this SID. */
export const sidOf = (name) => (row) => html`<${Sid} sid=${row[name]} />`;

/** @param {{column: Column, row: any}} props A row that cannot be drawn shows its JSON. */
function Cell({ column, row }) {
	let shown;
	try {
		shown = column.cell(row);
	} catch {
		shown = html`<code>${JSON.stringify(row)}</code>`;
	}
	return html`<td role="cell" class=${column.kind} data-label=${column.label}>${shown}</td>`;
}

/**
 * @param {{
 *   label: string, list?: any, columns: Column[], rows?: any[], keyOf?: string | ((row: any) => string),
 *   hrefOf?: (row: any) => string, selected?: string, none?: any,
 * }} props
 * `list`: as `useList` returns it, for its states and further pages; `keyOf`: or the property; `none`:
 * a sentence, or title and next step, if it is empty; the first cell should link to `hrefOf(row)`.
 */
export function Table({ label, columns, list, rows = list.rows, keyOf: key = "sid", hrefOf, selected, none }) {
	const keyOf = typeof key === "string" ? (/** @type {any} */ row) => row[key] : key;
	if (list?.error && !rows.length) return html`<${Trouble} problem=${list.error} retry=${list.reload} />`;
	if (list?.isLoading && !list.data) return html`<${Skeleton} lines=${8} />`;
	const [title, next] = Array.isArray(none) ? none : empty.filtered;
	if (!rows.length && typeof none === "string") return html`<p class="soft">${none}</p>`;
	if (!rows.length) return html`<${Empty} title=${title}>${next}<//>`;
	const open = (/** @type {any} */ row, /** @type {Event} */ event) => {
		const inside = /** @type {HTMLElement} */ (event.target).closest("a, button, input, select");
		if (hrefOf && (!inside || inside === event.currentTarget)) go(hrefOf(row));
	};
	return html`<${Trouble} problem=${list?.error} retry=${list?.reload} />
		<table class="table" role="table" aria-label=${label} onKeyDown=${listKeys}>
			<thead>
				<tr role="row">
					${columns.map((each) => html`<th role="columnheader" scope="col" class=${each.kind}>${each.label}</th>`)}
				</tr>
			</thead>
			<tbody role="rowgroup">
				${rows.map(
					(row) => html`<tr
						role="row"
						key=${keyOf(row)}
						data-row=${keyOf(row)}
						tabindex=${hrefOf ? 0 : undefined}
						aria-selected=${hrefOf ? keyOf(row) === selected : undefined}
						onClick=${(/** @type {Event} */ event) => open(row, event)}
						onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && open(row, event)}
					>
						${columns.map((column) => html`<${Cell} column=${column} row=${row} />`)}
					</tr>`,
				)}
			</tbody>
		</table>
		<${More} list=${list} />`;
}

/** @param {{list?: any}} props The button that loads the next page of a list. */
export function More({ list }) {
	if (!list?.more) return null;
	return html`<p class="more">
		<button type="button" disabled=${list.isLoadingMore} onClick=${list.more}>Load more</button>
	</p>`;
}
