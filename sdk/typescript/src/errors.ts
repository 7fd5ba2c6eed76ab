/** Codes a broker answers, and, after them, those only a client can say. */
export type ErrorCode =
  | "BAD_REQUEST"
  | "UNKNOWN_COMMAND"
  | "NOT_LEADER"
  | "REPLICATION_TIMEOUT"
  | "NOT_ENOUGH_REPLICAS"
  | "GENERATION_MISMATCH"
  | "MESSAGE_TOO_LARGE"
  | "OFFSET_OUT_OF_RANGE"
  | "UNKNOWN_TOPIC"
  | "TOPIC_EXISTS"
  | "STORAGE_ERROR"
  | "UNAUTHORIZED"
  | "THROTTLED"
  | "SHUTTING_DOWN"
  | "INTERNAL_ERROR"
  /** None of the known brokers could be reached; nothing was sent. The message says why, broker by broker. */
  | "NO_BROKER"
  /** The request did not leave in time, or not at all; nothing was done. */
  | "NOT_SENT"
  /** The request left and no answer came: it may have been executed, or may still be. It is never repeated by itself. */
  | "OUTCOME_UNKNOWN"
  /** There was an answer and it cannot be read; the request was probably executed. */
  | "BAD_REPLY"
  /** The client was closed before the request left; nothing was done. */
  | "CLIENT_CLOSED";

const RETRIABLE: ReadonlySet<string> = new Set<ErrorCode>([
  "NOT_LEADER",
  "NOT_ENOUGH_REPLICAS",
  "THROTTLED",
  "SHUTTING_DOWN",
  "NO_BROKER",
  "NOT_SENT",
]);

/**
 * Whatever goes wrong with a request.
 *
 * Tell errors apart by {@link FluxError.code}; a code that a newer broker answers is handed on as it is.
 */
export class FluxError extends Error {
  override readonly name = "FluxError";
  readonly code: ErrorCode | (string & {});
  /**
   * Whether the same request, sent again later, may succeed without anybody mending anything *and* without the risk of being
   * executed twice.
   */
  readonly retriable: boolean;

  constructor(code: ErrorCode | (string & {}), message: string) {
    super(message);
    this.code = code;
    this.retriable = RETRIABLE.has(code);
  }
}

/** The request cannot be sent: the message names the field, the value and the way out. */
export function badRequest(message: string): FluxError {
  return new FluxError("BAD_REQUEST", message);
}
