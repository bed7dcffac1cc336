/** What hearsay throws at its user: `code` is stable, the message says what to do about it. */
export class HearsayError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "HearsayError";
    this.code = code;
  }
}
