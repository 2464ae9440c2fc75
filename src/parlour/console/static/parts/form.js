/** Dialogs made of a list of fields, or of the description of an operation. */
import { call, get, useLoad } from "../api.js";
import { html, Icon, Trouble, useState } from "../kit.js";
import { forms as words, webhooks } from "../words.js";
import { Dialog, Field } from "./dialog.js";
import { compactJson, Copy, JsonField, labelOf, Sid } from "./values.js";

/** @param {FormField} field Its value is a default: Preact writes `value` and `checked` again at each redraw. */
function Control({ name, label = name, value = "", kind = "text", options, isRequired, hint, length, max = 4096 }) {
	const choices = (options ?? []).map((each) => (typeof each === "string" ? [each, each] : each));
	if (kind === "json") return html`<${JsonField} name=${name} label=${label} value=${value} bytesMax=${max} />`;
	if (kind === "check")
		return html`<label class="check"><input type="checkbox" name=${name} defaultChecked=${value} />${label}</label>`;
	if (kind === "many")
		return html`<fieldset class="field wide many"><legend>${label}</legend>
			${hint && html`<span class="hint">${hint}</span>`}
			${choices.map(([each, text]) => html`<label class="check">
				<input type="checkbox" name=${name} value=${each} defaultChecked=${value?.includes?.(each)} />${text}</label>`)}
		</fieldset>`;
	const isArea = kind === "area" || kind === "lines";
	return html`<${Field} label=${label} hint=${hint} isWide=${isArea}>
		${options
			? html`<select name=${name} required=${isRequired}>${choices.map(([each, text]) => html`<option value=${each} selected=${each === value}>${text}</option>`)}</select>`
			: isArea
				? html`<textarea name=${name} rows="3" required=${isRequired} defaultValue=${kind === "lines" ? [value].flat().join("\n") : value} />`
				: html`<input name=${name} type=${kind} required=${isRequired} maxlength=${length} defaultValue=${value} spellcheck=${false} />`}
	<//>`;
}

/** @param {FormField} field @param {FormData} form */
function given({ name, kind }, form) {
	if (kind === "check") return form.has(name);
	if (kind === "many") return form.getAll(name);
	const text = String(form.get(name) ?? "");
	if (kind === "json") return compactJson(text);
	return kind === "lines" ? text.split(/\s*\n\s*/).filter(Boolean) : text;
}

/** @param {FormField} field What `given` returns if nobody changes it. */
function before({ kind, value }) {
	if (kind === "check") return Boolean(value);
	if (kind === "many" || kind === "lines") return value || [];
	return kind === "json" ? compactJson(value) : String(value ?? "");
}

/** @param {FormSpec & {onClose: () => void}} props */
function FormDialog({ title, text, action = "Save", isDanger, isWhole, mayBeEmpty, fields = [], act, onClose }) {
	const submit = (/** @type {any} */ _fields, /** @type {FormData} */ form) => {
		const isSent = (/** @type {FormField} */ each) =>
			isWhole || each.isRequired || JSON.stringify(given(each, form)) !== JSON.stringify(before(each));
		const sent = fields.filter(isSent).map((each) => [each.name, given(each, form)]);
		if (fields.length && !sent.length && !mayBeEmpty) return;
		return act(Object.fromEntries(sent));
	};
	return html`<${Dialog} title=${title} action=${action} isDanger=${isDanger} act=${submit} onClose=${onClose}>
		${text && html`<div class="stack">${text}</div>`}
		${fields.length > 0 && html`<div class="form">${fields.map((each) => html`<${Control} key=${each.name} ...${each} />`)}</div>`}
	<//>`;
}

/** @param {{pick: (event: any) => void, name?: string, isMany?: boolean, children?: any}} props A button that chooses files. */
export const Files = ({ pick, name, isMany, children }) => html`<label class="button" title="File">
	<input type="file" class="unseen" aria-label="File" name=${name} multiple=${isMany} onChange=${pick} /><${Icon} name="file" />${children}</label>`;

// --- Forms of operations: a new parameter appears without work here

/** @type {Map<string, Promise<Operation>>} */
const described = new Map();

/** @param {string} id The id of an operation. */
function describe(id) {
	const known = described.get(id) ?? get("/parlour/v1/OpenApi", { Operation: id }).then(read);
	described.set(id, known);
	return known;
}

