/** Bytes as text: what `enc=` names, and how a value is shown in an error. */

import { badRequest } from "../errors.js";

/**
 * Bytes in a string, one character (U+0000 to U+00FF) each.
 *
 * Lines are read and written as such: splitting and joining strings is what JavaScript is fast at, and no byte is lost.
 */
export type Bytes = string;

export type Encoding = "pct" | "b64";

const SHOWN_CHARACTERS = 60;
const RESERVED = /[^A-Za-z0-9\-._~]/g; // RFC 3986
const UNRESERVED = /[A-Za-z0-9\-._~]+/g;
const ESCAPES = Array.from({ length: 256 }, (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`);

/** Text as UTF-8, bytes as they are. */
export function toBytes(text: string | Uint8Array): Bytes {
  return buffer(text).toString("latin1");
}

/** The same, to be looked at and never written to. @throws FluxError it is neither, whatever a compiler was told. */
export function buffer(text: string | Uint8Array): Buffer {
  if (typeof text === "string") return Buffer.from(text);
  if (Buffer.isBuffer(text)) return text;
  if (!(text instanceof Uint8Array)) throw badRequest(`content: ${text} cannot be sent; use text, bytes or null`);
  return Buffer.from(text.buffer, text.byteOffset, text.byteLength);
}

export function fromBytes(bytes: Bytes): Buffer {
  return Buffer.from(bytes, "latin1");
}

/** What UTF-8 makes of the bytes; what is not UTF-8 is replaced. */
export function asText(bytes: Bytes): string {
  return fromBytes(bytes).toString();
}

/** The bytes as text without blanks, colons, commas or line ends. */
export function encode(encoding: Encoding, bytes: Bytes): Bytes {
  return encoding === "pct" ? percentEncoded(bytes) : fromBytes(bytes).toString("base64");
}

/** How long {@link encode} would make it, without the work. */
export function encodedLength(encoding: Encoding, bytes: Bytes): number {
  if (encoding === "pct") return bytes.length + 2 * bytes.replace(UNRESERVED, "").length;
  return Math.floor((bytes.length + 2) / 3) * 4;
}

/** The bytes that text stands for. @throws FluxError it is not what {@link encode} writes; names the field. */
export function decode(encoding: Encoding, field: string, text: Bytes): Buffer {
  return encoding === "pct" ? fromBytes(percentDecoded(field, text)) : base64Decoded(field, text);
}

export function percentEncoded(bytes: Bytes): Bytes {
  return bytes.replace(RESERVED, (byte) => ESCAPES[byte.charCodeAt(0)] as string);
}

/** Whatever is no `%XX` stands for itself. @throws FluxError a `%` without two hex digits. */
export function percentDecoded(field: string, text: Bytes): Bytes {
  return text.replace(/%([0-9A-Fa-f]{2})?/g, (_, digits: string | undefined, at: number) => {
    if (digits === undefined) {
      throw badRequest(
        `${field}: ${shown(text.slice(at, at + 3))} in ${shown(text)} is no escape; write % itself as %25`,
      );
    }
    return String.fromCharCode(Number.parseInt(digits, 16));
  });
}

function base64Decoded(field: string, text: Bytes): Buffer {
  const data = Buffer.from(text, "base64");
  // The decoder skips what is not base64, and takes stray bits after the last byte: one value, one spelling.
  if (data.toString("base64") !== text) {
    throw badRequest(`${field}: ${shown(text)} is not base64; use A-Z a-z 0-9 + / and pad with = to a multiple of 4`);
  }
  return data;
}

/** A value as an error message may hold it: quoted, printable, shortened. */
export function shown(bytes: Bytes): string {
  const text = asText(bytes.slice(0, 4 * SHOWN_CHARACTERS));
  return JSON.stringify(bytes.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`);
}
