import { Module } from '@nestjs/common';
import { InboxJobs } from './inbox.jobs.js';
import { InboxWake } from './inbox-wake.js';
import { UnresolvedJobs } from './unresolved.jobs.js';

/** Works the inbox off: each event to its owner, in the order of its conversation. */
@Module({
  providers: [InboxJobs, InboxWake, UnresolvedJobs],
  exports: [InboxWake],
})
export class InboxModule {}
