import type { Call, CallOptions } from "../calls/call.js";
import * as cluster from "../calls/cluster.js";
import * as groups from "../calls/groups.js";
import * as records from "../calls/records.js";
import type * as results from "../results.js";
import type { JsonObject } from "../wire/payload.js";
import type { Content } from "../wire/records.js";

/** Everything that can be asked of a broker, one method a command. Every method rejects with a {@link FluxError}. */
export abstract class Commands {
  /** @internal */
  protected abstract send<R>(call: Call<R>): Promise<R>;

  // --- the session ---

  /** Ask whether somebody is there. */
  ping(options?: CallOptions): Promise<void> {
    return this.send(records.ping(options));
  }

  /** Ask who the broker is, and say who `client` is, as `name/version`. */
  hello(client?: string, options?: CallOptions): Promise<results.Welcome> {
    return this.send(records.hello(client, options));
  }

  /** Ask what can be said: everything, or one command. */
  help(command?: string, options?: CallOptions): Promise<string> {
    return this.send(records.help(command, options));
  }

  // --- records ---

  /**
   * Append one record. A key null is no key (any partition), a value null a tombstone; both may hold any bytes.
   *
   * `REPLICATION_TIMEOUT`: it is appended, and not confirmed in time.
   */
  produce(topic: string, key: Content, value: Content, options?: records.ProduceOptions): Promise<results.Produced> {
    return this.send(records.produce(topic, key, value, options));
  }

  /**
   * Read records from an offset on; if there are none, wait up to `waitMs`.
   *
   * `OFFSET_OUT_OF_RANGE`: the log does not hold the offset, and `reset` does not say where to go instead.
   */
  consume(
    topic: string,
    partition: number,
    offset: number | bigint,
    options?: records.ConsumeOptions,
  ): Promise<results.Page> {
    return this.send(records.consume(topic, partition, offset, options));
  }

  /** Ask where a partition begins or ends, or which record is the first that is not older than a time (Unix ms). */
  offsets(
    topic: string,
    partition: number,
    at: records.End | number | bigint,
    options?: CallOptions,
  ): Promise<results.OffsetFound> {
    return this.send(records.offsets(topic, partition, at, options));
  }

  // --- groups ---

  /** Become a member of a group on a topic, or show that one still is; what it owns. */
  join(group: string, topic: string, member: string, options?: groups.JoinOptions): Promise<results.Assigned> {
    return this.send(groups.join(group, topic, member, options));
  }

  /** Ask what a member owns. `GENERATION_MISMATCH`: the generation is over, or it is no member: join again. */
  sync(
    group: string,
    topic: string,
    member: string,
    generation: number,
    options?: CallOptions,
  ): Promise<results.Assigned> {
    return this.send(groups.sync(group, topic, member, generation, options));
  }

  /** Give a sign of life. `GENERATION_MISMATCH`: the group was rebalanced: join again. */
  heartbeat(group: string, topic: string, member: string, generation: number, options?: CallOptions): Promise<void> {
    return this.send(groups.heartbeat(group, topic, member, generation, options));
  }

  /** End a membership; the others share its partitions. */
  leave(group: string, topic: string, member: string, generation: number, options?: CallOptions): Promise<void> {
    return this.send(groups.leave(group, topic, member, generation, options));
  }

  /**
   * Remember an offset as the next one a group reads: the last one handled, plus one. Answered when it is durable.
   *
   * `GENERATION_MISMATCH`: the member does not own the partition in this generation.
   */
  commit(
    group: string,
    topic: string,
    member: string,
    generation: number,
    partition: number,
    offset: number | bigint,
    options?: CallOptions,
  ): Promise<void> {
    return this.send(groups.commit(group, topic, member, generation, partition, offset, options));
  }

  /** Ask where a group goes on; where the log begins, if it never committed. */
  offset(group: string, topic: string, partition: number, options?: CallOptions): Promise<results.NextOffset> {
    return this.send(groups.offset(group, topic, partition, options));
  }

  /** Ask which groups there are. */
  groupList(options?: CallOptions): Promise<JsonObject[]> {
    return this.send(groups.groupList(options));
  }

  /** Ask who is in a group, what each owns, and how far behind it is. */
  groupDescribe(group: string, options?: CallOptions): Promise<JsonObject> {
    return this.send(groups.groupDescribe(group, options));
  }

  /** Ask why a group was rebalanced. */
  explainGroup(group: string, options?: CallOptions): Promise<results.GroupExplained> {
    return this.send(groups.explainGroup(group, options));
  }

  /** Move all that a group has committed on a topic. */
  groupReset(
    group: string,
    topic: string,
    to: groups.ResetTarget,
    options?: groups.GroupResetOptions,
  ): Promise<results.GroupMoved> {
    return this.send(groups.groupReset(group, topic, to, options));
  }

