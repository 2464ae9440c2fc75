/** Tokens: make one, and check one from anywhere. */
import { post, useAction } from "../../api.js";
import { Badge, html, onSubmit, onValue, Time, Trouble, useState } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { columns, Table } from "../../parts/list.js";
import { Facts } from "../../parts/report.js";
import { Copy, Json } from "../../parts/values.js";
import { clients as words } from "./words.js";

const COLUMNS = columns(
	["Check", (row) => words.checks[row.name] ?? row.name],
	["Result", ({ passed }) => html`<${Badge} tone=${passed ? "good" : passed === false ? "bad" : "soft"}>
		${passed ? "passed" : passed === false ? "failed" : "not reached"}<//>`, "nowrap"],
	["Reason", ({ code, message }) => code && `${code}: ${message}`, "wide"],
);

/** @param {{mayMake: boolean}} props */
export default function Tokens({ mayMake }) {
	const [token, setToken] = useState("");
	const [dialog, ask] = useDialog();
	const [found, setFound] = useState(/** @type {any} */ (null));
	const check = useAction(async (/** @type {string} */ text) => {
		setFound(null);
		setFound(await post("/parlour/v1/TokenChecks", { Token: text.trim() }));
	});
	const show = (/** @type {string} */ text) => {
		setToken(text);
		void check.run(text);
	};
	const make = () => ask({ id: "CreateToken", title: "Make a token", action: "Make", onDone: (made) => show(made.token) });
	return html`<form class="stack" onSubmit=${onSubmit(() => check.run(token))}>
			<label class="field"><span>Access token</span>
				<textarea class="token" rows="4" required spellcheck=${false} value=${token} placeholder=${words.paste} disabled=${!mayMake}
					onInput=${onValue(setToken)} /></label>
			<p class="row"><button class="primary" disabled=${!mayMake || check.isRunning}>Check</button>
				<button type="button" disabled=${!mayMake} onClick=${make}>Make a token</button>
				${token && html`<${Copy} text=${token}>Copy<//>`}${!mayMake && html`<span class="soft">${words.mayNot}</span>`}</p>
		</form>
		<${Trouble} of=${check} />
		${found && html`<section class="stack" aria-label="Result">
			<${Facts} facts=${[["Token", html`<${Badge} tone=${found.valid ? "good" : "bad"}>${found.valid ? "valid" : "refused"}<//>`],
				["Identity", found.payload?.grants?.identity], ["Ends", html`<${Time} at=${found.date_expires} full />`]]} />
			<${Table} label="Checks" columns=${COLUMNS} rows=${found.checks} keyOf="name" />
			${["header", "payload"].map((name) => found[name] && html`<${Json} value=${found[name]} label=${name} />`)}
		</section>`}
		${dialog}`;
}
