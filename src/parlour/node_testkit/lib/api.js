// Requests to a server: forms and JSON in, JSON out, errors that explain.

import { Agent, request as requestHttp } from "node:http";
import { Agent as SecureAgent, request as requestHttps } from "node:https";
import { randomUUID } from "node:crypto";
import { ParlourError } from "./errors.js";
import { clearRealTimeout, setRealTimeout } from "./real_time.js";

const ANSWER_MS_MAX = 30_000;
const OFF = "Test functions are off";
const agents = {
  "http:": new Agent({ keepAlive: true }),
  "https:": new SecureAgent({ keepAlive: true }),
};

// `PascalCase` of `camelCase`: `webhookUrl` is the parameter `WebhookUrl`.
export function parameterName(name) {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

// Fields of a form: lists are repeated, dates are ISO 8601, objects are JSON.
export function encodeForm(fields) {
  const pairs = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    const values = Array.isArray(value) ? value : [value];
    for (const each of values) pairs.push([parameterName(name), formText(each)]);
  }
  return new URLSearchParams(pairs);
}

function formText(value) {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// A row of the API with names in camelCase; values stay as they are.
export function camelCased(row) {
  const named = Object.entries(row).map(([name, value]) => [
    name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(named);
}

export class Api {
  // `describeEnd` says why a server that this process started no longer runs, else "".
  constructor(url, accountSid, authToken, describeEnd = () => "") {
    this.url = url.replace(/\/+$/, "");
    this.accountSid = accountSid;
    this.authToken = authToken;
    this.describeEnd = describeEnd;
  }

  withAccount(accountSid, authToken) {
    return new Api(this.url, accountSid, authToken, this.describeEnd);
  }

  get(path, query = {}, options = {}) {
    const text = encodeForm(query).toString();
    return this.send("GET", text ? `${path}?${text}` : path, options);
  }

  post(path, form = {}, options = {}) {
    const contentType = "application/x-www-form-urlencoded";
    return this.send("POST", path, { body: encodeForm(form).toString(), contentType, ...options });
  }

  delete(path) {
    return this.send("DELETE", path);
  }

  // Fields and files: `files` are `{name, filename, contentType, content}`.
  postMultipart(path, form, files) {
    const boundary = `parlour-${randomUUID()}`;
    const parts = [];
    for (const [name, value] of encodeForm(form)) {
      parts.push(`--${boundary}\r\n${disposition(name)}\r\n\r\n${value}\r\n`);
    }
    for (const { name, filename, contentType, content } of files) {
      const head = `${disposition(name, filename)}\r\ncontent-type: ${contentType}`;
      parts.push(`--${boundary}\r\n${head}\r\n\r\n`, content, "\r\n");
    }
    parts.push(`--${boundary}--\r\n`);
    const body = Buffer.concat(parts.map((each) => Buffer.from(each)));
    const contentType = `multipart/form-data; boundary=${boundary}`;
    return this.send("POST", path, { body, contentType });
  }

  // The JSON of a successful answer, with its `status`; errors are thrown as ParlourError.
  async answer(method, path, { body, contentType, msMax = ANSWER_MS_MAX } = {}) {
    const url = new URL(path.startsWith("http") ? path : this.url + path);
    let response;
    try {
      response = await exchange(url, method, this.#headers(contentType, body), body, msMax);
    } catch (error) {
      throw this.#unreachable(method, url, error, msMax);
    }
    if (response.status >= 300) throw this.#refused(method, url, response);
    return { status: response.status, json: parsed(response.text) };
  }

  async send(method, path, options) {
    return (await this.answer(method, path, options)).json;
  }

  // All rows of a list, page by page.
  async list(path, key, query = {}) {
    const rows = [];
    let page = await this.get(path, { pageSize: 1000, ...query });
    for (;;) {
      rows.push(...page[key]);
      const next = page.meta?.next_page_url;
      if (!next) return rows;
      const { pathname, search } = new URL(next);
      page = await this.send("GET", pathname + search);
    }
  }

  #headers(contentType, body) {
    const login = Buffer.from(`${this.accountSid}:${this.authToken}`).toString("base64");
    const headers = { authorization: `Basic ${login}`, accept: "application/json" };
    if (body === undefined) return headers;
    return { ...headers, "content-type": contentType, "content-length": Buffer.byteLength(body) };
  }

  #unreachable(method, url, error, msMax) {
    const ended = this.describeEnd();
    const why = ended || `${error.message || error.code}.`;
    const hint = ended ? "" : ` Is a server running there, and reachable from this process?`;
    const late = error.code === "LATE" ? ` It was given ${msMax / 1000} s.` : "";
    const text = `No answer of ${this.url} to ${method} ${url.pathname}: ${why}${late}${hint}`;
    return new ParlourError(text, { method, path: url.pathname, cause: error });
  }

  #refused(method, url, { status, text }) {
    const about = parsed(text) ?? {};
    const { code = 0, message = text.slice(0, 200) } = about;
    const path = url.pathname;
    const hint = this.#hint(status, code, message, path);
    const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
    const full = `${method} ${path} was refused with ${status}, code ${code}: ${sentence}${hint}`;
    return new ParlourError(full, { status, code, method, path });
  }

  #hint(status, code, message, path) {
    if (status === 401) {
      return (
        ` The server at ${this.url} does not know the account ${this.accountSid} with this auth` +
        " token: check `accountSid` and `authToken`, or PARLOUR_ACCOUNT_SID and PARLOUR_AUTH_TOKEN."
      );
    }
    if (message.startsWith(OFF)) return ` It runs at ${this.url}.`;
    if (status === 404 && !code) {
      return ` The server at ${this.url} has no ${path}: is it a Parlour server of this version?`;
    }
    return "";
  }
}

function disposition(name, filename) {
  const file = filename === undefined ? "" : `; filename="${filename.replace(/["\r\n]/g, "_")}"`;
  return `content-disposition: form-data; name="${name}"${file}`;
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

function exchange(url, method, headers, body, msMax) {
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: agents[url.protocol] }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", fail);
      response.on("end", () => {
        clearRealTimeout(timer);
        resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
      });
    });
    const fail = (error) => {
      clearRealTimeout(timer);
      reject(error);
    };
    const late = () => sent.destroy(Object.assign(new Error("timed out"), { code: "LATE" }));
    const timer = setRealTimeout(late, msMax);
    sent.on("error", fail);
    sent.end(body);
  });
}
