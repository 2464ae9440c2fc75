// Mail servers and mail programs, of nodemailer's packages: they share no code with Parlour.
//
// The port is the first line of stdout; the process ends with its stdin. Each connection to the
// port has a server of its own. Its first line is the settings; then it has one JSON object a
// line: the server's port, each accepted mail and each result of a command in one direction, the
// commands in the other. The local part of a recipient decides its fate:
// unknown (550), greylisted (451 at first), deferred (always 451), spam (554 after the content),
// lost (the connection ends after the content), bounced (a notification later).

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { simpleParser } from "mailparser";
import nodemailer from "nodemailer";
import { SMTPServer } from "smtp-server";

import { host } from "../host.mjs";

function refusal(code, text) {
  return Object.assign(new Error(text), { responseCode: code });
}

function fate(address) {
  return address.slice(0, address.lastIndexOf("@")).split(/[.+]/)[0];
}

async function serve(connection) {
  const lines = createInterface({ input: connection })[Symbol.asyncIterator]();
  const settings = JSON.parse((await lines.next()).value);
  const greylisted = new Set();
  let listener = null;

  function report(event) {
    if (connection.writable) connection.write(`${JSON.stringify(event)}\n`);
  }

  const server = new SMTPServer({
    secure: settings.secure ?? false,
    key: settings.key && readFileSync(settings.key),
    cert: settings.cert && readFileSync(settings.cert),
    authOptional: !settings.user,
    disabledCommands: [...(settings.user ? [] : ["AUTH"]), ...(settings.cert ? [] : ["STARTTLS"])],
    hideDSN: !(settings.dsn ?? true),
    size: settings.size ?? 30_000_000,
    disableReverseLookup: true,
    onAuth: (auth, session, done) =>
      auth.username === settings.user && auth.password === settings.password
        ? done(null, { user: auth.username })
        : done(new Error("wrong login")),
    onRcptTo: ({ address }, session, done) => {
      if (fate(address) === "unknown") return done(refusal(550, "5.1.1 No such mailbox"));
      if (fate(address) === "deferred") return done(refusal(451, "4.2.1 Try again later"));
      if (fate(address) === "greylisted" && !greylisted.has(address)) {
        greylisted.add(address);
        return done(refusal(451, "4.7.1 Greylisted"));
      }
      return done();
    },
    onData: (stream, session, done) => {
      const chunks = [];
      stream.on("data", (chunk) => chunks.push(chunk));
      stream.on("end", () => accept(Buffer.concat(chunks), session, stream, done));
    },
  });

  async function accept(raw, session, stream, done) {
    // The server empties its envelope once the mail is accepted.
    const envelope = structuredClone(session.envelope);
    const recipients = envelope.rcptTo;
    const fates = recipients.map(({ address }) => fate(address));
    if (stream.sizeExceeded) return done(refusal(552, "5.3.4 Too large"));
    if (fates.includes("spam")) return done(refusal(554, "5.7.1 Looks like spam"));
    const mail = await simpleParser(raw, { skipTextToHtml: true, skipImageLinks: true });
    report({
      event: "mail",
      from: session.envelope.mailFrom.address,
      to: recipients,
      dsn: session.envelope.dsn,
      mailArgs: session.envelope.mailFrom.args,
      secure: session.secure,
      user: session.user ?? null,
      headers: Object.fromEntries(mail.headerLines.map(({ key, line }) => [key, line])),
      fromName: mail.from?.value ?? [],
      toNames: mail.to?.value ?? [],
      ccNames: mail.cc?.value ?? [],
      replyTo: mail.replyTo?.value ?? [],
      subject: mail.subject ?? null,
      messageId: mail.messageId ?? null,
      inReplyTo: mail.inReplyTo ?? null,
      references: [mail.references ?? []].flat(),
      text: mail.text ?? null,
      html: mail.html || null,
      attachments: mail.attachments.map((each) => ({
        type: each.contentType,
        name: each.filename ?? null,
        content: each.content.toString("base64"),
      })),
      raw: raw.toString("base64"),
    });
    if (fates.includes("lost")) return session.connection?.close() ?? destroyAll();
    done();
    for (const each of recipients.filter(({ address }) => fate(address) === "bounced")) {
      await notify(raw, envelope, each, "failed");
    }
  }

  function destroyAll() {
    for (const connection of server.connections) connection._socket.destroy();
  }

  async function notify(raw, envelope, recipient, action) {
    const head = raw.toString("latin1").split("\r\n\r\n")[0];
    const dsn = recipient.dsn ?? {};
    const lines = [
      "From: MAILER-DAEMON@customer.example",
      `To: ${envelope.mailFrom.address}`,
      "Subject: Delivery Status Notification",
      "Auto-Submitted: auto-replied",
      "MIME-Version: 1.0",
      'Content-Type: multipart/report; report-type=delivery-status; boundary="==report"',
      "",
      "--==report",
      "Content-Type: text/plain",
      "",
      "The mail could not be delivered.",
      "--==report",
      "Content-Type: message/delivery-status",
      "",
      "Reporting-MTA: dns; mx.customer.example",
      ...(envelope.dsn?.envid ? [`Original-Envelope-Id: ${envelope.dsn.envid}`] : []),
      "",
      ...(dsn.orcpt ? [`Original-Recipient: ${dsn.orcpt}`] : []),
      `Final-Recipient: rfc822; ${recipient.address}`,
      `Action: ${action}`,
      "Status: 5.2.2",
      "Diagnostic-Code: smtp; 552 5.2.2 Mailbox full",
      "",
      "--==report",
      "Content-Type: text/rfc822-headers",
      "",
      head,
      "",
      "--==report--",
      "",
    ];
    await send({
      port: listener,
      mail: { raw: lines.join("\r\n"), envelope: { from: "", to: [envelope.mailFrom.address] } },
    });
  }

  async function send({ id, port, mail, tls }) {
    const transport = nodemailer.createTransport({
      host: "127.0.0.1",
      port,
      secure: false,
      ignoreTLS: !tls,
      requireTLS: Boolean(tls),
      tls: { rejectUnauthorized: false },
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    if (mail.attachments) {
      mail.attachments = mail.attachments.map(({ content, ...rest }) => ({
        ...rest,
        content: Buffer.from(content, "base64"),
      }));
    }
    try {
      const sent = await transport.sendMail(mail);
      report({ event: "result", id, response: sent.response, messageId: sent.messageId });
    } catch (error) {
      report({ event: "result", id, code: error.responseCode ?? 0, response: String(error) });
    } finally {
      transport.close();
    }
  }

  server.on("error", (error) => report({ event: "error", error: String(error) }));
  server.listen(0, "127.0.0.1", () =>
    report({ event: "listening", port: server.server.address().port }),
  );
  for await (const line of lines) {
    const command = JSON.parse(line);
    if (command.listener) listener = command.listener;
    else send(command);
  }
  server.close();
  destroyAll();
  connection.end();
}

host(serve);
