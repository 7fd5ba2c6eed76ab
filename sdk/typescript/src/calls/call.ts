import { type Bytes, toBytes } from "../wire/encoding.js";
import { Payload } from "../wire/payload.js";
import { type Word, writeArguments } from "../wire/words.js";

/** What every call can be told. */
export interface CallOptions {
  /** For the whole call, from asking to answer; the client's own if there is none. */
  readonly timeoutMs?: number | undefined;
  /**
   * Gives the call up: it is not sent, or if it has left, its answer is let go of, and it may have been executed. The call fails
   * with the signal's reason.
   */
  readonly signal?: AbortSignal | undefined;
}

/** One request, and how its answer is read. Nothing happens until it is sent. */
export interface Call<R> {
  readonly command: string;
  /** @throws FluxError it cannot be sent. */
  readonly encode: () => Bytes;
  /** @throws FluxError this is not what the command answers. */
  readonly read: (payload: Bytes) => R;
  readonly options: CallOptions;
  /** What the broker may add to the time it takes. */
  readonly waitMs: number;
  /** Whether the broker may answer later requests before it. */
  readonly overtakable: boolean;
}

/** A call whose arguments are words and then options. */
export function call<R>(
  command: string,
  words: readonly Word[],
  read: (payload: Payload) => R,
  options: CallOptions = {},
  named: Readonly<Record<string, Word | undefined>> = {},
  waitMs = 0,
): Call<R> {
  return {
    command,
    encode: () => writeArguments(words, named),
    read: (payload) => read(new Payload(payload)),
    options,
    waitMs,
    overtakable: false,
  };
}

/** Any command, such as a plugin's, with arguments as they are. */
export function raw(command: string, args: string | Uint8Array = "", options: CallOptions = {}): Call<Payload> {
  return {
    command: toBytes(command),
    encode: () => toBytes(args),
    read: (payload) => new Payload(payload),
    options,
    waitMs: 0,
    overtakable: false,
  };
}
