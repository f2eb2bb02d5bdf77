import { Module } from '@nestjs/common';
import { VideosController } from './videos.controller.js';
import { VideosService } from './videos.service.js';

/** Videos that can be posted. */
@Module({ controllers: [VideosController], providers: [VideosService] })
export class VideosModule {}