/** @param {any} document @returns {Operation} of its only operation. */
function read({ paths }) {
	const [[path, methods]] = Object.entries(paths);
	const [[method, operation]] = Object.entries(methods);
	const { properties = {}, required = [] } = operation.requestBody?.content["application/x-www-form-urlencoded"]?.schema ?? {};
	const parameters = Object.entries(properties).map(([name, schema]) => ({ name, schema, isRequired: required.includes(name) }));
	return { method: method.toUpperCase(), path, parameters: parameters.sort((one, other) => rank(one) - rank(other)) };
}

/** @type {Choices} */
const BOOLEAN = [["true", "yes"], ["false", "no"]];

/** @param {Parameter} parameter What is required comes first, and lists come last. */
const rank = ({ name, schema, isRequired }) => (isRequired ? 0 : schema.type === "array" ? 3 : /^[^.]*Url$/.test(name) ? 1 : 2);

/** @param {Parameter} parameter @param {any} row @param {Record<string, Choices>} known @returns {FormField} */
function fieldOf({ name, schema, isRequired }, row, known) {
	const snake = (/** @type {string} */ part) => part.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
	// A parameter that is repeated is a list with the name in the plural.
	const value = name.split(".").reduce((at, part) => at?.[snake(part)] ?? at?.[`${snake(part)}s`], row) ?? "";
	if (name === "Attributes") return { name, kind: "json", value: value || "{}", max: 16384 };
	const { type, enum: names, maxLength } = schema.anyOf?.[0] ?? schema;
	const base = { name, isRequired, label: labelOf(name) + (isRequired ? " (required)" : ""), hint: words.hints[name] };
	if (type === "array") {
		const choices = known[name] ?? (name.endsWith("Filters") && webhooks.events);
		if (!choices) return { ...base, label: `${base.label}, one a line`, kind: "lines", value };
		const options = [...new Set([...choices, ...value])];
		return { ...base, kind: "many", options, value: options.filter((each) => value.includes(each)) };
	}
	const choices = known[name] ?? (type === "boolean" ? BOOLEAN : names);
	// An object may have "POST" where the choice is "post".
	const chosen = choices?.flat().find((each) => each.toLowerCase() === String(value).toLowerCase()) ?? String(value);
	return { ...base, length: maxLength, kind: type === "integer" ? "number" : "text", value: chosen, options: choices && [["", "–"], ...choices] };
}

/** @param {OperationSpec & {onClose: () => void}} props Only what was changed is sent. */
function OperationDialog({ id, values = {}, row, only, fixed = {}, known = {}, onDone, ...spec }) {
	const { data: operation, error } = useLoad(() => describe(id), [id]);
	if (!operation) return html`<${Trouble} problem=${error} />`;
	const { method, path, parameters } = operation;
	const shown = only ? only.flatMap((name) => parameters.filter((each) => each.name === name)) : parameters.filter(({ name }) => !(name in fixed));
	const act = async (/** @type {any} */ changes) => {
		const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name]));
		onDone((await call(method, filled, { ...changes, ...fixed })).data);
	};
	return html`<${FormDialog} ...${spec} mayBeEmpty fields=${shown.map((each) => fieldOf(each, row, known))} act=${act} />`;
}

/**
 * A dialog that is opened by what describes it; another may be opened while it is sent.
 * @returns {[any, (spec: FormSpec | OperationSpec) => void]} what to draw, and what opens it.
 */
export function useDialog() {
	const [spec, setSpec] = useState(/** @type {any} */ (null));
	const onClose = () => setSpec((/** @type {any} */ now) => (now === spec ? null : now));
	return [spec && html`<${spec.id ? OperationDialog : FormDialog} key=${spec.title} ...${spec} onClose=${onClose} />`, setSpec];
}

/** @param {any} made A secret that was just made: it is shown once. @returns {FormSpec} */
export function secretOf({ sid, secret, auth_token: text = secret }) {
	const shown = html`${words.once}<dl class="facts"><dt>Name</dt><dd><${Sid} sid=${sid} full /></dd>
		<dt>Secret</dt><dd class="row"><code>${text}</code><${Copy} text=${text} /></dd></dl>`;
	return { title: "Shown once", action: "I have it", text: shown, act() {} };
}
