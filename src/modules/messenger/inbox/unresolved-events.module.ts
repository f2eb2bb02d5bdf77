import { Module } from '@nestjs/common';
import { UnresolvedEvents } from './unresolved-events.js';

/** What connections need of the inbox, which itself needs them. */
@Module({ providers: [UnresolvedEvents], exports: [UnresolvedEvents] })
export class UnresolvedEventsModule {}
