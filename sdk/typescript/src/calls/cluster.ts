/** The replication family and the admin family: partitions, topics and brokers. */

import { badRequest } from "../errors.js";
import type {
  BrokerAlive,
  BrokerFenced,
  BrokerRegistered,
  Change,
  LeadersElected,
  Metadata,
  PartitionExplained,
  PartitionLeaderSet,
  PartitionRole,
  RecordsDeleted,
  ReplicaFetched,
  Role,
  TopicDeleted,
  TopicDescribed,
  TopicShape,
} from "../results.js";
import { shown, toBytes } from "../wire/encoding.js";
import type { Payload } from "../wire/payload.js";
import { type Call, type CallOptions, call } from "./call.js";

/** A topic's settings under Kafka's names, such as `"retention.ms"`. */
export type TopicSettings = Readonly<Record<string, string | number | bigint | boolean>>;

export interface AlterTopicOptions extends CallOptions {
  /** More than it has; keys go elsewhere then than before. */
  readonly partitions?: number | undefined;
  /** Says that keys may go elsewhere. */
  readonly allowKeyMove?: boolean | undefined;
}

export interface RegisterBrokerOptions extends CallOptions {
  readonly epoch?: number | undefined;
}

const LONGEST_SCAN_MS = 600_000; // the broker looks for keys before it gives a topic more partitions

// --- partitions ---

export function replicaFetch(
  topic: string,
  partition: number,
  replica: number,
  offset: number | bigint,
  options?: CallOptions,
): Call<ReplicaFetched> {
  const read = (answer: Payload): ReplicaFetched => ({
    replica: answer.integer("replica"),
    ackedOffset: answer.bigint("acked_offset"),
    highWatermark: answer.bigint("hw") + 1n,
    isr: answer.integers("isr"),
    underReplicated: answer.boolean("under_replicated"),
  });
  return call("REPLICA_FETCH", [topic, partition, replica, offset], read, options);
}

export function setPartitionRole(
  topic: string,
  partition: number,
  role: Role,
  options?: CallOptions,
): Call<PartitionRole> {
  const read = (answer: Payload): PartitionRole => ({
    topic: answer.text("topic"),
    partition: answer.integer("partition"),
    role: asRole(answer.text("role")),
    highWatermark: answer.bigint("hw") + 1n,
  });
  const made = call("SET_PARTITION_ROLE", [topic, partition, role], read, options);
  const encode = () => {
    asRole(role);
    return made.encode();
  };
  return { ...made, encode };
}

export function explainPartition(topic: string, partition: number, options?: CallOptions): Call<PartitionExplained> {
  const read = (answer: Payload): PartitionExplained => ({
    topic: answer.text("topic"),
    partition: answer.integer("partition"),
    explanation: answer.jsonObject(),
  });
  return call("EXPLAIN_PARTITION", [topic, partition], read, options);
}

export function adminSetPartitionLeader(
  topic: string,
  partition: number,
  leader: number,
  isr: readonly number[],
  options?: CallOptions,
): Call<PartitionLeaderSet> {
  const read = (answer: Payload): PartitionLeaderSet => ({
    topic: answer.text("topic"),
    partition: answer.integer("partition"),
    leader: answer.integer("leader"),
    isr: answer.integers("isr"),
    ...change(answer),
  });
  return call("ADMIN_SET_PARTITION_LEADER", [topic, partition, leader, isr.join(",")], read, options);
}

export function adminElectTopicLeaders(topic: string, options?: CallOptions): Call<LeadersElected> {
  const read = (answer: Payload): LeadersElected => ({
    topic: answer.text("topic"),
    electedChanges: answer.integer("elected_changes"),
  });
  return call("ADMIN_ELECT_TOPIC_LEADERS", [topic], read, options);
}

// --- topics ---

export function adminCreateTopic(
  topic: string,
  partitions: number,
  replicationFactor = 1,
  settings: TopicSettings = {},
  options?: CallOptions,
): Call<TopicShape> {
  return call("ADMIN_CREATE_TOPIC", [topic, partitions, replicationFactor], readShape, options, settings);
}

