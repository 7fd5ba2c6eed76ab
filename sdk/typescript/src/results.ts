/** What calls are answered with. Offsets are bigint, since they may pass 2^53; what ends in `Number` is the same as a number. */

import { buffer } from "./wire/encoding.js";
import type { JsonObject } from "./wire/payload.js";

/** A bigint as a number. @throws RangeError a number would not hold it exactly. */
export function toNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new RangeError(`${value} is more than a number holds exactly; use the bigint`);
  return number;
}

/** One record as it was read. */
export class Message {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** null: the record has none. */
  readonly key: Uint8Array | null;
  /** null: a tombstone, which says that there is no value for the key any more. */
  readonly value: Uint8Array | null;
  readonly timestampMs: number;

  /** @internal */
  constructor(
    topic: string,
    partition: number,
    record: {
      readonly offset: bigint;
      readonly key: Uint8Array | null;
      readonly value: Uint8Array | null;
      readonly timestampMs: number;
    },
  ) {
    this.topic = topic;
    this.partition = partition;
    this.offset = record.offset;
    this.key = record.key;
    this.value = record.value;
    this.timestampMs = record.timestampMs;
  }

  /** @throws RangeError a number would not hold it exactly. */
  get offsetNumber(): number {
    return toNumber(this.offset);
  }

  /** The key as text; what is not UTF-8 is replaced. Empty if there is none. */
  get keyText(): string {
    return text(this.key);
  }

  /** The value as text; what is not UTF-8 is replaced. Empty if there is none. */
  get text(): string {
    return text(this.value);
  }

  /** The value as JSON. @throws SyntaxError it is none. */
  json(): unknown {
    return JSON.parse(this.text);
  }
}

/** Where a record went. */
export class Produced {
  readonly partition: number;
  readonly offset: bigint;
  /** One past the last committed record. */
  readonly highWatermark: bigint;

  /** @internal */
  constructor(partition: number, offset: bigint, highWatermark: bigint) {
    this.partition = partition;
    this.offset = offset;
    this.highWatermark = highWatermark;
  }

  /** @throws RangeError a number would not hold it exactly. */
  get offsetNumber(): number {
    return toNumber(this.offset);
  }
}

/** What a CONSUME found, and where to go on. Offsets may have gaps. Iterating yields the messages. */
export class Page implements Iterable<Message> {
  readonly messages: readonly Message[];
  /** The offset to go on from. */
  readonly nextOffset: bigint;
  /** One past the last committed record. */
  readonly highWatermark: bigint;
  /** The first offset there is. */
  readonly logStart: bigint;

  /** @internal */
  constructor(messages: readonly Message[], nextOffset: bigint, highWatermark: bigint, logStart: bigint) {
    this.messages = messages;
    this.nextOffset = nextOffset;
    this.highWatermark = highWatermark;
    this.logStart = logStart;
  }

  /** @throws RangeError a number would not hold it exactly. */
  get nextOffsetNumber(): number {
    return toNumber(this.nextOffset);
  }

  [Symbol.iterator](): Iterator<Message> {
    return this.messages[Symbol.iterator]();
  }
}

/** Where a group goes on, and whether it ever said so. */
export class NextOffset {
  readonly offset: bigint;
  readonly committed: boolean;

  /** @internal */
  constructor(offset: bigint, committed: boolean) {
    this.offset = offset;
    this.committed = committed;
  }

  /** @throws RangeError a number would not hold it exactly. */
  get offsetNumber(): number {
    return toNumber(this.offset);
  }
}

/** An offset and its record's time; both -1 where there is none. */
export class OffsetFound {
  readonly offset: bigint;
  readonly timestampMs: number;

  /** @internal */
  constructor(offset: bigint, timestampMs: number) {
    this.offset = offset;
    this.timestampMs = timestampMs;
  }

  /** @throws RangeError a number would not hold it exactly. */
  get offsetNumber(): number {
    return toNumber(this.offset);
  }
}

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Who the broker is. */
export interface Welcome {
  readonly server: string;
  readonly protocol: string;
  readonly brokerId: number;
  /** The longest line it takes, in bytes. */
  readonly maxLine: number;
  readonly commands: readonly string[];
}

/** What a member owns in a generation. */
export interface Assigned {
  readonly generation: number;
  readonly partitions: readonly number[];
}

/** What a reset of a group did, or would do: by partition, the offsets before (null: none) and after. */
export interface GroupMoved {
  readonly group: string;
  readonly topic: string;
  readonly generation: number;
  readonly dryRun: boolean;
  readonly before: readonly (bigint | null)[];
  readonly after: readonly bigint[];
}

/** A group, and the last changes of its generation, oldest first. */
export interface GroupExplained {
  readonly group: string;
  readonly events: readonly JsonObject[];
}

/** Where a partition stands after a replica's report. */
export interface ReplicaFetched {
  readonly replica: number;
  readonly ackedOffset: bigint;
  /** One past the last committed record. */
  readonly highWatermark: bigint;
  /** Replica ids, ascending. */
  readonly isr: readonly number[];
  readonly underReplicated: boolean;
}

export type Role = "leader" | "follower";

/** What the broker that answered is to a partition now. */
export interface PartitionRole {
  readonly topic: string;
  readonly partition: number;
  readonly role: Role;
  /** One past the last committed record. */
  readonly highWatermark: bigint;
}

/** Why a partition's high watermark stands where it stands. */
export interface PartitionExplained {
  readonly topic: string;
  readonly partition: number;
  readonly explanation: JsonObject;
}

/** `term` and `index` are those of the entry in the metadata's store that made a change. */
export interface Change {
  readonly term: number;
  readonly index: number;
}

/** A topic's shape. */
export interface TopicShape extends Change {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** A topic that is gone. */
export interface TopicDeleted extends Change {
  readonly topic: string;
}

/** Where a log starts now. */
export interface RecordsDeleted {
  readonly topic: string;
  readonly partition: number;
  readonly logStart: bigint;
}

/** A topic's shape, and what it is made of. */
export interface TopicDescribed {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly description: JsonObject;
}

/** Who leads a partition now. */
export interface PartitionLeaderSet extends Change {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  readonly isr: readonly number[];
}

/** How many partitions of a topic changed hands. */
export interface LeadersElected {
  readonly topic: string;
  readonly electedChanges: number;
}

/** A broker and its address. */
export interface BrokerRegistered extends Change {
  readonly brokerId: number;
  readonly host: string;
  readonly port: number;
}

/** A broker's heartbeat was heard. */
export interface BrokerAlive extends Change {
  readonly brokerId: number;
}

/** Whether a broker is kept from leading. */
export interface BrokerFenced extends Change {
  readonly brokerId: number;
  readonly fenced: boolean;
}

/** What there is. */
export interface Metadata {
  readonly topics: readonly string[];
  readonly brokers: readonly number[];
  readonly fenced: readonly number[];
}

function text(bytes: Uint8Array | null): string {
  return bytes === null ? "" : buffer(bytes).toString();
}
