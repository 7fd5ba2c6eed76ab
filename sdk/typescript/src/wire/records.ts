/** The produce and the fetch family: a record into a line, an answer's records out of it. */

import { badRequest } from "../errors.js";
import { type Bytes, decode, type Encoding, encode, encodedLength, shown, toBytes } from "./encoding.js";
import { Payload } from "./payload.js";
import { checkTopicName, readBigInt, readInteger, writeInteger } from "./words.js";

/** What a producer waits for: nothing, the leader's log, or all in-sync replicas. */
export type Acks = 0 | 1 | "0" | "1" | "all";

/** A key or a value: text travels as UTF-8; null is none. */
export type Content = string | Uint8Array | null;

const ENDS_IN_OPTION = /[ \t](?:acks|enc|key|null|ts)=[^ \t]*$/i;

/** The arguments of PRODUCE: key and value as they are if they come back so, else in the shorter encoding. */
export function produceArguments(
  topic: string,
  key: Content,
  value: Content,
  acks: Acks,
  timestampMs: number | bigint | undefined,
): Bytes {
  let keyText = key === null ? "" : toBytes(key);
  let valueText = value === null ? "" : toBytes(value);
  let options = ` acks=${checkAcks(acks)}`;
  if (!travelsPlain(keyText, valueText)) {
    const length = (one: Encoding) => encodedLength(one, keyText) + encodedLength(one, valueText);
    const encoding = length("pct") <= length("b64") ? "pct" : "b64";
    keyText = encode(encoding, keyText);
    valueText = encode(encoding, valueText);
    options += ` enc=${encoding}`;
  }
  if (key === null) options += " key=null";
  if (value === null) options += " null=1";
  if (timestampMs !== undefined) options += ` ts=${writeInteger("timestampMs", timestampMs)}`;
  return `${checkTopicName(topic)} ${keyText}:${valueText}${options}`;
}

/** Whether both come back as they are from a line that ends in an option. */
export function travelsPlain(key: Bytes, value: Bytes): boolean {
  return !(key.includes(":") || /^[ \t]|[\r\n]/.test(key) || /[ \t]$|[\r\n]/.test(value) || ENDS_IN_OPTION.test(value));
}

/** @throws FluxError it is none. */
function checkAcks(acks: unknown): string {
  const name = String(acks).toLowerCase();
  if (name === "0" || name === "1" || name === "all") return name;
  throw badRequest(`acks: ${shown(toBytes(String(acks)))} is not known here; use 0, 1 or all`);
}

/** One record as it came; a tombstone's value is null, and so is the key of a record without one. */
export interface ReadRecord {
  readonly offset: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
}

/** What a CONSUME with `enc=b64 fields=keys,timestamps,tombstones` is answered. */
export interface ReadPage {
  readonly records: ReadRecord[];
  readonly highWatermark: bigint;
  readonly nextOffset: bigint;
  readonly logStart: bigint;
}

/** @throws FluxError this is no such answer. */
export function readPage(payload: Bytes): ReadPage {
  const end = payload.indexOf(" hw=");
  if (!payload.startsWith("messages=") || end < 0) {
    throw badRequest(`messages: ${shown(payload)} is no answer to CONSUME; is this a broker that speaks V1?`);
  }
  const fields = new Payload(payload.slice(end + 1));
  const keys = new Map(items("keys", fields.raw("keys")));
  const tombstones = new Set(fields.words("tombstones"));
  const timestamps = split(fields.raw("timestamps"));
  const messages = items("messages", payload.slice("messages=".length, end));
  if (timestamps.length !== messages.length) {
    throw badRequest(`timestamps: there are ${timestamps.length} for ${messages.length} messages`);
  }
  const records = messages.map(([offset, value], at) => {
    const key = keys.get(offset);
    return {
      offset: readBigInt("messages", offset),
      key: key === undefined ? null : decode("b64", "keys", key),
      value: tombstones.has(offset) ? null : decode("b64", "messages", value),
      timestampMs: readInteger("timestamps", timestamps[at] as Bytes),
    };
  });
  return {
    records,
    highWatermark: fields.bigint("hw") + 1n, // printed: the last committed record's
    nextOffset: fields.bigint("next"),
    logStart: fields.bigint("log_start"),
  };
}

function split(list: Bytes): Bytes[] {
  return list === "" ? [] : list.split(",");
}

/** `<offset>:<text>,…` */
function items(field: string, list: Bytes): [Bytes, Bytes][] {
  return split(list).map((item) => {
    const colon = item.indexOf(":");
    if (colon < 0) throw badRequest(`${field}: ${shown(item)} has no colon; every item is <offset>:<text>`);
    return [item.slice(0, colon), item.slice(colon + 1)];
  });
}
