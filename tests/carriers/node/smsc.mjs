// SMSCs on npm smpp: each connection to this process has an SMSC of its own, driven by JSON lines.
//
// The port is the first line of stdout; the process ends with its stdin.
// The first line of a connection is an object: password, and optionally key and cert (TLS). Each
// later one is a command, with the event "done"; events are lines in the other direction:
//   {do: "rule", to, status, silent, receipts: [{stat, err, form, id, early}]}  what a destination does
//   {do: "deliver", tag, pdu}      deliver_sm; short_message may be {hex}, or {udh: hex, message}
//   {do: "data", tag, pdu}         the same as data_sm
//   {do: "raw", hex}               bytes to each session
//   {do: "drop"}                   end all connections
//   {do: "pause"} / {do: "resume"} whether anything is read
//   {do: "unbind"}                 end the sessions by the protocol
//   {do: "quiet", on}              whether enquire_link gets no response

import { createInterface } from "node:readline";

import smpp from "smpp";

import { host } from "../host.mjs";

const STATES = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, REJECTD: 8 };

function spelled(id, form) {
  if (form === "decimal") return String(parseInt(id, 16));
  if (form === "upper") return id.toUpperCase();
  if (form === "short") return id.replace(/^0+/, "");
  return id;
}

function receiptOf(submit, id, receipt) {
  const name = spelled(id, receipt.id);
  const text =
    `id:${name} sub:001 dlvrd:001 submit date:2612011200 done date:2612011201 ` +
    `stat:${receipt.stat} err:${receipt.err ?? "000"} text:id:zzz stat:NONE`;
  const pdu = {
    source_addr_ton: 1,
    source_addr_npi: 1,
    source_addr: submit.destination_addr,
    dest_addr_ton: 1,
    dest_addr_npi: 1,
    destination_addr: submit.source_addr,
    esm_class: 4,
    short_message: receipt.form === "tlv" ? "" : text,
  };
  if (receipt.form !== "text") {
    pdu.receipted_message_id = name;
    pdu.message_state = STATES[receipt.stat];
  }
  return pdu;
}

function shortMessage(value) {
  if (value?.hex !== undefined) return Buffer.from(value.hex, "hex");
  if (value?.udh !== undefined) return { udh: Buffer.from(value.udh, "hex"), message: value.message };
  return value;
}

async function serve(connection) {
  const lines = createInterface({ input: connection })[Symbol.asyncIterator]();
  const options = JSON.parse((await lines.next()).value);
  const rules = new Map();
  const sessions = new Set();
  let submitted = 0;
  let isQuiet = false;

  const emit = (event) => connection.writable && connection.write(`${JSON.stringify(event)}\n`);

  function receive(session, submit) {
    const rule = rules.get(submit.destination_addr) ?? {};
    const id = (++submitted).toString(16).padStart(8, "0");
    const content = submit.short_message ?? {};
    emit({
      event: "submit",
      id,
      source: [submit.source_addr_ton, submit.source_addr_npi, submit.source_addr],
      to: [submit.dest_addr_ton, submit.dest_addr_npi, submit.destination_addr],
      text: typeof content.message === "string" ? content.message : null,
      udh: (content.udh ?? []).map((each) => each.toString("hex")),
      coding: submit.data_coding,
      esm: submit.esm_class,
      registered: submit.registered_delivery,
      validity: submit.validity_period instanceof Date,
      sar: [submit.sar_msg_ref_num, submit.sar_total_segments, submit.sar_segment_seqnum],
    });
    if (rule.silent) return;
    if (rule.status) {
      session.send(submit.response({ command_status: rule.status }));
      return;
    }
    const receipts = (rule.receipts ?? []).map((each) => [each, receiptOf(submit, id, each)]);
    const acknowledged = (pdu) => emit({ event: "receipt", id, status: pdu.command_status });
    for (const [each, pdu] of receipts) if (each.early) session.deliver_sm(pdu, acknowledged);
    session.send(submit.response({ message_id: rule.upper ? id.toUpperCase() : id }));
    for (const [each, pdu] of receipts) if (!each.early) session.deliver_sm(pdu, acknowledged);
  }

  const server = smpp.createServer(
    { key: options.key, cert: options.cert },
    (session) => {
      sessions.add(session);
      session.on("close", () => {
        sessions.delete(session);
        emit({ event: "closed" });
      });
      session.on("error", (error) => emit({ event: "error", message: String(error.message) }));
      for (const kind of ["bind_transceiver", "bind_transmitter", "bind_receiver"]) {
        session.on(kind, (pdu) => {
          const isKnown = pdu.password === options.password;
          const status = isKnown ? 0 : smpp.ESME_RINVPASWD;
          const { system_id: id, interface_version: version } = pdu;
          emit({ event: "bind", kind, id, version, isKnown, sessions: sessions.size });
          session.send(pdu.response({ system_id: "TESTSMSC", command_status: status }));
        });
      }
      session.on("submit_sm", (pdu) => receive(session, pdu));
      session.on("generic_nack", (pdu) => emit({ event: "nack", status: pdu.command_status }));
      session.on("enquire_link_resp", () => emit({ event: "enquired" }));
      session.on("enquire_link", (pdu) => {
        emit({ event: "enquire" });
        if (!isQuiet) session.send(pdu.response());
      });
      session.on("unbind", (pdu) => {
        emit({ event: "unbind" });
        session.send(pdu.response());
        session.close();
      });
      session.on("unbind_resp", () => session.close());
    },
  );

  function deliver(command, name) {
    const pdu = { source_addr_ton: 1, source_addr_npi: 1, dest_addr_ton: 1, dest_addr_npi: 1, ...command.pdu };
    if (pdu.short_message !== undefined) pdu.short_message = shortMessage(pdu.short_message);
    if (pdu.message_payload !== undefined) pdu.message_payload = shortMessage(pdu.message_payload);
    const [session] = [...sessions].slice(-1);
    session[name](pdu, (response) =>
      emit({ event: "delivered", tag: command.tag, status: response.command_status }),
    );
  }

  const commands = {
    rule: (command) => rules.set(command.to, command),
    deliver: (command) => deliver(command, "deliver_sm"),
    data: (command) => deliver(command, "data_sm"),
    raw: (command) => sessions.forEach((each) => each.socket.write(Buffer.from(command.hex, "hex"))),
    drop: () => sessions.forEach((each) => each.destroy()),
    pause: () => sessions.forEach((each) => each.pause()),
    resume: () => sessions.forEach((each) => each.resume()),
    unbind: () => sessions.forEach((each) => each.unbind()),
    quiet: (command) => {
      isQuiet = command.on;
    },
  };

  server.on("error", (error) => emit({ event: "server error", message: String(error) }));
  server.listen(0, "127.0.0.1", () => emit({ event: "listening", port: server.address().port }));
  for await (const line of lines) {
    const command = JSON.parse(line);
    commands[command.do](command);
    emit({ event: "done" });
  }
  server.close();
  for (const each of sessions) each.destroy();
  connection.end();
}

host(serve);
