import { Module } from '@nestjs/common';

/** Files and rows as a source of facts; each can be followed and undone. */
@Module({})
export class ImportsModule {}
