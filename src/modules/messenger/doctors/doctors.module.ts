import { Module } from '@nestjs/common';

/** A doctor's own settings, and how their Instagram account is. */
@Module({})
export class DoctorsModule {}
