import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  MetaNotConfigured,
  MetaPermissionMissing,
  MetaRateLimited,
  MetaReauthorize,
  MetaRefused,
  MetaUnavailable,
} from '../../../integrations/meta/meta.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationReader } from '../../../kernel/tenancy/access.js';
import { AccountNotConnected } from '../social.errors.js';
import { PublishingQuota } from './publishing-quota.js';
import { AccountPublishingLimit } from './scheduling.schemas.js';

@ApiTags('social')
@Controller('organisations/:organisationId/social/accounts/:accountId/publishing-limit')
export class PublishingLimitController {
  constructor(private readonly quota: PublishingQuota) {}

  @Get()
  @Operation({
    id: 'getPublishingLimit',
    summary: 'Ask how many posts an account of Instagram still takes',
    description: 'Asked of Instagram each time. Pages of Facebook have no such limit.',
    access: organisationReader,
    answers: AccountPublishingLimit,
    refusals: [
      ...[AccountNotConnected, MetaNotConfigured, MetaPermissionMissing, MetaRateLimited],
      ...[MetaReauthorize, MetaRefused, MetaUnavailable],
    ],
  })
  async read(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('accountId', { schema: Uuid }) accountId: string,
  ): Promise<AccountPublishingLimit> {
    return { publishingLimit: await this.quota.read(organisationId, accountId) };
  }
}
