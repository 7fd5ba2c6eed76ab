/**
 * Client for the Flux event-streaming broker.
 *
 * {@link FluxClient} asks a broker anything; {@link FluxRuntime} makes producers, which batch and retry, and consumers, which share a
 * group's partitions.
 *
 * @packageDocumentation
 */

export type { ConsumerListeners, ConsumerOptions, ConsumerSettings, ProducerOptions } from "./agents/options.js";
export type { CallOptions } from "./calls/call.js";
export type { AlterTopicOptions, RegisterBrokerOptions, TopicSettings } from "./calls/cluster.js";
export type { GroupResetOptions, JoinOptions, ResetTarget } from "./calls/groups.js";
export type { ConsumeOptions, End, ProduceOptions } from "./calls/records.js";
export { FluxClient } from "./client/client.js";
export { Commands } from "./client/commands.js";
export type { ClientOptions } from "./client/options.js";
export { type ErrorCode, FluxError } from "./errors.js";
export * from "./results.js";
export { Consumer, type DisconnectOptions, type RunOptions } from "./runtime/consumer.js";
export { Producer, type SendOptions } from "./runtime/producer.js";
export { FluxRuntime } from "./runtime/runtime.js";
export { fnv1a, partitionOf } from "./wire/partitioner.js";
export { type Json, type JsonObject, Payload } from "./wire/payload.js";
export type { Acks, Content } from "./wire/records.js";
