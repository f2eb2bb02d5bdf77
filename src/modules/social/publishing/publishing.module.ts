import { Module } from '@nestjs/common';

/** The worker that brings due posts to their page, each once. */
@Module({})
export class PublishingModule {}
