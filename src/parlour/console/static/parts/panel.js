/** The panel beside a list: what is selected. It takes the focus, and gives it back to its row. */
import { go, html, Icon, useEffect, useKeys, useRef } from "../kit.js";

/**
 * @param {{title: any, closeTo: string, row?: string, actions?: any, children?: any}} props
 * `closeTo`: the address without the panel; `row`: the `data-row` that gets the focus back.
 */
export function Panel({ title, closeTo, row, actions, children }) {
	const head = useRef(/** @type {HTMLElement | null} */ (null));
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
