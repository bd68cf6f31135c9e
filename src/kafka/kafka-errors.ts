export type KafkaErrorCode = 'KAFKA_BUSY' | 'KAFKA_UNAVAILABLE' | 'KAFKA_REFUSED' | 'KAFKA_CLOSED' | 'KAFKA_FENCED';

/** Everything that the Kafka client throws; `code` says what to do about it. */
export class KafkaError extends Error {
  readonly code: KafkaErrorCode;

  constructor(code: KafkaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KafkaError';
    this.code = code;
  }
}

/** Errors of the protocol that stay until a person changes something. */
const HOPELESS = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'ILLEGAL_SASL_STATE',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_RECORD',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'SASL_AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNSUPPORTED_VERSION',
]);
/** The same, raised by the library itself. */
const HOPELESS_NAMES = new Set([
  'KafkaJSSASLAuthenticationError',
  'KafkaJSNotImplemented',
  'KafkaJSUnsupportedMagicByteInMessageSet',
]);

/** What lies under the wrappers that the library puts around an error when it gives up. */
export function rootCause(error: unknown): unknown {
  let current = error;
  for (let depth = 0; depth < 10; depth += 1) {
    if (!(current instanceof Error) || current.cause === undefined || current.cause === null) return current;
    current = current.cause;
  }
  return current;
}

/** The protocol's word for an error, such as `NOT_LEADER_FOR_PARTITION`; the error's name where there is none. */
export function errorType(error: unknown): string {
  const cause = rootCause(error);
  if (typeof cause === 'object' && cause !== null && 'type' in cause && typeof cause.type === 'string')
    return cause.type;
  return cause instanceof Error ? cause.name : 'unknown';
}

/** Whether trying again can never help. */
export function isHopeless(error: unknown): boolean {
  const cause = rootCause(error);
  return HOPELESS.has(errorType(error)) || (cause instanceof Error && HOPELESS_NAMES.has(cause.name));
}

const PROGRAM_FAULTS = new Set(['RangeError', 'ReferenceError', 'SyntaxError', 'TypeError']);

/** Whether something failed that is nobody's network: after that nothing may be assumed about the client. */
export function isProgramFault(error: unknown): boolean {
  const cause = rootCause(error);
  return cause instanceof Error && PROGRAM_FAULTS.has(cause.name);
}

const FAULTS_OF_RECORDS = new Set([
  'INVALID_RECORD',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'TOPIC_AUTHORIZATION_FAILED',
]);

/** Whether a request was refused because of some of its records, and others in it would have passed alone. */
export function isOneRecordsFault(error: unknown): boolean {
  return FAULTS_OF_RECORDS.has(errorType(error));
}

/** What happened, for people: the innermost message, which is the one that says something, and the protocol's word. */
export function explain(error: unknown): string {
  const cause = rootCause(error);
  const text = cause instanceof Error ? cause.message : String(cause);
  const type = errorType(error);
  return /^[A-Z_]+$/.test(type) && !text.includes(type) ? `${text} (${type})` : text;
}
