/** The group family: membership and offsets, as consumers do; and what people ask. */

import { type Assigned, type GroupExplained, type GroupMoved, NextOffset } from "../results.js";
import type { JsonObject, Payload } from "../wire/payload.js";
import { readBigInt, writeArguments, writeInteger } from "../wire/words.js";
import { type Call, type CallOptions, call } from "./call.js";

export interface JoinOptions extends CallOptions {
  /** The group's own if it is not said. */
  readonly assignor?: "round_robin" | "range" | (string & {}) | undefined;
  /** How long the broker waits for a sign of life; its default if it is not said. */
  readonly sessionMs?: number | undefined;
}

export interface GroupResetOptions extends CallOptions {
  /** Only say what it would do. */
  readonly dryRun?: boolean | undefined;
}

/** Where a reset sends a group: to an end, to an offset, or to a time (Unix ms). */
export type ResetTarget =
  | "earliest"
  | "latest"
  | { readonly offset: number | bigint }
  | { readonly time: number | bigint };

export function join(group: string, topic: string, member: string, options: JoinOptions = {}): Call<Assigned> {
  return call("JOIN", [group, topic, member], readAssigned, options, {
    assignor: options.assignor,
    session_ms: options.sessionMs,
  });
}

export function sync(
  group: string,
  topic: string,
  member: string,
  generation: number,
  options?: CallOptions,
): Call<Assigned> {
  return call("SYNC", [group, topic, member, generation], readAssigned, options);
}

export function heartbeat(
  group: string,
  topic: string,
  member: string,
  generation: number,
  options?: CallOptions,
): Call<void> {
  return call("HEARTBEAT", [group, topic, member, generation], (answer) => answer.mustSay("heartbeat", "ok"), options);
}

export function leave(
  group: string,
  topic: string,
  member: string,
  generation: number,
  options?: CallOptions,
): Call<void> {
  return call("LEAVE", [group, topic, member, generation], (answer) => answer.mustSay("left", "true"), options);
}

export function commit(
  group: string,
  topic: string,
  member: string,
  generation: number,
  partition: number,
  offset: number | bigint,
  options?: CallOptions,
): Call<void> {
  return call(
    "COMMIT",
    [group, topic, member, generation, partition, offset],
    (answer) => answer.mustSay("committed", "true"),
    options,
  );
}

export function offset(group: string, topic: string, partition: number, options?: CallOptions): Call<NextOffset> {
  return call(
    "OFFSET",
    [group, topic, partition],
    (answer) => new NextOffset(answer.bigint("offset"), answer.boolean("committed")),
    options,
  );
}

export function groupList(options?: CallOptions): Call<JsonObject[]> {
  return call("GROUP_LIST", [], (answer) => answer.jsonObjects(), options);
}

export function groupDescribe(group: string, options?: CallOptions): Call<JsonObject> {
  return call("GROUP_DESCRIBE", [group], (answer) => answer.jsonObject(), options);
}

export function explainGroup(group: string, options?: CallOptions): Call<GroupExplained> {
  return call(
    "EXPLAIN_GROUP",
    [group],
    (answer) => ({ group: answer.text("group"), events: answer.jsonObjects() }),
    options,
  );
}

export function groupReset(
  group: string,
  topic: string,
  to: ResetTarget,
  options: GroupResetOptions = {},
): Call<GroupMoved> {
  const encode = () => {
    const target =
      typeof to === "string"
        ? to
        : "offset" in to
          ? `offset:${writeInteger("offset", to.offset)}`
          : `time:${writeInteger("time", to.time)}`;
    return writeArguments([group, topic], { to: target, dry_run: options.dryRun ? 1 : undefined });
  };
  return { ...call("GROUP_RESET", [], readMoved, options), encode };
}

function readAssigned(answer: Payload): Assigned {
  return { generation: answer.integer("generation"), partitions: answer.integers("assigned") };
}

function readMoved(answer: Payload): GroupMoved {
  return {
    group: answer.text("group"),
    topic: answer.text("topic"),
    generation: answer.integer("generation"),
    dryRun: answer.boolean("dry_run"),
    before: answer.texts("before").map((word) => (word === "none" ? null : readBigInt("before", word))),
    after: answer.texts("after").map((word) => readBigInt("after", word)),
  };
}
