/** Phones side by side; `on` in the address has each one as `address>thread`. */
import { address as urlOf, call, get, mayChange, post, remove, useAction, useList, useLoad } from "../api.js";
import { Empty, href, html, Icon, onValue, setQuery, Time, Trouble, useEffect, useQuery, useState, Whole, written } from "../kit.js";
import { useLive, useRefresh } from "../live.js";
import { Files, useDialog } from "../parts/form.js";
import { Tabs } from "../parts/list.js";
import { phones as words, by } from "../words.js";

const PATH = "/parlour/v1/VirtualPhones";
/** Shown if the address names none. */
const PHONES = Math.max(1, Math.min(4, Math.floor(innerWidth / 400)));
const DAY = { weekday: "short", day: "numeric", month: "short" };

/** @param {any} row @param {string} address Who is on the other side: an address, or all others of a group. */
const otherOf = ({ group, direction, from, to }, address) =>
	group ? group.join(" ").replace(address, "").trim() : direction === "sent" ? to[0] : from;

/** @param {string} path @param {string} address */
function useInbox(path, address) {
	const list = useList(path, "messages", { PageSize: 100 });
	const { rows, more } = list;
	useEffect(() => void more?.(), [rows.length]);
	const touch = useRefresh(async () => {
		// Reports change the last ones.
		const { messages } = await get(path, { After: rows.at(-20)?.date_created, PageSize: 100 });
		const first = messages[0]?.date_created;
		if (!more) list.update((last) => ({ ...last, rows: [...last.rows.filter((each) => each.date_created < first), ...messages] }));
	});
	useLive((events) => {
		if (events) touch(events.filter((each) => /^on[MD]/.test(each.event_type)).map((each) => each.subject_sid));
		else list.reload();
	});
	const taken = new Set(rows.map((each) => each.conversation_sid)).size;
	const places = useLoad(() => get("/v1/ParticipantConversations", { Address: address }), [address, taken]);
	const threads = /** @type {Map<string, any[]>} */ (new Map());
	for (const row of rows) {
		const key = otherOf(row, address);
		if (!threads.has(key)) threads.set(key, []);
		threads.get(key)?.push(row);
	}
	const names = by({});
	for (const place of places.data?.conversations ?? []) {
		const proxy = place.participant_messaging_binding?.proxy_address;
		names[place.conversation_sid] = names[proxy] = place.conversation_friendly_name;
		if (proxy && !threads.has(proxy)) threads.set(proxy, []);
	}
	return { list, rows, threads, names, touch };
}

/** @param {any} props */
const Select = ({ label, value = "", options, act }) => html`<select
	aria-label=${label} value=${value} onChange=${onValue(act)}
>${options.map((/** @type {any} */ [key, text]) => html`<option value=${key}>${text}</option>`)}</select>`;

/** @param {any} props */
function Bubble({ row, path, name, hooks, touch }) {
	const { sid, direction, segments, encoding, status, conversation_sid: taker } = row;
	const read = () => post(path, { Status: "read" }).then(() => touch([sid]));
	return html`<li class="bubble ${direction}">
		<p class="text">
			${row.media?.map((/** @type {any} */ { url, content_type: type, filename = type }) => {
				const at = urlOf(`${path}/Media/${url.split("/").pop()}`);
				return /^image\/(?!svg)/.test(type) ? html`<img src=${at} alt=${filename} />` : html`<a href=${at} target="_blank" download>${filename}</a> `;
			})}${row.body}
		</p>
		<div class="meta small soft">
			${row.group && row.from} <${Time} at=${row.date_created} />
			<span class="nowrap">${encoding ? `${segments} segment${segments > 1 ? "s" : ""}, ${encoding}` : row.group ? "group MMS" : words.kinds[sid.slice(0, 2)]}</span>
			<span class="nowrap ${/un|fail/.test(status) && "bad"}"><${Icon} name=${/un|fail/.test(status) ? "warning" : "check"} />${status} ${row.error_code}</span>
			${sid[0] === "W" && direction !== "sent" && status !== "read" && html`<button class="small" onClick=${read}>Read</button>`}
			${taker ? html`<span>in <a href=${href("conversations", [taker])}>${name ?? taker}</a></span><button class="quiet small" aria-expanded=${Boolean(hooks)} onClick=${() => setQuery({ trace: hooks ? "" : sid })}><${Icon} name="webhooks" />webhooks</button>` : html`<span>${row.reason}</span>`}
			${hooks?.map((/** @type {any} */ each) => html`<p><a href=${href("webhooks", [each.sid])}>${each.event_type}</a> ${each.response?.status ?? each.outcome}, ${each.elapsed_ms} ms</p>`)}
			${hooks && !hooks[0] && words.noWebhooks}
		</div>
	</li>`;
}

