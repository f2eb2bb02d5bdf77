/** The embedded server cannot be started; the message is for a person. */
export class EmbeddedPostgresError extends Error {}
