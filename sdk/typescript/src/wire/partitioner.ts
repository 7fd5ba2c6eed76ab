import { badRequest } from "../errors.js";
import { buffer } from "./encoding.js";

const OFFSET_BASIS = 2166136261;
const PRIME = 16777619;

/** The 32-bit FNV-1a hash of a key. */
export function fnv1a(key: string | Uint8Array): number {
  let value = OFFSET_BASIS;
  for (const byte of buffer(key)) value = Math.imul(value ^ byte, PRIME);
  return value >>> 0;
}

/** The partition a broker puts a key in, of a topic with so many. A record without a key goes to any. */
export function partitionOf(key: string | Uint8Array, partitions: number): number {
  if (!Number.isSafeInteger(partitions) || partitions < 1)
    throw badRequest(`partitions: ${partitions} is not 1 or more`);
  return fnv1a(key) % partitions;
}
