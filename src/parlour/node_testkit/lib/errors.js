// Errors of the kit. Each message says what failed, with which value, and what to do.

// The API refused a request; `status`, `code` and `method path` as fields.
export class ParlourError extends Error {
  name = "ParlourError";

  constructor(message, { status = 0, code = 0, method = "", path = "", cause } = {}) {
    super(message, { cause });
    Object.assign(this, { status, code, method, path });
  }
}

// Work was still going on when the time was over: `waitingFor` lists it.
export class NotSettled extends Error {
  name = "NotSettled";

  constructor(message, { waitingFor, now }) {
    super(message);
    Object.assign(this, { waitingFor, now });
  }
}

// The server did not start, or could not be started.
export class StartFailed extends Error {
  name = "StartFailed";
}

// What a test expected did not happen, or happened although it was not expected.
export class ExpectationFailed extends Error {
  name = "ExpectationFailed";
}
