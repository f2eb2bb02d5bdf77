import { Body, Controller, Delete, Get, Headers, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor, PreconditionFailed, RuleViolated } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationReader, organisationStaff } from '../../../kernel/tenancy/access.js';
import { NewVideo, Video, VideoChanges, Videos, VideosQuery } from './videos.schemas.js';
import { VideosService } from './videos.service.js';

@ApiTags('social')
@Controller('organisations/:organisationId/social/videos')
export class VideosController {
  constructor(private readonly videos: VideosService) {}

  @Get()
  @Operation({
    id: 'listSocialVideos',
    summary: 'List the videos of an organisation, the newest first',
    access: organisationReader,
    answers: Videos,
    refusals: [InvalidCursor],
  })
  list(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: VideosQuery }) query: VideosQuery,
  ): Promise<Videos> {
    return this.videos.list(organisationId, query);
  }

  @Post()
  @Operation({
    id: 'createSocialVideo',
    summary: 'Add a video that can be posted',
    description: 'It stays where it is: what is kept here is its address.',
    access: organisationStaff('staff'),
    status: 201,
    answers: Video,
    location: '/organisations/{organisationId}/social/videos/{id}',
    idempotent: true,
    etag: true,
    refusals: [RuleViolated],
  })
  create(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Body({ schema: NewVideo }) body: NewVideo,
  ): Promise<Video> {
    return this.videos.create(organisationId, body);
  }

  @Get(':videoId')
  @Operation({
    id: 'getSocialVideo',
    summary: 'Read a video',
    access: organisationReader,
    answers: Video,
    etag: true,
  })
  get(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('videoId', { schema: Uuid }) videoId: string,
  ): Promise<Video> {
    return this.videos.get(organisationId, videoId);
  }

  @Patch(':videoId')
  @Operation({
    id: 'updateSocialVideo',
    summary: 'Change a video',
    access: organisationStaff('staff'),
    answers: Video,
    etag: true,
    refusals: [PreconditionFailed, RuleViolated],
  })
  change(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('videoId', { schema: Uuid }) videoId: string,
    @Body({ schema: VideoChanges }) body: VideoChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Video> {
    return this.videos.change(organisationId, videoId, body, ifMatch);
  }

  @Delete(':videoId')
  @Operation({
    id: 'deleteSocialVideo',
    summary: 'Delete a video; posts that show it keep its address',
    access: organisationStaff('staff'),
  })
  remove(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('videoId', { schema: Uuid }) videoId: string,
  ): Promise<void> {
    return this.videos.remove(organisationId, videoId);
  }
}
