"""What a client does, without doing it: which broker, which bytes, until when, and with what outcome. Pure.

A face (Twisted, asyncio, blocking) tells the core what happens and then does what the core wants:

- ``conversation`` is the connection there should be: another one than before, or None, means to hang up and, if there is one, to
  dial its ``address``;
- :meth:`Core.take_outgoing` is what is to be written to it;
- :meth:`Core.take_finished` are the calls that have an outcome now;
- ``wake_at_s`` is when :meth:`Core.tick` wants to be called next.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from flux.client.addresses import Rotation, leader_address
from flux.client.backlog import Backlog
from flux.client.calls import Call
from flux.client.conversation import Conversation, Stage
from flux.client.errors import BadReply, ClientClosed, NoBroker, NotSent, OutcomeUnknown, error_of
from flux.client.exchange import Exchange
from flux.client.settings import ClientSettings
from flux.errors import BadRequest, FluxError, NotLeader, ShuttingDown, Throttled
from flux.wire.v1 import ErrReply, OkReply

R = TypeVar("R")

_MOST_MOVES = 5  # of one call; brokers that send it in circles get it back as an error
_TICK_S = 0.01  # the grain of timeouts, since every tick looks at all calls


class Core:
    """Calls wait, are sent in the order they were asked, and get their outcome, over as many connections as it takes.

    What was sent is never sent again, unless the broker answered that it did nothing and that another one should be asked.

    *Action*: :meth:`ask`, :meth:`give_up`. *Transitions*: :meth:`connected`, :meth:`received`, :meth:`lost`, :meth:`tick`;
    :meth:`close` is final.
    """

    def __init__(self, brokers: str | Sequence[str], settings: ClientSettings) -> None:
        self.conversation: Conversation | None = None
        self.wake_at_s: float | None = None
        self.is_closed = False
        self._settings = settings
        self._rotation = Rotation(brokers)
        self._failures: list[str] = []  # of this round of dialling, broker by broker
        self._backlog = Backlog(settings)
        self._leaving = False  # another broker is to be asked as soon as nothing is awaited from this one
        self._finished: list[Exchange[Any]] = []

    # --- what the caller wants ---

    def ask(self, call: Call[R], now_s: float, waiter: Any = None) -> Exchange[R]:
        """Send *call* when it is its turn. It may be finished at once."""
        timeout_s = self._settings.timeout_s if call.timeout_s is None else call.timeout_s
        exchange = Exchange(call, now_s + timeout_s + call.wait_s, waiter)
        command = call.request.COMMAND
        try:
            exchange.load(call.request.encode())
        except BadRequest as error:
            self._fail(exchange, error)
            return exchange
        if self.is_closed:
            self._fail(exchange, ClientClosed(f"{command}: the client is closed; nothing was sent"))
        elif not self._backlog.accepts(exchange):
            count = len(self._backlog)
            self._fail(
                exchange, Throttled(f"{command}: {count} calls wait already; nothing was sent, await some first")
            )
        else:
            self._backlog.add(exchange)
            self._wake_by(exchange.deadline_s)
            self._advance(now_s)
        return exchange

    def give_up(self, exchange: Exchange[Any], now_s: float) -> None:
        """Nobody waits for *exchange* any more: it is not sent, or its answer is dropped."""
        if not exchange.is_done:
            exchange.fail(OutcomeUnknown(f"{exchange.call.request.COMMAND}: the caller gave it up"))
            self._backlog.remove(exchange)
            self._advance(now_s)

    def close(self) -> None:
        """Be done with everything: what is sent has an unknown outcome, what is not will not be sent."""
        self.is_closed = True
        conversation, self.conversation, self.wake_at_s = self.conversation, None, None
        if conversation is not None:
            self._abandon(conversation, "the client was closed")
        for exchange in self._backlog.remove_if(lambda _: True):
            self._fail(
                exchange, ClientClosed(f"{exchange.call.request.COMMAND}: the client was closed before it was sent")
            )

    # --- what happens to the connection ---

    def connected(self, conversation: Conversation, now_s: float) -> None:
        """It was dialled successfully: greet, to see that a broker is there and to learn what it takes."""
        if conversation is self.conversation:
            conversation.greet(now_s)

    def received(self, conversation: Conversation, data: bytes, now_s: float) -> None:
        """Bytes arrived on it."""
        if conversation is not self.conversation:
            return
        was_open = conversation.stage is Stage.OPEN
        try:
            for exchange, reply in conversation.read(data, now_s):
                self._answered(conversation, exchange, reply)
        except BadReply as error:
            self._hang_up(conversation, str(error), now_s)
        else:
            if not was_open and conversation.stage is Stage.OPEN:
                self._rotation.prefer(conversation.address)
        self._advance(now_s)

    def lost(self, conversation: Conversation, reason: str, now_s: float) -> None:
        """It could not be dialled, or has ended."""
        if conversation is self.conversation:
            self._hang_up(conversation, reason, now_s)
            self._advance(now_s)

    # --- time ---

    def tick(self, now_s: float) -> None:
        """Time has passed: give up what takes too long."""
        if self.wake_at_s is None or now_s < self.wake_at_s:
            return
        self.wake_at_s = None
        conversation = self.conversation
        if conversation is not None:
            self._expire_sent(conversation, now_s)
        self._expire_waiting(now_s)
        if self.wake_at_s is not None:
            self.wake_at_s = max(self.wake_at_s, now_s + _TICK_S)
        self._advance(now_s)

    # --- what is to be done ---

    def take_outgoing(self) -> bytes:
        """Bytes to write to the connection, each once."""
        return b"" if self.conversation is None else self.conversation.take_outgoing()

    def take_finished(self) -> list[Exchange[Any]]:
        """The calls that have an outcome since the last time, each once."""
        finished, self._finished = self._finished, []
        return finished

    # --- inside: connections ---

    def _advance(self, now_s: float) -> None:
        conversation, backlog, settings = self.conversation, self._backlog, self._settings
        if conversation is None:
            if backlog:
                self._rotation.begin()
                self._failures = []
                self._dial(now_s)
        elif conversation.stage is not Stage.OPEN:
            pass
        elif self._leaving:
            if not conversation.has_live:
                self.conversation = None
                self._leaving = False
                self._advance(now_s)
        elif backlog:
            if not conversation.unanswered and now_s - conversation.heard_at_s > settings.max_idle_s:
                # The broker may be closing it for idleness just now; what was sent then would be neither done nor refused.
                self.conversation = None
                self._advance(now_s)
            while backlog and conversation.has_room(backlog.first, settings):
                exchange = backlog.take()
                conversation.write(exchange, now_s)
                if exchange.is_done:
                    self._finished.append(exchange)

    def _dial(self, now_s: float) -> None:
        """The next broker of this round, if anybody wants one; at its end there is none for whoever waits."""
        address = self._rotation.next() if self._backlog else None
        if address is None:
            reason = "no broker could be reached; " + "; ".join(self._failures)
            for exchange in self._backlog.remove_if(lambda _: True):
                self._fail(exchange, NoBroker(reason))
            return
        deadline_s = now_s + self._settings.connect_timeout_s
        self.conversation = Conversation(address, deadline_s, self._settings.max_reply_bytes)
        self._wake_by(deadline_s)

    def _hang_up(self, conversation: Conversation, reason: str, now_s: float) -> None:
        """This connection is of no use any more."""
        self.conversation = None
        was_open = conversation.stage is Stage.OPEN
        self._abandon(conversation, reason)
        if was_open:
            self._leaving = False
            self._rotation.avoid(conversation.address)
        else:
            self._failures.append(f"{conversation.address}: {reason}")
            self._dial(now_s)

    def _abandon(self, conversation: Conversation, reason: str) -> None:
        for exchange in conversation.unanswered.values():
            if not exchange.is_done:
                self._fail(exchange, _unknown(conversation, exchange, reason))

    # --- inside: calls ---

    def _answered(self, conversation: Conversation, exchange: Exchange[Any], reply: OkReply | ErrReply) -> None:
        if exchange.is_done:
            pass  # too late
        elif isinstance(reply, OkReply):
            try:
                exchange.succeed(exchange.call.read(reply.payload))
            except Exception as error:  # whoever made the call said how to read it
                exchange.fail(BadReply(f"{exchange.call.request.COMMAND}: the answer cannot be read; {error}"))
            self._finished.append(exchange)
        else:
            refusal = error_of(reply)
            if not self._ask_another(conversation, exchange, refusal):
                self._fail(exchange, refusal)

    def _ask_another(self, conversation: Conversation, exchange: Exchange[Any], error: FluxError) -> bool:
        """Whether *error* says that nothing was done and that another broker may do it, and there is one: then it will be asked."""
        if not isinstance(error, (NotLeader, ShuttingDown)):
            return False
        leader = leader_address(str(error))
        others = _MOST_MOVES if leader else min(len(self._rotation) - 1, _MOST_MOVES)
        if leader == conversation.address or exchange.moves >= others:
            return False
        exchange.moves += 1
        self._backlog.put_back(exchange)
        if not self._leaving:
            self._leaving = True
            self._rotation.avoid(conversation.address)
            if leader is not None:
                self._rotation.prefer(leader)
        return True

    def _expire_sent(self, conversation: Conversation, now_s: float) -> None:
        if conversation.stage is not Stage.OPEN:
            if now_s >= conversation.deadline_s:
                self._hang_up(conversation, f"no answer within {self._settings.connect_timeout_s:g} s", now_s)
            else:
                self._wake_by(conversation.deadline_s)
            return
        for exchange in conversation.unanswered.values():
            if exchange.is_done:
                continue
            if now_s >= exchange.deadline_s:
                self._fail(exchange, _unknown(conversation, exchange, "no answer came in time"))
            else:
                self._wake_by(exchange.deadline_s)
        for oldest in conversation.unanswered.values():
            # A late answer costs its own call only. But no answer at all, for so long, is a connection that leads nowhere.
            patience_s = max(self._settings.timeout_s, oldest.call.timeout_s or 0.0) + oldest.call.wait_s
            silent_since_s = max(conversation.heard_at_s, oldest.sent_at_s)
            if now_s >= silent_since_s + patience_s:
                self._hang_up(conversation, f"nothing was heard for {now_s - silent_since_s:.1f} s", now_s)
            else:
                self._wake_by(silent_since_s + patience_s)
            break

    def _expire_waiting(self, now_s: float) -> None:
        expired = self._backlog.remove_if(lambda exchange: now_s >= exchange.deadline_s)
        for exchange in expired:
            self._fail(exchange, NotSent(f"{exchange.call.request.COMMAND}: not sent in time, {self._obstacle()}"))
        earliest_s = self._backlog.earliest_deadline_s()
        if earliest_s is not None:
            self._wake_by(earliest_s)

    def _obstacle(self) -> str:
        """Why calls wait."""
        conversation = self.conversation
        if conversation is None:
            return "there was no connection"
        if conversation.stage is Stage.OPEN:
            return f"{len(conversation.unanswered)} others were not answered yet"
        return "; ".join([*self._failures, f"{conversation.address}: still connecting"])

    def _fail(self, exchange: Exchange[Any], error: FluxError) -> None:
        exchange.fail(error)
        self._finished.append(exchange)

    def _wake_by(self, when_s: float) -> None:
        if self.wake_at_s is None or when_s < self.wake_at_s:
            self.wake_at_s = when_s


def _unknown(conversation: Conversation, exchange: Exchange[Any], reason: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{exchange.call.request.COMMAND}: it may have been executed by {conversation.address}: {reason}"
    )