export function adminAlterTopic(
  topic: string,
  settings: TopicSettings = {},
  options: AlterTopicOptions = {},
): Call<TopicShape> {
  const { partitions, allowKeyMove } = options;
  const named = { ...settings, partitions, allow_key_move: allowKeyMove ? 1 : undefined };
  const waitMs = partitions !== undefined && !allowKeyMove ? LONGEST_SCAN_MS : 0;
  return call("ADMIN_ALTER_TOPIC", [topic], readShape, options, named, waitMs);
}

export function adminDeleteTopic(topic: string, options?: CallOptions): Call<TopicDeleted> {
  const read = (answer: Payload): TopicDeleted => {
    answer.mustSay("deleted", "true");
    return { topic: answer.text("topic"), ...change(answer) };
  };
  return call("ADMIN_DELETE_TOPIC", [topic], read, options);
}

export function adminDeleteRecords(
  topic: string,
  partition: number,
  before: number | bigint,
  options?: CallOptions,
): Call<RecordsDeleted> {
  const read = (answer: Payload): RecordsDeleted => ({
    topic: answer.text("topic"),
    partition: answer.integer("partition"),
    logStart: answer.bigint("log_start"),
  });
  return call("ADMIN_DELETE_RECORDS", [topic, partition, before], read, options);
}

export function adminDescribeTopic(topic: string, options?: CallOptions): Call<TopicDescribed> {
  const read = (answer: Payload): TopicDescribed => ({
    topic: answer.text("topic"),
    partitions: answer.integer("partitions"),
    replicationFactor: answer.integer("replication_factor"),
    description: answer.jsonObject(),
  });
  return call("ADMIN_DESCRIBE_TOPIC", [topic], read, options);
}

// --- brokers ---

export function adminRegisterBroker(
  brokerId: number,
  host: string,
  port: number,
  options: RegisterBrokerOptions = {},
): Call<BrokerRegistered> {
  const read = (answer: Payload): BrokerRegistered => ({
    brokerId: answer.integer("broker_id"),
    host: answer.text("host"),
    port: answer.integer("port"),
    ...change(answer),
  });
  const epoch = options.epoch === undefined ? [] : [options.epoch];
  return call("ADMIN_REGISTER_BROKER", [brokerId, host, port, ...epoch], read, options);
}

export function adminBrokerHeartbeat(brokerId: number, options?: CallOptions): Call<BrokerAlive> {
  const read = (answer: Payload): BrokerAlive => {
    answer.mustSay("heartbeat", "ok");
    return { brokerId: answer.integer("broker_id"), ...change(answer) };
  };
  return call("ADMIN_BROKER_HEARTBEAT", [brokerId], read, options);
}

export function adminFenceBroker(brokerId: number, options?: CallOptions): Call<BrokerFenced> {
  return call("ADMIN_FENCE_BROKER", [brokerId], readFenced, options);
}

export function adminUnfenceBroker(brokerId: number, options?: CallOptions): Call<BrokerFenced> {
  return call("ADMIN_UNFENCE_BROKER", [brokerId], readFenced, options);
}

/** How many brokers changed. */
export function adminReconcileBrokerHealth(timeoutMs: number, options?: CallOptions): Call<number> {
  return call("ADMIN_RECONCILE_BROKER_HEALTH", [timeoutMs], (answer) => answer.integer("reconciled"), options);
}

export function adminGetMetadata(options?: CallOptions): Call<Metadata> {
  const read = (answer: Payload): Metadata => ({
    topics: answer.texts("topics"),
    brokers: answer.integers("brokers"),
    fenced: answer.integers("fenced"),
  });
  return call("ADMIN_GET_METADATA", [], read, options);
}

// --- inside ---

function asRole(word: string): Role {
  if (word === "leader" || word === "follower") return word;
  throw badRequest(`role: ${shown(toBytes(word))} is not known here; use leader or follower`);
}

function change(answer: Payload): Change {
  return { term: answer.integer("term"), index: answer.integer("index") };
}

function readShape(answer: Payload): TopicShape {
  return {
    topic: answer.text("topic"),
    partitions: answer.integer("partitions"),
    replicationFactor: answer.integer("replication_factor"),
    ...change(answer),
  };
}

function readFenced(answer: Payload): BrokerFenced {
  return { brokerId: answer.integer("broker_id"), fenced: answer.boolean("fenced"), ...change(answer) };
}
