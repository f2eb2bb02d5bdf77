import { Module } from '@nestjs/common';

/** Facts out, as files. */
@Module({})
export class ExportsModule {}
