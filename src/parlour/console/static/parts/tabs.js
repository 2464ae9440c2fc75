/** Tabs: the arrow keys move among them, `[` and `]` from anywhere on the page. */
import { html, useKeys, useQuery } from "../kit.js";

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