  // --- partitions ---

  /** Report that a replica holds everything up to and including an offset, -1 for nothing. */
  replicaFetch(
    topic: string,
    partition: number,
    replica: number,
    offset: number | bigint,
    options?: CallOptions,
  ): Promise<results.ReplicaFetched> {
    return this.send(cluster.replicaFetch(topic, partition, replica, offset, options));
  }

  /** Make the broker that answers the leader of a partition, or a follower. */
  setPartitionRole(
    topic: string,
    partition: number,
    role: results.Role,
    options?: CallOptions,
  ): Promise<results.PartitionRole> {
    return this.send(cluster.setPartitionRole(topic, partition, role, options));
  }

  /** Ask why a partition's high watermark stands where it stands. */
  explainPartition(topic: string, partition: number, options?: CallOptions): Promise<results.PartitionExplained> {
    return this.send(cluster.explainPartition(topic, partition, options));
  }

  /** Make a broker lead a partition, with `isr` in sync. Naming one that lacks committed records loses them. */
  adminSetPartitionLeader(
    topic: string,
    partition: number,
    leader: number,
    isr: readonly number[],
    options?: CallOptions,
  ): Promise<results.PartitionLeaderSet> {
    return this.send(cluster.adminSetPartitionLeader(topic, partition, leader, isr, options));
  }

  /** Let the preferred replicas of a topic lead. */
  adminElectTopicLeaders(topic: string, options?: CallOptions): Promise<results.LeadersElected> {
    return this.send(cluster.adminElectTopicLeaders(topic, options));
  }

  // --- topics ---

  /** Make a topic; the same again is the same answer, another shape is `TOPIC_EXISTS`. */
  adminCreateTopic(
    topic: string,
    partitions: number,
    replicationFactor?: number,
    settings?: cluster.TopicSettings,
    options?: CallOptions,
  ): Promise<results.TopicShape> {
    return this.send(cluster.adminCreateTopic(topic, partitions, replicationFactor, settings, options));
  }

  /** Change settings of a topic, or give it more partitions, which sends keys elsewhere than before: `allowKeyMove`. */
  adminAlterTopic(
    topic: string,
    settings?: cluster.TopicSettings,
    options?: cluster.AlterTopicOptions,
  ): Promise<results.TopicShape> {
    return this.send(cluster.adminAlterTopic(topic, settings, options));
  }

  /** Delete a topic and all its records. */
  adminDeleteTopic(topic: string, options?: CallOptions): Promise<results.TopicDeleted> {
    return this.send(cluster.adminDeleteTopic(topic, options));
  }

  /** Delete all records of a partition before an offset. */
  adminDeleteRecords(
    topic: string,
    partition: number,
    before: number | bigint,
    options?: CallOptions,
  ): Promise<results.RecordsDeleted> {
    return this.send(cluster.adminDeleteRecords(topic, partition, before, options));
  }

  /** Ask what a topic is made of, partition by partition. */
  adminDescribeTopic(topic: string, options?: CallOptions): Promise<results.TopicDescribed> {
    return this.send(cluster.adminDescribeTopic(topic, options));
  }

  // --- brokers ---

  /** Make a broker known under an address. */
  adminRegisterBroker(
    brokerId: number,
    host: string,
    port: number,
    options?: cluster.RegisterBrokerOptions,
  ): Promise<results.BrokerRegistered> {
    return this.send(cluster.adminRegisterBroker(brokerId, host, port, options));
  }

  /** Give a broker's sign of life. */
  adminBrokerHeartbeat(brokerId: number, options?: CallOptions): Promise<results.BrokerAlive> {
    return this.send(cluster.adminBrokerHeartbeat(brokerId, options));
  }

  /** Keep a broker from leading. */
  adminFenceBroker(brokerId: number, options?: CallOptions): Promise<results.BrokerFenced> {
    return this.send(cluster.adminFenceBroker(brokerId, options));
  }

  /** Let a broker lead again. */
  adminUnfenceBroker(brokerId: number, options?: CallOptions): Promise<results.BrokerFenced> {
    return this.send(cluster.adminUnfenceBroker(brokerId, options));
  }

  /** Fence brokers that were silent for so long, and lift the fence of those that were not; how many changed. */
  adminReconcileBrokerHealth(timeoutMs: number, options?: CallOptions): Promise<number> {
    return this.send(cluster.adminReconcileBrokerHealth(timeoutMs, options));
  }

  /** Ask which topics and brokers there are. */
  adminGetMetadata(options?: CallOptions): Promise<results.Metadata> {
    return this.send(cluster.adminGetMetadata(options));
  }
}
