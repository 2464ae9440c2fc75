/** Sign-in: over the page, so that what was typed there stays. */
import { isOpen, signIn } from "../api.js";
import { html } from "../kit.js";
import { Dialog, Field } from "./dialog.js";

export default function SignIn() {
	const act = (/** @type {Record<string, string>} */ fields) => signIn(fields);
	return html`<${Dialog} title="Sign in to Parlour" action="Sign in" act=${act} onClose=${() => {}}>
		<${Field} label="Account, API key or operator key">
			<input name="Name" required autocomplete="username" spellcheck=${false} placeholder="AC…, SK… or OP…" />
		<//>
		<${Field} label="Auth token or secret" hint="No account at hand? The command parlour console prints a link.">
			<input name="Secret" type="password" required autocomplete="current-password" />
		<//>
		${isOpen && html`<p>Or reload this page: this server lets you in.</p>`}
	<//>`;
}
