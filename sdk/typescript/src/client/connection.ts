import { connect, type Socket } from "node:net";
import type { Conversation } from "./conversation.js";

/** Who is told what happens on a connection. */
export interface Events {
  connected(conversation: Conversation): void;
  received(conversation: Conversation, data: Uint8Array): void;
  /** What was written has left, and more may be. */
  drained(): void;
  /** It could not be made, or has ended. */
  lost(conversation: Conversation, reason: string): void;
}

/** The socket a conversation is held on, from dialling to the end. */
export class Connection {
  readonly conversation: Conversation;
  /** Fulfilled when nothing of it is left. */
  readonly gone: Promise<void>;
  readonly #socket: Socket;

  constructor(conversation: Conversation, events: Events) {
    const { host, port } = conversation.address;
    this.conversation = conversation;
    // Requests are written whole: Nagle would only hold them back. Keep-alive notices some day that the broker has vanished.
    const socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#socket = socket;
    let reason = "the broker closed the connection";
    socket.on("connect", () => events.connected(conversation));
    socket.on("data", (data: Uint8Array) => events.received(conversation, data));
    socket.on("drain", () => events.drained());
    socket.on("end", () => socket.destroy()); // half a connection is of no use
    socket.on("error", (error: NodeJS.ErrnoException) => {
      reason = describe(error);
    });
    this.gone = new Promise((resolve) => {
      socket.on("close", () => {
        events.lost(conversation, reason);
        resolve();
      });
    });
  }

  /** Whether the socket has as much as it should hold. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  write(data: Uint8Array): void {
    this.#socket.write(data);
  }

  /** End it, whatever state it is in. */
  hangUp(): void {
    if (this.conversation.unanswered.size > 0 && !this.#socket.connecting) {
      // Nobody waits for these answers. And a request may have left in part: a reset keeps the broker from taking that part, ended
      // by the end of the connection, for the whole.
      this.#socket.resetAndDestroy();
    } else {
      this.#socket.destroy();
    }
  }
}

function describe(error: NodeJS.ErrnoException): string {
  // A host with several addresses fails with all their errors, and no message of its own.
  if (error instanceof AggregateError) return error.errors.map((each: Error) => each.message).join(", ");
  return error.message || error.code || "the connection failed";
}
