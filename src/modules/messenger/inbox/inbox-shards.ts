/**
 * How many parts of the inbox are worked off side by side. The column `webhook_events.shard` is made for this very number,
 * of an event's lane, so that events of one conversation meet in one part.
 */
const shardCount = 4;

export const shards: readonly number[] = Array.from({ length: shardCount }, (_, shard) => shard);

/** The worker's job, one of each part. */
export const processJob = 'messenger.process-events';

/** A job of the same part that still waits is enough: it takes whatever is there when it runs. */
export const keyOfShard = (shard: number): string => `${processJob}:${shard}`;
