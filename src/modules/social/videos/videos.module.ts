import { Module } from '@nestjs/common';

/** Videos that can be posted. */
@Module({})
export class VideosModule {}
