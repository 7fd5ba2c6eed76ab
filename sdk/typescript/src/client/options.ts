/** Whom to talk to, and the times and limits of one connection; the defaults suit most. */
export interface ClientOptions {
  /** `host:port`, several separated by commas, or a list of them; the first that answers is the one. */
  readonly brokers?: string | readonly string[] | undefined;
  /** For a whole call, from asking to answer, unless it brings its own. */
  readonly timeoutMs?: number | undefined;
  /** For one broker: to connect, and to be greeted. */
  readonly connectTimeoutMs?: number | undefined;
  /** A connection silent for longer is not trusted with a request: the broker may be closing it, after its own, longer time. */
  readonly maxIdleMs?: number | undefined;
  /** Requests sent and not answered, at most; the others wait. */
  readonly maxInFlight?: number | undefined;
  /** The same in bytes. */
  readonly maxInFlightBytes?: number | undefined;
  /** Requests that wait, at most; further ones are refused as `THROTTLED`. */
  readonly maxWaiting?: number | undefined;
  /** The same in bytes. */
  readonly maxWaitingBytes?: number | undefined;
  /** A longer answer ends the connection. */
  readonly maxReplyBytes?: number | undefined;
}

/** Options, with a value for each. */
export type Complete<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

export const CLIENT_DEFAULTS: Complete<ClientOptions> = {
  brokers: "127.0.0.1:9092",
  timeoutMs: 10_000,
  connectTimeoutMs: 5000,
  maxIdleMs: 300_000,
  maxInFlight: 1024,
  maxInFlightBytes: 4 << 20, // half of what a broker holds for one connection before it stops reading
  maxWaiting: 16_384,
  maxWaitingBytes: 64 << 20,
  maxReplyBytes: 64 << 20, // a broker reads at most 4 MiB for one answer; encoding may triple them
};

/** What is chosen, and the defaults for what is not; an option that is undefined is not chosen. */
export function complete<T extends object>(chosen: T, defaults: Complete<T>): Complete<T> {
  const given = Object.entries(chosen).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}
