// A process that hosts one peer for each connection to its port.
//
// The port is the first line of stdout; the process ends with its stdin.

import net from "node:net";

export function host(serve) {
  process.stdin.on("end", () => process.exit(0)).resume();
  // Half-open: the other side's end is answered once the server is closed.
  const control = net.createServer({ noDelay: true, allowHalfOpen: true }, (connection) => {
    connection.on("error", () => connection.destroy());
    serve(connection).catch((error) => {
      console.error(error);
      connection.destroy();
    });
  });
  control.listen(0, "127.0.0.1", () => process.stdout.write(`${control.address().port}\n`));
}