/** @param {any} props */
function Thread({ rows, inbox, names, touch }) {
	const [trace] = useQuery("trace");
	const traced = rows.find((/** @type {any} */ each) => each.sid === trace && each.message_sid);
	const hooks = useLoad(async () => {
		if (!traced) return null;
		const found = await get("/parlour/v1/WebhookAttempts", { ConversationSid: traced.conversation_sid, Since: traced.date_created, Wait: 2 });
		return found.webhook_attempts.filter((/** @type {any} */ each) => each.request.parameters.MessageSid === traced.message_sid);
	}, [traced?.sid, traced?.status]);
	let day = "";
	return html`<ol>${rows.map((/** @type {any} */ row) => {
		const last = day;
		day = Date.parse(row.date_created) ? written(new Date(row.date_created), DAY) : last;
		return html`${day !== last && html`<li class="day small soft">${day}</li>`}
			<${Whole} key=${row.sid} row=${row}><${Bubble} row=${row} path="${inbox}/${row.sid}" name=${names[row.conversation_sid]} hooks=${row === traced ? hooks.data : null} touch=${touch} /><//>`;
	})}</ol>`;
}

/** @param {any} props */
function Composer({ path, to, onSent }) {
	const [names, setNames] = useState("");
	const send = useAction(async (/** @type {any} */ event) => {
		event.preventDefault();
		const form = event.target;
		const body = new FormData(form);
		if (!form.Media.value) body.delete("Media");
		for (const each of to.split(" ")) body.append("To", each);
		onSent((await call("POST", path, {}, { body })).data);
		form.reset();
		setNames("");
	});
	return html`<form class="composer" onSubmit=${send.run}>
		<input name="Body" autocomplete="off" aria-label="Message" placeholder="Message" />
		<${Files} name="Media" isMany pick=${(/** @type {any} */ { target }) => setNames([...target.files].map((each) => each.name).join(", "))} />
		<button class="primary" title="Send" disabled=${send.isRunning}><${Icon} name="send" label="Send" /></button>
		${names && html`<p class="small soft wide">${names}</p>`}
		<${Trouble} of=${send} />
	</form>`;
}

/** @param {any} props */
function Handset({ entry, isFront, put }) {
	const [address, chosen] = entry.split(">");
	const [, prefix = "", number] = /^(\w+:)?(.*)/.exec(address) ?? [];
	const path = `${PATH}/${encodeURIComponent(address)}`;
	const inbox = `${path}/Messages`;
	const { list, rows, threads, names, touch } = useInbox(inbox, address);
	const { data, error, reload } = useLoad(() => get(path), [path]);
	const [dialog, ask] = useDialog();
	const to = chosen ?? (rows[0] ? otherOf(rows.at(-1), address) : [...threads.keys()][0]);
	const shown = threads.get(to) ?? [];
	const onSent = (/** @type {any} */ row) => {
		put(`${address}>${otherOf(row, address)}`, row.sid);
		touch([row.sid]);
	};
	const switchTo = async (/** @type {string} */ channel) => {
		await post(PATH, { Address: channel + number }).catch(() => {});
		put(channel + number);
	};
	const form = { values: { Address: address } };
	const buttons = /** @type {[string, string, any][]} */ (mayChange() ? [
		["plus", "New message", { ...form, id: "CreateVirtualPhoneMessage", only: ["To", "Body"], action: "Send", onDone: onSent }],
		["settings", "Behaviour", { ...form, id: "UpdateVirtualPhone", row: data, onDone: reload }],
		["trash", "Remove", { text: words.removal, action: "Remove", isDanger: true, act: () => remove(path).then(() => put()) }],
	] : []);
	return html`<section class="handset ${isFront && "front"}" aria-label="Phone ${address}">
		<header>
			<h2 class="cut">${number}</h2>
			<button class="quiet small" title="Hide" onClick=${() => put()}><${Icon} name="close" label="Hide" /></button>
			<p class="small soft cut">${data?.name ?? "No name"}${data && data.behaviour !== "deliver" && html` · <span class="warn">${data.behaviour} ${data.error_code}</span>`}</p>
			${buttons.map(([icon, label, props]) => html`<button class="quiet small" title=${label} onClick=${() => ask({ title: `${label}: ${address}`, ...props })}><${Icon} name=${icon} label=${label} /></button>`)}
			<${Select} label="Channel" value=${prefix} options=${words.channels} act=${switchTo} />
			<${Select} label="Thread" value=${to} options=${[...threads.keys()].map((key) => [key, `to ${key} ${names[key] ?? ""}`])} act=${(/** @type {string} */ key) => put(`${address}>${key}`)} />
		</header>
		<div class="scroll" tabindex="0" role="log" aria-label="Messages of ${address}">
			<${Thread} rows=${shown} inbox=${inbox} names=${names} touch=${touch} />
			${list.data && !shown[0] && html`<${Empty} title=${words.silent[0]}><p>${words.silent[1]}</p><//>`}
			<${Trouble} problem=${list.error ?? error} retry=${list.reload} />
		</div>
		${to && buttons[0] && html`<${Composer} key=${to} path=${inbox} to=${to} onSent=${onSent} />`}
		${dialog}
	</section>`;
}

export default function Phones() {
	const list = useList(PATH, "virtual_phones", { PageSize: 100 });
	const [on] = useQuery("on");
	const [dialog, ask] = useDialog();
	const shown = on ? on.split(",") : list.rows.slice(0, PHONES).map((each) => each.address);
	const addresses = shown.map((each) => each.split(">")[0]);
	const [tab] = useQuery("tab", addresses[0]);
	const creation = { id: "CreateVirtualPhone", title: "New phone", action: "Create", onDone: ({ address = "" }) => { put(4, address); list.reload(); } };
	const put = (at = 4, entry = "", trace = "") => {
		const [address] = entry.split(">");
		const next = shown.filter((_, index) => index !== at && addresses[index] !== address);
		if (entry) next.splice(at, 0, entry);
		setQuery({ on: next.slice(-4).join(","), tab: address, trace });
	};
	return html`<div class="page">
		<header class="head">
			<h1>Phones</h1>
			<div class="row push">
				<${Select} label="Show a phone" act=${(/** @type {string} */ address) => put(4, address)}
					options=${[["", "Show …"], ...list.rows.map((each) => [each.address, `${each.address} ${each.name ?? ""}`])]} />
				${mayChange() && html`<button onClick=${() => ask(creation)}><${Icon} name="plus" />Phone</button>`}
			</div>
		</header>
		<div class="only-narrow">${shown[0] && html`<${Tabs} label="Phones" tabs=${addresses.map((each) => [each, each])} />`}</div>
		<div class="handsets" id="tab-panel">
			<${Trouble} of=${list} />
			${list.data && !shown[0] && html`<${Empty} title=${words.none[0]}><p>${words.none[1]}</p><//>`}
			${shown.map((entry, at) => html`<${Handset} key=${addresses[at]} entry=${entry} isFront=${at === Math.max(0, addresses.indexOf(tab))} put=${put.bind(null, at)} />`)}
		</div>
		${dialog}
	</div>`;
}
