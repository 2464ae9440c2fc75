/** Forms made from the description of an operation: a new parameter appears without work here. */
import { call, get, useLoad } from "../api.js";
import { html, Trouble, useState } from "../kit.js";
import { Dialog } from "./dialog.js";
import { JsonField } from "./json.js";

/** @typedef {{name: string, schema: any, isRequired: boolean}} Parameter */
/** @typedef {{method: string, path: string, summary: string, parameters: Parameter[]}} Operation */

/** @type {Map<string, Promise<Operation>>} */
const described = new Map();

/** @param {string} id The id of an operation. */
export function describe(id) {
	const known = described.get(id) ?? get("/parlour/v1/OpenApi", { Operation: id }).then(read);
	described.set(id, known);
	return known;
}

/** @param {any} document @returns {Operation} of its only operation. */
function read({ paths }) {
	const [[path, methods]] = Object.entries(paths);
	const [[method, operation]] = Object.entries(methods);
	const schema = operation.requestBody?.content["application/x-www-form-urlencoded"]?.schema ?? {};
	const parameters = Object.entries(schema.properties ?? {}).map(([name, each]) => ({
		name,
		schema: each,
		isRequired: (schema.required ?? []).includes(name),
	}));
	return { method: method.toUpperCase(), path, summary: operation.summary, parameters };
}

/** @param {string} name `Timers.Inactive` as words: "Timers: inactive". */
const words = (name) =>
	name.split(".").map((part) => part.replace(/([a-z])([A-Z])/g, (_, one, two) => `${one} ${two.toLowerCase()}`)).join(": ");

/** @param {any} row @param {string} name The value of a parameter in the object as it is. */
function present(row, name) {
	const snake = (/** @type {string} */ part) => part.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
	const value = name.split(".").reduce((at, part) => at?.[snake(part)], row);
	return value === undefined || value === null ? "" : Array.isArray(value) ? value.join("\n") : String(value);
}

/** @param {{parameter: Parameter, value: string}} props */
function Control({ parameter: { name, schema, isRequired }, value }) {
	const label = words(name);
	const kinds = [schema.type].flat();
	if (name === "Attributes") return html`<${JsonField} value=${value || "{}"} bytesMax=${16384} />`;
	const options = schema.enum ?? (kinds.includes("boolean") ? ["true", "false"] : null);
	const control = options
		? html`<select name=${name} required=${isRequired}>
				<option value="">${value ? "" : "–"}</option>${options.map((/** @type {any} */ each) => html`<option selected=${String(each) === value}>${String(each)}</option>`)}
			</select>`
		: kinds.includes("array")
			? html`<textarea name=${name} rows="3" required=${isRequired} defaultValue=${value} />`
			: html`<input name=${name} type=${kinds.includes("integer") ? "number" : "text"} defaultValue=${value} required=${isRequired} maxlength=${schema.maxLength} />`;
	return html`<label class="field ${kinds.includes("array") ? "wide" : ""}">
		<span>${label}${isRequired && " (required)"}${kinds.includes("array") && ", one a line"}</span>${control}
	</label>`;
}

/**
 * The parameters that differ from the object as it is.
 * @param {Operation} operation
 * @param {Record<string, string>} fields
 * @param {any} row
 */
function changes({ parameters }, fields, row) {
	/** @type {Record<string, string | string[]>} */
	const changed = {};
	for (const { name, schema } of parameters) {
		const text = fields[name];
		if (text === undefined || text.trim() === present(row, name).trim()) continue;
		changed[name] = [schema.type].flat().includes("array") ? text.split("\n").map((each) => each.trim()).filter(Boolean) : text;
	}
	return changed;
}

/**
 * A dialog with the form of an operation; only what was changed is sent.
 * @param {{
 *   id: string, title: string, action?: string, values?: Record<string, string>, row?: any, only?: string[],
 *   fixed?: Record<string, string>,
 *   onDone: (result: any) => void, onClose: () => void, account?: string,
 * }} props `values`: of the variables of the path; `fixed`: parameters that are not shown; `row`: the object that is edited; `only`: the
 * parameters that are shown, in this order.
 */
export function OperationDialog({ id, title, action = "Save", values = {}, row, only, fixed = {}, onDone, onClose, account }) {
	const operation = useLoad(() => describe(id), [id]);
	const [typed] = useState(row ?? {});
	const shape = operation.data;
	if (operation.error) return html`<${Trouble} problem=${operation.error} />`;
	if (!shape) return null;
	const shown = only ? only.flatMap((name) => shape.parameters.filter((each) => each.name === name)) : shape.parameters.filter((each) => !(each.name in fixed));
	const act = async (/** @type {Record<string, string>} */ fields) => {
		const path = shape.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name]));
		onDone((await call(shape.method, path, { ...changes(shape, fields, typed), ...fixed }, { account })).data);
	};
	return html`<${Dialog} title=${title} action=${action} act=${act} onClose=${onClose}>
		<div class="form">${shown.map((each) => html`<${Control} key=${each.name} parameter=${each} value=${present(typed, each.name)} />`)}</div>
	<//>`;
}
