/**
 * A client of the realtime protocol, as the official SDKs are: connecting, open, lost, ended.
 * A frame: `TWILSOCK V3.0 <size>`, a JSON header of this size, a payload of `payload_size` bytes.
 */
import { Problem } from "./api.js";

/** Statuses of a close after which the official clients do not reconnect. */
const FINAL = [401, 403, 406, 417];
const KINDS = /** @type {any} */ ({ channel: ["document", "Documents"], messages: ["list", "Lists"] });
const encode = (/** @type {string} */ text) => new TextEncoder().encode(text);

/** @param {ArrayBuffer} message */
function read(message) {
	const text = (/** @type {number} */ start, /** @type {number} */ size) =>
		new TextDecoder().decode(new Uint8Array(message, start, size));
	const [line] = text(0, Math.min(32, message.byteLength)).split("\r\n");
	const size = Number(line.slice(14));
	const header = JSON.parse(text(line.length + 2, size));
	const payload = header.payload_size && JSON.parse(text(line.length + size + 4, header.payload_size));
	return { header, payload };
}

export class Client {
	state = "connecting";
	reason = "";
	/** @type {Record<string, any>} The objects that are open, by their unique names. */
	objects = {};
	/** @type {Record<string, Record<string, any>>} Of each conversation: who is typing. */
	typing = {};
	#asked = /** @type {Map<string, any>} */ (new Map());
	#socket = /** @type {WebSocket | null} */ (null);
	#tries = 0;
	#count = 0;
	#retry = 0;

	/**
	 * @param {{makeToken: () => Promise<string>, onFrame: (frame: any) => void, onChange: () => void,
	 *   onOpen: (configuration: any) => unknown}} parts
	 */
	constructor(parts) {
		this.parts = parts;
		void this.#connect();
	}

	/** @param {string} reason */
	close(reason) {
		clearTimeout(this.#retry);
		this.#enter("ended", reason);
		this.#socket?.close();
	}

	/** @param {string} name Open an object and subscribe to it. */
	async open(name) {
		if (this.objects[name]) return;
		const [kind, path] = KINDS[name.split(".")[1]] ?? ["map", "Maps"];
		const shared = (this.objects[name] = /** @type {any} */ ({ kind, items: {} }));
		try {
			const { sid, last_event_id: number, data } = await this.request("GET", `/v3/${path}/${name}`);
			Object.assign(shared, { sid, number, data });
			await this.#subscribe([shared]);
			const params = { PageSize: "100", Order: kind === "list" ? "desc" : "asc" };
			const page = kind !== "document" && (await this.request("GET", `/v3/${path}/${name}/Items`, "", params));
			for (const each of page.items ?? []) shared.items[each.index ?? each.key] = each.data;
		} catch (error) {
			delete this.objects[name];
			throw error;
		}
		this.parts.onChange();
	}

	/**
	 * @param {string} method @param {string} path @param {unknown} [body] Sent as JSON; a text is a form.
	 * @param {Record<string, string>} [params]
	 */
	async request(method, path, body = "", params = {}) {
		const isText = typeof body === "string";
		const type = isText ? "application/x-www-form-urlencoded" : "application/json";
		const http_request = { host: location.host, path, method, params, headers: { "Content-Type": type } };
		const { header, payload } = await this.#ask(
			{ method: "message", active_grant: "ip_messaging", payload_type: type, http_request },
			isText ? body : JSON.stringify(body),
		);
		const { code, status } = header.http_status;
		if (code >= 400) throw new Problem(code, payload?.code, payload?.message ?? status, "");
		return payload;
	}

	async #connect() {
		this.#enter("connecting");
		try {
			const token = await this.parts.makeToken();
			if (this.state === "ended") return;
			const socket = (this.#socket = new WebSocket(location.origin.replace("http", "ws") + "/v3/wsconnect"));
			socket.binaryType = "arraybuffer";
			socket.onopen = () => void this.#init(token);
			socket.onmessage = ({ data }) => this.#receive(data);
			socket.onclose = () => socket === this.#socket && this.#lose("The connection was lost.");
		} catch (error) {
			this.#fail(error);
		}
	}

