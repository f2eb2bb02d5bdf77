import { Module } from '@nestjs/common';

/** Works the inbox off: each event to its owner, in the order of its conversation. */
@Module({})
export class InboxModule {}
