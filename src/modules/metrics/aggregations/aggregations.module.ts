import { Module } from '@nestjs/common';

/** Roll-ups of the facts by day, week, month, quarter and year. */
@Module({})
export class AggregationsModule {}
