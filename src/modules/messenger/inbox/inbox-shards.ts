/**
 * How many parts of the inbox are worked off side by side. An event's part are the last bits of its lane, so that events
 * of one conversation meet in one part. The index `webhook_events_received_idx` is made for this very number.
 */
const shardCount = 4;

export const shards: readonly number[] = Array.from({ length: shardCount }, (_, shard) => shard);

/** The worker's job, one of each part. */
export const processJob = 'messenger.process-events';

/** A job of the same part that still waits is enough: it takes whatever is there when it runs. */
export const keyOfShard = (shard: number): string => `${processJob}:${shard}`;
