/** Dialogs made of a list of fields: what an operation takes, and what it is now. */
import { html, useState } from "../kit.js";
import { Dialog, Field } from "./dialog.js";
import { compactJson, JsonField } from "./json.js";

/**
 * @typedef {{
 *   name: string, label?: string, value?: any, hint?: any, max?: number, isRequired?: boolean,
 *   kind?: "text" | "area" | "json" | "number" | "check" | "many" | "lines",
 *   options?: (string | [string, string])[],
 * }} FormField `name`: of the parameter; `max`: bytes of JSON; `many` and `lines` have arrays.
 * @typedef {{
 *   title: string, text?: any, action?: string, isDanger?: boolean, isWhole?: boolean, fields?: FormField[],
 *   act: (changes: Record<string, any>) => any,
 * }} FormSpec `act` gets the fields that differ from their `value`; `isWhole`: all.
 */

/** @param {FormField} field Its value is a default: Preact writes `value` and `checked` again at each redraw. */
function Control({ name, label = name, value = "", kind = "text", options, isRequired, hint, max = 4096 }) {
	const choices = (options ?? []).map((each) => (typeof each === "string" ? [each, each] : each));
	if (kind === "json") return html`<${JsonField} name=${name} label=${label} value=${value} bytesMax=${max} />`;
	if (kind === "check")
		return html`<label class="check"><input type="checkbox" name=${name} defaultChecked=${value} />${label}</label>`;
	if (kind === "many")
		return html`<fieldset class="field wide many"><legend>${label}</legend>
			${choices.map(([each, text]) => html`<label class="check">
				<input type="checkbox" name=${name} value=${each} defaultChecked=${value?.includes?.(each)} />${text}</label>`)}
		</fieldset>`;
	const isArea = kind === "area" || kind === "lines";
	return html`<${Field} label=${label} hint=${hint} isWide=${isArea}>
		${options
			? html`<select name=${name}>${choices.map(([each, text]) => html`<option value=${each} selected=${each === value}>${text}</option>`)}</select>`
			: isArea
				? html`<textarea name=${name} rows="3" required=${isRequired} defaultValue=${kind === "lines" ? [value].flat().join("\n") : value} />`
				: html`<input name=${name} type=${kind} required=${isRequired} defaultValue=${value} spellcheck=${false} />`}
	<//>`;
}

/**
 * @param {FormField} field
 * @param {FormData} form
 */
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
function FormDialog({ title, text, action = "Save", isDanger, isWhole, fields = [], act, onClose }) {
	const submit = (/** @type {any} */ _fields, /** @type {FormData} */ form) => {
		const pairs = fields.map((each) => [each.name, given(each, form), before(each)]);
		const changed = pairs.filter(([, now, last]) => isWhole || JSON.stringify(now) !== JSON.stringify(last));
		if (fields.length && !changed.length) return;
		return act(Object.fromEntries(changed));
	};
	return html`<${Dialog} title=${title} action=${action} isDanger=${isDanger} act=${submit} onClose=${onClose}>
		${text && html`<p>${text}</p>`}
		${fields.length > 0 && html`<div class="form">${fields.map((each) => html`<${Control} ...${each} />`)}</div>`}
	<//>`;
}

/**
 * A dialog that is opened by what describes it.
 * @returns {[any, (spec: FormSpec) => void]} what to draw, and what opens it.
 */
export function useDialog() {
	const [spec, setSpec] = useState(/** @type {FormSpec | null} */ (null));
	return [spec && html`<${FormDialog} ...${spec} onClose=${() => setSpec(null)} />`, setSpec];
}