	/** @param {string} token */
	async #init(token) {
		try {
			await this.#ask({ method: "init", token, metadata: { type: "console", sdk: "JS", sdkv: "1" } });
			this.#tries = 0;
			this.#enter("open");
			const open = Object.values(this.objects).filter(({ sid }) => sid);
			if (open.length) await this.#subscribe(open);
			await this.parts.onOpen(await this.request("GET", "/Client/v2/Configuration"));
		} catch (error) {
			this.#fail(error);
		}
	}

	/** @param {any} error An error without a status is a lost connection. */
	#fail({ status, message }) {
		if (status && status < 500 && status !== 429) this.close(message);
		this.#lose(message);
		this.#socket?.close();
	}

	/** @param {any[]} objects What was missed since the number of each is sent again. */
	#subscribe(objects) {
		const requests = objects.map((each) => ({ object_type: each.kind, object_sid: each.sid, last_event_id: each.number }));
		const correlation_id = ++this.#count;
		return this.request("POST", "/v4/Subscriptions", { event_protocol_version: 4, action: "establish", correlation_id, requests });
	}

	/** @param {string} state @param {string} [reason] */
	#enter(state, reason = "") {
		if (this.state !== "ended") Object.assign(this, { state, reason });
		this.parts.onChange();
	}

	/** @param {string} reason */
	#lose(reason) {
		for (const { failed } of this.#asked.values()) failed(new Error(reason));
		this.#asked.clear();
		if (this.state === "ended" || this.state === "lost") return;
		const seconds = Math.min(30, 2 ** this.#tries++) * (0.75 + Math.random() / 2);
		this.#retry = setTimeout(() => this.#connect(), seconds * 1000);
		this.#enter("lost", `${reason} Next try in ${Math.ceil(seconds)} s.`);
	}

	/** @param {any} header @param {string} [payload] */
	#send(header, payload = "") {
		const head = JSON.stringify({ ...header, payload_size: encode(payload).length });
		const bytes = encode(`TWILSOCK V3.0 ${encode(head).length}\r\n${head}\r\n${payload}`);
		if (this.#socket?.readyState === 1) this.#socket.send(bytes);
		const { method, path } = header.http_request ?? {};
		const kind = path ? `${method} ${path}` : header.status ? "acknowledgement" : header.method;
		const body = payload.startsWith("{") ? JSON.parse(payload) : payload || undefined;
		const shown = header.token ? { ...header, token: "not shown" } : header;
		this.parts.onFrame({ at: new Date(), isSent: true, kind, size: bytes.length, header: shown, body });
		return kind;
	}

	/** @param {any} header @param {string} [payload] @returns {Promise<any>} The reply. */
	#ask(header, payload) {
		const id = `TM${++this.#count}`;
		return new Promise((done, failed) => {
			this.#asked.set(id, { done, failed, kind: this.#send({ id, ...header }, payload) });
		});
	}

	/** @param {ArrayBuffer} message */
	#receive(message) {
		const { header, payload } = read(message);
		const { method, id, status } = header;
		const asked = this.#asked.get(id);
		const kind = method === "reply" ? `${(header.http_status ?? status).code} to ${asked?.kind}`
			: payload?.event_type ?? header.message_type ?? header.client_update_type ?? method;
		this.parts.onFrame({ at: new Date(), isSent: false, kind, size: message.byteLength, header, body: payload || undefined });
		if (method === "reply") {
			this.#asked.delete(id);
			if (status.code < 400) asked?.done({ header, payload });
			else asked?.failed(new Problem(status.code, status.errorCode, status.description, ""));
			return;
		}
		this.#send({ method: "reply", id, status: { code: 200, status: "OK" } });
		if (method === "notification") this.#apply(payload);
		else if (method === "client_update") void this.parts.makeToken().then((token) => this.#ask({ method: "update", token })).catch((error) => this.#fail(error));
		else if (method === "close" && FINAL.includes(status.code)) this.close(status.description);
	}

	/** @param {any} payload */
	#apply({ event_type: type, event, events = [event], channel_sid: at, identity, typing_timeout: seconds }) {
		if (identity) {
			const typing = (this.typing[at] ??= {});
			clearTimeout(typing[identity]);
			typing[identity] = setTimeout(() => {
				delete typing[identity];
				this.parts.onChange();
			}, seconds * 1000);
		} else for (const each of events) this.#change(type, each);
		this.parts.onChange();
	}

	/** @param {string} type @param {any} event */
	#change(type, event) {
		const at = event.document_sid ?? event.list_sid ?? event.map_sid;
		const shared = at && Object.values(this.objects).find(({ sid }) => sid === at);
		if (!shared) return;
		shared.number = Math.max(shared.number, event.id);
		const key = event.item_key ?? event.item_index;
		if (key === undefined) shared.data = event.document_data ?? shared.data;
		else if (!type.endsWith("removed")) shared.items[key] = event.item_data;
		else {
			delete shared.items[key];
			// A conversation that was left is opened again when it is joined again.
			for (const name in this.objects) if (name.startsWith(`${key}.`)) delete this.objects[name];
		}
	}
}
