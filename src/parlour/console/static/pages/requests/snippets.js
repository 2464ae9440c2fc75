/** A request of the journal as code. */
import { route } from "../../kit.js";

/** @param {any} value A form of the journal as pairs; a repeated parameter is a list. */
const pairs = (value) =>
	Object.entries(value ?? {}).flatMap(([name, texts]) => [texts].flat().map((text) => [name, String(text)]));

/** @param {string} text */
export const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** @param {string} language `curl`, `Python` or `Node.js` @param {any} row */
export function snippet(language, row) {
	const account = route.get().account;
	const form = pairs(row.form);
	const isPost = row.method === "POST";
	const query = !isPost && form.length ? `?${new URLSearchParams(form)}` : "";
	const url = location.origin + row.path + query;
	const data = JSON.stringify(form);
	if (language === "curl") {
		const fields = isPost ? form.map(([name, text]) => ` \\\n  --data-urlencode ${quoted(`${name}=${text}`)}`).join("") : "";
		const header = row.webhooks_enabled ? " \\\n  -H 'X-Twilio-Webhook-Enabled: true'" : "";
		return `curl -X ${row.method} -u "${account}:$AUTH_TOKEN" ${quoted(url)}${header}${fields}`;
	}
	if (language === "Python")
		return `import requests\n\nrequests.request(\n    "${row.method}", ${JSON.stringify(url)},\n    auth=("${account}", auth_token)${isPost ? `, data=${data}` : ""},\n)`;
	const body = isPost ? `\n  body: new URLSearchParams(${data}),` : "";
	return `await fetch(${JSON.stringify(url)}, {\n  method: "${row.method}",\n  headers: { Authorization: \`Basic \${btoa(\`${account}:\${authToken}\`)}\` },${body}\n});`;
}
