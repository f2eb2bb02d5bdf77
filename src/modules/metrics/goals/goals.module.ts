import { Module } from '@nestjs/common';

/** What a clinic wants to reach by when, and how far it is. */
@Module({})
export class GoalsModule {}
