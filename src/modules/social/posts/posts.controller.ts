import { Body, Controller, Delete, Get, Headers, Param, Patch, Post as Posted, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { InvalidCursor, PreconditionFailed, RuleViolated, UnknownReference } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationReader, organisationStaff } from '../../../kernel/tenancy/access.js';
import { PostNotDraft, PostState } from '../social.errors.js';
import { NewPost, Post, PostChanges, Posts, PostsQuery } from './posts.schemas.js';
import { PostsService } from './posts.service.js';

const location = '/organisations/{organisationId}/social/posts/{id}';

@ApiTags('social')
@Controller('organisations/:organisationId/social/posts')
export class PostsController {
  constructor(private readonly posts: PostsService) {}

  @Get()
  @Operation({
    id: 'listSocialPosts',
    summary: 'List the posts of an organisation, the newest first',
    access: organisationReader,
    answers: Posts,
    refusals: [InvalidCursor],
  })
  list(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: PostsQuery }) query: PostsQuery,
  ): Promise<Posts> {
    return this.posts.list(organisationId, query);
  }

  @Posted()
  @Operation({
    id: 'createSocialPost',
    summary: 'Draft a post',
    description: 'What the platforms take is checked when it is scheduled: a draft may be half finished.',
    access: organisationStaff('staff'),
    status: 201,
    answers: Post,
    location,
    idempotent: true,
    etag: true,
    refusals: [RuleViolated, UnknownReference],
  })
  create(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Body({ schema: NewPost }) body: NewPost,
  ): Promise<Post> {
    return this.posts.create(organisationId, body);
  }

  @Get(':postId')
  @Operation({
    id: 'getSocialPost',
    summary: 'Read a post, with the counts that were read last',
    description: 'A deleted one too: it is kept for what it has told.',
    access: organisationReader,
    answers: Post,
    etag: true,
  })
  get(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
  ): Promise<Post> {
    return this.posts.get(organisationId, postId);
  }

  @Patch(':postId')
  @Operation({
    id: 'updateSocialPost',
    summary: 'Change a draft',
    access: organisationStaff('staff'),
    answers: Post,
    etag: true,
    refusals: [PostNotDraft, PreconditionFailed, RuleViolated, UnknownReference],
  })
  change(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
    @Body({ schema: PostChanges }) body: PostChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<Post> {
    return this.posts.change(organisationId, postId, body, ifMatch);
  }

  @Delete(':postId')
  @Operation({
    id: 'deleteSocialPost',
    summary: 'Delete a post here',
    description:
      'What was published stays on the page: delete it there. A post that a worker is publishing cannot be deleted.',
    access: organisationStaff('staff'),
    refusals: [PostState],
  })
  remove(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
  ): Promise<void> {
    return this.posts.remove(organisationId, postId);
  }

  @Posted(':postId/duplicate')
  @Operation({
    id: 'duplicateSocialPost',
    summary: 'Draft the same content again, whatever has become of the post',
    access: organisationStaff('staff'),
    status: 201,
    answers: Post,
    location,
    idempotent: true,
    etag: true,
  })
  duplicate(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('postId', { schema: Uuid }) postId: string,
  ): Promise<Post> {
    return this.posts.duplicate(organisationId, postId);
  }
}
