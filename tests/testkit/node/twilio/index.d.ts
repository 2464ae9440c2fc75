// What the usage of the kit needs of the package, whose own types take seconds to compile.

declare function twilio(
  accountSid?: string,
  authToken?: string,
  options?: { autoRetry?: boolean },
): twilio.Twilio;

declare namespace twilio {
  interface Twilio {
    conversations: {
      v1: { conversations: { create(fields: { friendlyName?: string }): Promise<{ sid: string }> } };
    };
  }
}

export = twilio;
