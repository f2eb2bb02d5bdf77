import { Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  MetaNotConfigured,
  MetaPermissionMissing,
  MetaRateLimited,
  MetaReauthorize,
  MetaRefused,
  MetaUnavailable,
} from '../../../integrations/meta/meta.errors.js';
import { InvalidCursor } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationReader, organisationRole } from '../../../kernel/tenancy/access.js';
import { AccountNotConnected } from '../social.errors.js';
import { AccountsQuery, SocialAccountDetail, SocialAccounts } from './accounts.schemas.js';
import { AccountsService } from './accounts.service.js';

@ApiTags('social')
@Controller('organisations/:organisationId/social/accounts')
export class AccountsController {
  constructor(private readonly accounts: AccountsService) {}

  @Get()
  @Operation({
    id: 'listSocialAccounts',
    summary: 'List the connected accounts and pages, by name',
    access: organisationReader,
    answers: SocialAccounts,
    refusals: [InvalidCursor],
  })
  list(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Query({ schema: AccountsQuery }) query: AccountsQuery,
  ): Promise<SocialAccounts> {
    return this.accounts.list(organisationId, query);
  }

  @Get(':accountId')
  @Operation({
    id: 'getSocialAccount',
    summary: 'Read an account, what it can publish, and how it is',
    description:
      'Its health is asked of Meta once within five minutes. When Meta does not answer, it is shown as known last: see ' +
      '`healthCheckedAt`.',
    access: organisationReader,
    answers: SocialAccountDetail,
  })
  get(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('accountId', { schema: Uuid }) accountId: string,
  ): Promise<SocialAccountDetail> {
    return this.accounts.get(organisationId, accountId);
  }

  @Post(':accountId/refresh')
  @Operation({
    id: 'refreshSocialAccount',
    summary: 'Renew the access of an account now',
    description: 'One that had expired works again if Meta gives a new token; else somebody has to connect it again.',
    access: organisationRole('manager'),
    answers: SocialAccountDetail,
    refusals: [
      ...[AccountNotConnected, MetaNotConfigured, MetaUnavailable, MetaRateLimited],
      ...[MetaReauthorize, MetaPermissionMissing, MetaRefused],
    ],
  })
  refresh(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('accountId', { schema: Uuid }) accountId: string,
  ): Promise<SocialAccountDetail> {
    return this.accounts.refresh(organisationId, accountId);
  }

  @Delete(':accountId')
  @Operation({
    id: 'disconnectSocialAccount',
    summary: 'Disconnect an account: its tokens are forgotten at once, its posts stay',
    description:
      'Queued posts wait until it is connected again. The consent is taken back at Meta by a job, unless another ' +
      'account here hangs on it.',
    access: organisationRole('manager'),
    refusals: [AccountNotConnected],
  })
  disconnect(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('accountId', { schema: Uuid }) accountId: string,
  ): Promise<void> {
    return this.accounts.disconnect(organisationId, accountId);
  }
}
