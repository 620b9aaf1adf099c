"""Bounded queues between the threads of one pass that all stop together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class StoppedError(Exception):
    """Another thread of the pass failed; internal, never seen outside the pass."""


class Flow:
    """What the threads of one pass share: the first error, and a bell."""

    def __init__(self) -> None:
        self.bell = threading.Condition()
        self.error: BaseException | None = None
        self.stopped = False

    def fail(self, error: BaseException) -> None:
        """Keep the first error and wake everybody."""
        with self.bell:
            if self.error is None and not isinstance(error, StoppedError):
                self.error = error
            self.stopped = True
            self.bell.notify_all()


class Channel(Generic[T]):
    """A bounded queue; both ends raise ``StoppedError`` once the flow has stopped."""

    def __init__(self, flow: Flow, *, size: int) -> None:
        self._flow = flow
        self._size = size
        self._items: deque[T] = deque()
        self._closed = False

    def put(self, item: T) -> None:
        """Add an item; waits while the queue is full."""
        bell = self._flow.bell
        with bell:
            bell.wait_for(lambda: self._flow.stopped or len(self._items) < self._size)
            if self._flow.stopped:
                raise StoppedError
            self._items.append(item)
            bell.notify_all()

    def close(self) -> None:
        """Nothing more will come."""
        with self._flow.bell:
            self._closed = True
            self._flow.bell.notify_all()

    def __iter__(self) -> Iterator[T]:
        bell = self._flow.bell
        while True:
            with bell:
                bell.wait_for(lambda: self._flow.stopped or self._items or self._closed)
                if self._flow.stopped:
                    raise StoppedError
                if not self._items:
                    return
                item = self._items.popleft()
                bell.notify_all()
            yield item


def ahead(items: Iterator[T], *, size: int = 4) -> Generator[T]:
    """The same items, made in a thread of their own, at most ``size`` ahead of who takes them.

    What ``items`` raises is raised here; leaving the loop early stops the thread.
    """
    flow = Flow()
    channel: Channel[T] = Channel(flow, size=size)

    def make() -> None:
        try:
            for item in items:
                channel.put(item)
            channel.close()
        except BaseException as error:  # noqa: BLE001  the edge of the thread; raised again by who takes
            flow.fail(error)
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield from channel
    except StoppedError:
        if flow.error is None:
            raise
        raise flow.error from None
    finally:
        flow.fail(StoppedError())
        thread.join()
