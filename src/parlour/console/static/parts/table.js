/** A table of rows that open: a list of cards on a narrow screen. */
import { Empty, go, html, listKeys, Skeleton, Trouble } from "../kit.js";
import { empty } from "../words.js";

/**
 * @typedef {{label: string, cell: (row: any) => any, kind?: "number" | "wide" | "nowrap"}} Column
 * `kind` `wide`: both columns of a card.
 */

/** @param {[label: string, cell: (row: any) => any, kind?: Column["kind"]][]} rows Columns, written short. */
export const columns = (...rows) => rows.map(([label, cell, kind]) => ({ label, cell, kind }));

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
 *   label: string, columns: Column[], rows: any[], keyOf?: (row: any) => string,
 *   hrefOf?: (row: any) => string, selected?: string, list?: any, none?: any,
 * }} props
 * `list`: as `useList` returns it, for its states and further pages; `none`: what is shown if it is
 * empty, or its title and next step; the first cell should hold a link to `hrefOf(row)`.
 */
export function Table({ label, columns, rows, keyOf = (row) => row.sid, hrefOf, selected, list, none }) {
	if (list?.error && !rows.length) return html`<${Trouble} problem=${list.error} retry=${list.reload} />`;
	if (list?.isLoading && !list.data) return html`<${Skeleton} lines=${8} />`;
	const [title, next] = Array.isArray(none) ? none : empty.filtered;
	if (!rows.length) return none?.type ? none : html`<${Empty} title=${title}>${next}<//>`;
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
