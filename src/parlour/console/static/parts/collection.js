/** A list of objects of the API with what may be done to them: add, edit, remove. */
import { mayChange, post, remove } from "../api.js";
import { html } from "../kit.js";
import { useDialog } from "./form.js";
import { Table } from "./list.js";

/** @param {CollectionProps} props */
export function Collection({ label, one, path, list, columns, fields, nameOf = (row) => row.sid, none, removal, isFixed }) {
	const [dialog, open] = useDialog();
	const isOpen = mayChange() && !isFixed;
	const add = { title: `Add a ${one}`, action: "Add", fields: fields(),
		act: (/** @type {any} */ given) => post(path, given).then(list.reload) };
	const edit = (/** @type {any} */ row) => ({ title: `Edit ${nameOf(row)}`, fields: fields(row),
		act: (/** @type {any} */ changes) => post(`${path}/${row.sid}`, changes).then(list.reload) });
	const ask = (/** @type {any} */ row) => ({ title: `Remove ${nameOf(row)}?`, text: removal, action: "Remove", isDanger: true,
		act: () => remove(`${path}/${row.sid}`).then(list.reload) });
	const actions = { label: "Actions", cell: (/** @type {any} */ row) => html`<span class="row">
		<button class="small" aria-label="Edit ${nameOf(row)}" onClick=${() => open(edit(row))}>Edit</button>
		<button class="small danger" aria-label="Remove ${nameOf(row)}" onClick=${() => open(ask(row))}>Remove</button>
	</span>` };
	return html`<header class="row section"><h3>${label}</h3>
			${isOpen && html`<button class="push" onClick=${() => open(add)}>Add a ${one}</button>`}</header>
		<${Table} label=${label} columns=${isOpen ? [...columns, actions] : columns} list=${list}
			none=${none} />
		${dialog}`;
}
