import { Global, Module } from '@nestjs/common';
import { AttemptLimits } from './attempt-limits.js';
import { RateLimits } from './rate-limits.js';

@Global()
@Module({ providers: [AttemptLimits, RateLimits], exports: [AttemptLimits, RateLimits] })
export class LimitsModule {}
