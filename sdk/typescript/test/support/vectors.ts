/** What every client must agree on, as data: the Python tests read the same files, in `tests/vectors` of the repository. */

import { readFileSync } from "node:fs";

const VECTORS = new URL("../../../../../tests/vectors/", import.meta.url);

/** A file, with what stands for something else replaced by it: see the Python package beside the data. */
export function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, VECTORS), "utf8"), (_, value) => meant(value));
}

function meant(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("hex" in value) return Buffer.from(String(value.hex), "hex");
  if ("int" in value) return BigInt(String(value.int));
  if ("repeat" in value && "times" in value) return repeated(value.repeat, Number(value.times));
  return value;
}

function repeated(text: unknown, times: number): string | Buffer {
  return text instanceof Uint8Array ? Buffer.alloc(text.length * times, text) : String(text).repeat(times);
}

/** `snake_case` as the data has it, `camelCase` as we have it. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
