/** Lists: their table, filters and tabs, and the panel of what is selected. */
import { Empty, go, html, Icon, listKeys, onValue, preferences, Skeleton, Time, Trouble, useEffect, useElement, useField, useKeys, useQuery, Whole } from "../kit.js";
import { empty } from "../words.js";
import { Sid } from "./values.js";

/** @param {ShortColumn[]} rows Columns, written short; a cell may be the name of a property. @returns {Column[]} */
export const columns = (...rows) =>
	rows.map(([label, cell, kind]) => ({ label, cell: typeof cell === "string" ? (row) => row[cell] ?? "–" : cell, kind }));

/** @param {string} name @param {boolean} [full] @returns {(row: any) => any} A cell with this time. */
export const timeOf = (name, full) => (row) => html`<${Time} at=${row[name]} full=${full} />`;

/** @param {string} name @returns {(row: any) => any} A cell with this SID. */
export const sidOf = (name) => (row) => html`<${Sid} sid=${row[name]} />`;

/** @param {{columns: Column[], row: any}} props */
const Cells = ({ columns, row }) => columns.map(({ cell, kind, label }) => html`<td role="cell" class=${kind} data-label=${label}>${cell(row)}</td>`);

/** @param {TableProps} props */
export function Table({ label, columns, list, rows = list.rows, keyOf: key = "sid", hrefOf, selected, none }) {
	const keyOf = typeof key === "string" ? (/** @type {any} */ row) => row[key] : key;
	if (list?.error && !rows.length) return html`<${Trouble} of=${list} />`;
	if (list?.isLoading && !list.data) return html`<${Skeleton} lines=${8} />`;
	const [title, next] = Array.isArray(none) ? none : empty.filtered;
	if (!rows.length && typeof none === "string") return html`<p class="soft">${none}</p>`;
	if (!rows.length) return html`<${Empty} title=${title}>${next}<//>`;
	const open = (/** @type {any} */ row, /** @type {Event} */ event) => {
		const inside = /** @type {HTMLElement} */ (event.target).closest("a, button, input, select");
		if (hrefOf && (!inside || inside === event.currentTarget)) go(hrefOf(row));
	};
	return html`<${Trouble} of=${list} />
		<table class="table" role="table" aria-label=${label} onKeyDown=${listKeys}>
			<thead>
				<tr role="row">
					${columns.map((each) => html`<th role="columnheader" scope="col" class=${each.kind}>${each.kind === "actions" ? html`<span class="unseen">${each.label}</span>` : each.label}</th>`)}
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
						<${Whole} row=${row} as="td" role="cell" colspan="9"><${Cells} columns=${columns} row=${row} /><//>
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

// --- A field that filters a list by a value of the address.

/** @param {string} time Of the server (RFC 3339), as a field for a local time has it. */
function toField(time) {
	const at = new Date(time);
	if (Number.isNaN(at.valueOf())) return "";
	const offset = preferences.get().zone === "utc" ? 0 : at.getTimezoneOffset() * 60e3;
	return new Date(at.valueOf() - offset).toISOString().slice(0, 19);
}

/** @param {string} text What the field has, as a time of the server. */
const fromField = (text) => text && new Date(text + (preferences.get().zone === "utc" ? "Z" : "")).toISOString();

/** @param {{label: string, name: string, kind?: string}} props `name`: in the query. */
export function Filter({ label, name, kind = "search" }) {
	const isTime = kind === "datetime-local";
	const field = useField(name, ...(isTime ? [fromField, toField] : []));
	const input = html`<input ...${field} type=${kind} aria-label=${label} placeholder=${label} step=${isTime && 1} />`;
	return isTime ? html`<label class="row small soft">${label}${input}</label>` : input;
}

/** @param {{label: string, name: string, options: (string | [string, string])[]}} props A choice, in the query. */
export function Choice({ label, name, options }) {
	const [value, set] = useQuery(name);
	return html`<select aria-label=${label} value=${value} onChange=${onValue(set)}>
		${options.map((each) => [each].flat()).map(([key, text = key]) => html`<option value=${key}>${text}</option>`)}
	</select>`;
}

// --- Tabs: the arrow keys move among them, `[` and `]` from anywhere on the page.

/**
 * @param {{label: string, tabs: [string, any][], first?: string}} props
 * `tabs`: their names in the query `tab`, and what they are called.
 */
export function Tabs({ label, tabs, first = tabs[0][0] }) {
	const [at, setAt] = useQuery("tab", first);
	const names = tabs.map(([name]) => name);
	const move = (/** @type {number} */ step) =>
		setAt(names[(names.indexOf(at) + step + names.length) % names.length]);
	useKeys({ "[": () => move(-1), "]": () => move(1) });
	const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
		const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (!step) return;
		move(step);
		const list = /** @type {HTMLElement} */ (event.currentTarget);
		requestAnimationFrame(() => /** @type {any} */ (list.querySelector("[aria-selected=true]"))?.focus());
	};
	return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
		${tabs.map(
			([name, text]) => html`<button
				type="button"
				role="tab"
				id="tab-${name}"
				aria-selected=${name === at}
				aria-controls="tab-panel"
				tabindex=${name === at ? 0 : -1}
				onClick=${() => setAt(name)}
			>
				${text}
			</button>`,
		)}
	</div>`;
}

// --- The panel beside a list: what is selected. It takes the focus, and gives it back to its row.

/** @param {PanelProps} props */
export function Panel({ title, closeTo, row, actions, children }) {
	const head = useElement();
	const close = (/** @type {Event} */ event) => {
		event.preventDefault();
		go(closeTo);
		const back = row && document.querySelector(`[data-row="${CSS.escape(row)}"]`);
		if (back instanceof HTMLElement) requestAnimationFrame(() => back.focus());
	};
	useKeys({ Escape: close });
	useEffect(() => head.current?.focus(), [row]);
	return html`<section class="panel" aria-labelledby="panel-title">
		<header class="head">
			<h2 id="panel-title" class="cut" tabindex="-1" ref=${head}>${title}</h2>
			<div class="row push">
				${actions}
				<a class="button" href=${closeTo} onClick=${close} aria-label="Close"><${Icon} name="close" /></a>
			</div>
		</header>
		<div class="body">${children}</div>
	</section>`;
}
