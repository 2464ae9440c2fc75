/** A form in a window. */
import { useAction } from "../api.js";
import { html, onSubmit, Trouble, useEffect, useElement } from "../kit.js";

/** @param {DialogProps} props A modal dialog with a form; it closes after `act` was successful. */
export function Dialog({ title, action, act, onClose, isDanger = false, isNote, children }) {
	const dialog = useElement();
	useEffect(() => dialog.current?.showModal(), []);
	const submission = useAction(async (/** @type {FormData} */ form) => {
		const fields = /** @type {Record<string, string>} */ (Object.fromEntries(form));
		const stays = await act(fields, form);
		if (stays !== true) dialog.current?.close();
	});
	return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
		<form onSubmit=${onSubmit((form) => submission.run(new FormData(form)))}>
			<h2 id="dialog-title">${title}</h2>
			${children}
			<${Trouble} of=${submission} />
			<div class="actions">
				${!isNote && html`<button type="button" onClick=${() => dialog.current?.close()}>Cancel</button>`}
				<button class="primary ${isDanger ? "danger" : ""}" disabled=${submission.isRunning}>${action}</button>
			</div>
		</form>
	</dialog>`;
}

/** @param {FieldProps} props */
export function Field({ label, hint, isWide = false, children }) {
	return html`<label class="field ${isWide ? "wide" : ""}">
		<span>${label}</span>${children}${hint && html`<span class="hint">${hint}</span>`}
	</label>`;
}
