"""One epoch of leading: who waits for acknowledgements, who is in sync, and what ISR was asked for."""

from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from flux.errors import BadRequest, ReplicationTimeout
from flux.model import Acks, Appended, TopicPartition
from flux.replication.isr import ReplicaProgress
from flux.watermark import Watermark

ProposeISR = Callable[[TopicPartition, int, tuple[int, ...]], "Deferred[object]"]
"""Ask for an ISR to be stored: which partition, in which leader epoch, which replicas. Fires when it is stored and in force."""

Remember = Callable[[int], "Deferred[None] | None"]
"""Have a high watermark outlive the process. None if it does already; else fires when it does, or fails."""


class Leadership:
    """Whoever waits for an acknowledgement holds the leadership, not the partition: when it ends they all fail, and no
    continuation outlives it to acknowledge in a dead epoch.

    *Action*: :meth:`acknowledged`, :meth:`promise`, :meth:`report`, :meth:`judge`.
    *Transitions*: :meth:`stored` changes the ISR; :meth:`end` is final.
    """

    _logger: ClassVar[Logger] = Logger()

    def __init__(
        self,
        tp: TopicPartition,
        epoch: int,
        progress: ReplicaProgress,
        visible: Watermark,
        clock: IReactorTime,
        ack_all_timeout_s: float,
        propose: ProposeISR,
        remember: Remember,
    ) -> None:
        self.tp = tp
        self.epoch = epoch
        self.progress = progress
        self.promised = Watermark()
        self.committed = Watermark(visible.value)
        self.begun = False  # whether the log knows the epoch: its entry is made with the first append
        self._visible = visible
        self._clock = clock
        self._ack_all_timeout_s = ack_all_timeout_s
        self._propose = propose
        self._remember = remember
        self._rising = -1  # the watermark that is shown, or being remembered so that it may be
        self._ended = False
        self._proposing: list[Deferred[None]] | None = None  # who waits for the proposal under way; None: there is none

    def end(self, reason: BaseException) -> None:
        """Fail everybody who waits, and everybody who will."""
        self._ended = True
        self.promised.fail(reason)
        self.committed.fail(reason)

    def acknowledged(self, appended: Appended, acks: Acks) -> "Deferred[int] | None":
        """None if *appended* is as safe as *acks* asks, else a Deferred that fires when it is. One a run, none when nothing waits."""
        watermark = self.committed if acks is Acks.ALL else self.promised
        if watermark.value >= appended.end_offset:
            return None
        waiter = watermark.reach(appended.end_offset)
        if acks is Acks.ALL:

            def unconfirmed(_result: object, timeout_s: float) -> int:
                raise ReplicationTimeout(
                    f"partition {self.tp}, offset {appended.base_offset}: appended, not yet confirmed after {timeout_s:g} s;"
                    f" the high watermark stands at {self._visible.value}, in sync are {list(self.progress.isr)}"
                )

            waiter.addTimeout(self._ack_all_timeout_s, self._clock, unconfirmed)
        return waiter

    def promise(self, end_offset: int) -> None:
        """The leader's own log is as durable as it promises up to *end_offset*."""
        self._rise(self.progress.leader_holds(end_offset))
        self.promised.advance(end_offset)

    def report(self, replica: int, offset: int, log_end: int, now: float) -> "Deferred[None] | None":
        """*replica* holds everything up to and including *offset*. A Deferred if that changes who is in sync or what is shown.

        It fires when the change is stored, or storing it was tried. :raises BadRequest: there is no such replica, or no such offset.
        """
        followers = self.progress.replicas - 1
        if not 1 <= replica <= followers:
            valid = f"1 to {followers}" if followers else "none, its replication factor is 1"
            raise BadRequest(f"replica id: {replica} is no follower of {self.tp}; valid ids: {valid}")
        if offset < -1:
            raise BadRequest(f"offset: {offset} is below -1, which says that nothing is held")
        self._rise(self.progress.report(replica, offset + 1, log_end, now))
        proposal = self.judge(log_end, now)
        if proposal is None and self.progress.high_watermark <= self._visible.value:
            return None
        return Deferred.fromCoroutine(self._settled(proposal))

    def stored(self, isr: tuple[int, ...]) -> None:
        """*isr* is what the metadata says."""
        self._rise(self.progress.stored(isr))

    def judge(self, log_end: int, now: float) -> "Deferred[None] | None":
        """Look who is in sync. None if that is what is stored, else a Deferred that fires when storing it was tried."""
        self._rise(self.progress.high_watermark)  # once more, if remembering it failed before
        wanted = self.progress.wanted(log_end, now)
        if self._proposing is None and self.progress.must_propose(wanted):
            # One proposal at a time: two on their way could arrive in either order.
            self._proposing = []
            self.progress.propose(wanted)
            proposal = self._propose(self.tp, self.epoch, wanted)
            proposal.addCallbacks(self._accepted, self._refused, callbackArgs=(wanted,), errbackArgs=(wanted,))
            proposal.addBoth(self._proposed)
        if self._proposing is None:
            return None
        waiter: Deferred[None] = Deferred()
        self._proposing.append(waiter)
        return waiter

    def _rise(self, high_watermark: int) -> None:
        """Show *high_watermark*, once it is remembered: or a restart would show less than was shown before."""
        if high_watermark <= self._rising:
            return
        self._rising = high_watermark
        remembered = self._remember(high_watermark)
        if remembered is None:
            self._show(high_watermark)
        else:
            remembered.addCallbacks(lambda _: self._show(high_watermark), self._not_remembered)

    def _show(self, high_watermark: int) -> None:
        if not self._ended:
            self._visible.advance(high_watermark)  # before the waiters: what they answer names it
            self.committed.advance(high_watermark)

    def _not_remembered(self, _failure: Failure) -> None:
        self._rising = self._visible.value  # the next one to look tries again

    async def _settled(self, proposal: "Deferred[None] | None") -> None:
        if proposal is not None:
            await proposal
        remembered = None if self._ended else self._remember(self.progress.high_watermark)
        if remembered is not None:
            with suppress(Exception):  # reported where it happened; the answer shows the watermark as it stands
                await remembered

    def _accepted(self, _result: object, isr: tuple[int, ...]) -> None:
        self._logger.info("{tp}: in sync are {isr}, epoch {epoch}", tp=self.tp, isr=list(isr), epoch=self.epoch)
        self._rise(self.progress.settled())

    def _refused(self, failure: Failure, isr: tuple[int, ...]) -> None:
        # Not stored, as far as we know: what was proposed goes on counting until a later answer settles it.
        self._logger.warn(
            "{tp}: the ISR {isr} was not stored: {reason}", tp=self.tp, isr=list(isr), reason=failure.getErrorMessage()
        )

    def _proposed(self, _result: object) -> None:
        waiting, self._proposing = self._proposing or [], None
        for waiter in waiting:
            waiter.callback(None)
