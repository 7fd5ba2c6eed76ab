/** The session, the produce and the fetch family. */

import { badRequest } from "../errors.js";
import { Message, OffsetFound, Page, Produced, type Welcome } from "../results.js";
import { shown, toBytes } from "../wire/encoding.js";
import { Payload } from "../wire/payload.js";
import { type Acks, type Content, produceArguments, readPage } from "../wire/records.js";
import { checkTopicName, type Word, writeArguments } from "../wire/words.js";
import { type Call, type CallOptions, call } from "./call.js";

/** One end of a log. */
export type End = "earliest" | "latest";

export interface ProduceOptions extends CallOptions {
  /** What to wait for; 1 if it is not said. */
  readonly acks?: Acks | undefined;
  /** The record's own time; the broker's if it is not said. */
  readonly timestampMs?: number | bigint | undefined;
}

export interface ConsumeOptions extends CallOptions {
  readonly maxRecords?: number | undefined;
  /** 1 MiB if it is not said; one record always comes. */
  readonly maxBytes?: number | undefined;
  /** How long to wait for `minBytes` if there is nothing. */
  readonly waitMs?: number | undefined;
  readonly minBytes?: number | undefined;
  /** Where to go if the log does not hold the offset; an error if it is not said. */
  readonly reset?: End | undefined;
}

export function ping(options?: CallOptions): Call<void> {
  return call("PING", [], (answer) => answer.mustSay("pong", "true"), options);
}

export function hello(client?: string, options?: CallOptions): Call<Welcome> {
  return call("HELLO", [], readWelcome, options, { client });
}

export function help(command?: string, options?: CallOptions): Call<string> {
  return call("HELP", command === undefined ? [] : [command], (answer) => answer.percentText("help"), options);
}

export function produce(topic: string, key: Content, value: Content, options: ProduceOptions = {}): Call<Produced> {
  return {
    command: "PRODUCE",
    encode: () => produceArguments(topic, key, value, options.acks ?? 1, options.timestampMs),
    read: (payload) => {
      const answer = new Payload(payload);
      // hw is printed as the last committed record's.
      return new Produced(answer.integer("partition"), answer.bigint("offset"), answer.bigint("hw") + 1n);
    },
    options,
    waitMs: 0,
    overtakable: false,
  };
}

export function consume(
  topic: string,
  partition: number,
  offset: number | bigint,
  options: ConsumeOptions = {},
): Call<Page> {
  const waitMs = options.waitMs ?? 0;
  return {
    command: "CONSUME",
    encode: () =>
      writeArguments([checkTopicName(topic), partition, offset], {
        max_records: options.maxRecords,
        max_bytes: options.maxBytes,
        wait_ms: options.waitMs,
        min_bytes: options.minBytes,
        enc: "b64", // exact for any bytes
        reset: options.reset,
        order: waitMs > 0 ? "any" : undefined, // whoever shares the connection need not wait as well
        fields: "keys,timestamps,tombstones",
      }),
    read: (payload) => {
      const page = readPage(payload);
      const messages = page.records.map((record) => new Message(topic, partition, record));
      return new Page(messages, page.nextOffset, page.highWatermark, page.logStart);
    },
    options,
    waitMs,
    overtakable: waitMs > 0,
  };
}

export function offsets(
  topic: string,
  partition: number,
  at: End | number | bigint,
  options?: CallOptions,
): Call<OffsetFound> {
  return call(
    "OFFSETS",
    [topic, partition],
    (answer) => new OffsetFound(answer.bigint("offset"), answer.integer("timestamp")),
    options,
    { at: at as Word },
  );
}

function readWelcome(answer: Payload): Welcome {
  const protocol = answer.text("protocol");
  if (protocol !== "V1") throw badRequest(`protocol: ${shown(toBytes(protocol))} is not spoken here, V1 is`);
  return {
    server: answer.text("server"),
    protocol,
    brokerId: answer.integer("broker_id"),
    maxLine: answer.integer("max_line"),
    commands: answer.texts("commands"),
  };
}
