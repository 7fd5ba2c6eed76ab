/** Frames of protocol V1: request lines out, reply lines in. */

import { badRequest } from "../errors.js";
import { asText, type Bytes, shown } from "./encoding.js";

/** A reply line, read. */
export type Reply =
  | { readonly id: Bytes; readonly ok: true; readonly payload: Bytes }
  | { readonly id: Bytes; readonly ok: false; readonly code: string; readonly message: string };

/** What a line that is no frame is answered under. */
export const NO_ID = "0";

const NO_NAME = /^$|\||^[ \t]|[ \t]$/;

/** A whole request line, LF included. @throws FluxError it would be read as something else. */
export function requestLine(id: Bytes, command: Bytes, args: Bytes): Bytes {
  for (const [field, part] of [
    ["correlation id", id],
    ["command", command],
  ] as const) {
    if (NO_NAME.test(part)) {
      throw badRequest(`${field}: ${shown(part)} cannot be sent; use text without | and without blanks around it`);
    }
  }
  const line = `V1|${id}|${command}|${args}`;
  if (line.includes("\n") || line.includes("\r")) {
    throw badRequest(`frame: ${shown(line)} holds a line end; encode it with enc=pct or enc=b64`);
  }
  return `${line}\n`;
}

/** One reply line, without its LF. @throws FluxError it is none. */
export function parseReply(line: Bytes): Reply {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  const idEnd = text.indexOf("|", 3);
  if (text.startsWith("V1|") && idEnd > 3) {
    const id = text.slice(3, idEnd);
    if (text.startsWith("OK|", idEnd + 1)) return { id, ok: true, payload: text.slice(idEnd + 4) };
    if (text.startsWith("ERR|", idEnd + 1)) {
      const rest = text.slice(idEnd + 5);
      const codeEnd = rest.indexOf("|");
      const [code, message] = codeEnd < 0 ? [rest, ""] : [rest.slice(0, codeEnd), rest.slice(codeEnd + 1)];
      return { id, ok: false, code: asText(code), message: asText(message) };
    }
  }
  throw badRequest(`reply: ${shown(line)} is neither V1|<id>|OK|<payload> nor V1|<id>|ERR|<code>|<message>`);
}
