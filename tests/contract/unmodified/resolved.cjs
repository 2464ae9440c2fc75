// Loaded before a program (`node --require`): names resolve as a hosts file would have them, and
// port 443 with them. PORT is where the server listens.

const dns = require("node:dns");
const net = require("node:net");

const hosted = /\.twilio\.com$/;
const { lookup } = dns;
dns.lookup = (name, ...rest) => lookup(hosted.test(name) ? "127.0.0.1" : name, ...rest);

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  // Node's own callers pass an array whose first item is the options.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (hosted.test(options.host ?? "") && Number(options.port) === 443) {
    options.port = Number(process.env.PORT);
  }
  return connect.apply(this, args);
};
