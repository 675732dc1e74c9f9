"""Takes batches from an iterator, and gives them to a train function again."""

import itertools
from typing import Any

import tensorflow as tf

# A call of the train function is given at most so many batches at once.
_LARGEST = 2**20


def take(iterator: Any, count: int) -> list[Any]:
    """Takes up to `count` batches from an iterator, fewer if it ends."""
    if not isinstance(iterator, tf.distribute.DistributedIterator):
        return list(itertools.islice(iterator, count))
    # The last batch of the data may lack parts for some replicas.
    batches = []
    for _ in range(count):
        batch = iterator.get_next_as_optional()
        if not bool(batch.has_value()):
            break
        batches.append(batch.get_value())
    return batches


def is_of_tensorflow(iterator: Any) -> bool:
    """Whether Keras' train function takes its batches itself, inside the graph."""
    return isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator))


class Replay:
    """Feeds batches to functions that take their data from an iterator.

    What it gives has the very type of the iterator that the batches came from, so
    that a function runs what it was traced to for that one.

    Args:
        iterator: The iterator that is stood in for.
        strategy: The model's distribution strategy.
        count: Batches that a call takes, int >= 1.
    """

    def __init__(self, iterator: Any, strategy: Any, count: int) -> None:
        self._replicas = 1
        spec = iterator.element_spec
        if isinstance(iterator, tf.distribute.DistributedIterator):
            self._replicas = strategy.num_replicas_in_sync
            if self._replicas > 1:
                spec = tf.nest.map_structure(self._of_first, spec)
        self._count = count
        flat = tf.nest.flatten(spec, expand_composites=True)
        room = min(self._replicas * (count + 1), _LARGEST)
        with tf.device("CPU:0"):
            self._queue = tf.queue.FIFOQueue(
                room, [tf.bool, *(part.dtype for part in flat)]
            )
        self._strategy = strategy
        self._distributed = self._replicas > 1
        self._spec, self._flat = spec, flat
        self._iterator: Any = None

    def iterator_over(self, batches: list[Any]) -> Any:
        """Returns an iterator that gives these batches next, and ends if it has to.

        Args:
            batches: As many as a call takes, or the last ones of the data.
        """
        if self._iterator is None:
            self._iterator = self._made()
        for batch in batches:
            self._put(batch, True)
        iterator = self._iterator
        if len(batches) < self._count:
            self._put(batches[0], False)
            self._iterator = None
        return iterator

    def close(self) -> None:
        """Ends what waits for batches."""
        self._queue.close(cancel_pending_enqueues=True)

    def _put(self, batch: Any, more: bool) -> None:
        for replica in range(self._replicas):
            part = batch
            if self._distributed:
                part = tf.nest.map_structure(
                    lambda value, place=replica: self._local(value, place), batch
                )
            with tf.device("CPU:0"):
                self._queue.enqueue(
                    [tf.constant(more), *tf.nest.flatten(part, expand_composites=True)]
                )

    def _local(self, value: Any, replica: int) -> Any:
        return self._strategy.experimental_local_results(value)[replica]

    def _of_first(self, spec: Any) -> Any:
        # Replicas are given data of one type.
        parts = getattr(spec, "_value_specs", None)
        return spec if parts is None else parts[0]

    def _made(self) -> Any:
        if not self._distributed:
            return iter(self._dataset())
        return iter(
            self._strategy.distribute_datasets_from_function(
                lambda context: self._dataset()
            )
        )

    def _dataset(self) -> Any:
        queue, spec, flat = self._queue, self._spec, self._flat

        @tf.autograph.experimental.do_not_convert
        def taken(_: Any) -> Any:
            more, *parts = queue.dequeue()
            more.set_shape([])
            for part, of in zip(parts, flat, strict=True):
                part.set_shape(of.shape)
            return more, tuple(parts)

        @tf.autograph.experimental.do_not_convert
        def has_more(more: Any, parts: Any) -> Any:
            return more

        @tf.autograph.experimental.do_not_convert
        def packed(more: Any, parts: Any) -> Any:
            return tf.nest.pack_sequence_as(spec, parts, expand_composites=True)

        options = tf.data.Options()
        # Nothing may be taken ahead of its call.
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        endless = tf.data.Dataset.range(tf.int64.max).map(taken)
        return endless.take_while(has_more).map(packed).with_options(options)
