import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  ChoiceInvalid,
  ConnectCodeRefused,
  ConnectRefused,
  ConnectStateInvalid,
  NoInstagramAccount,
  NoPages,
  ScopesMissing,
} from '../../../integrations/meta/consent.errors.js';
import {
  MetaNotConfigured,
  MetaPermissionMissing,
  MetaRateLimited,
  MetaReauthorize,
  MetaRefused,
  MetaUnavailable,
} from '../../../integrations/meta/meta.errors.js';
import { Unauthenticated } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { Uuid } from '../../../kernel/http/primitives.js';
import { organisationRole } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { PlatformName } from './accounts.schemas.js';
import {
  Authorization,
  ConnectAnswer,
  ConnectChoice,
  ConnectedAccounts,
  Connection,
  PendingConnection,
} from './connect.schemas.js';
import { ConnectionService } from './connection.service.js';
import type { Platform } from './consent-scopes.js';
import { type ChoiceHolder, PendingConnections } from './pending-connections.js';

const fromMeta = [
  ...[MetaNotConfigured, MetaUnavailable, MetaRateLimited],
  ...[MetaReauthorize, MetaPermissionMissing, MetaRefused],
];

@ApiTags('social')
@Controller('organisations/:organisationId/social/connect')
export class ConnectController {
  constructor(
    private readonly connection: ConnectionService,
    private readonly pending: PendingConnections,
  ) {}

  @Post(':platform')
  @Operation({
    id: 'connectSocialAccount',
    summary: "Begin to connect an account: the address of Meta's dialog",
    description:
      'Meta sends the browser back to `META_CONNECT_REDIRECT_URL`; hand what it comes with to ' +
      '`finishSocialConnection`, in the same session, within ten minutes.',
    access: organisationRole('manager'),
    answers: Authorization,
    refusals: [MetaNotConfigured],
  })
  begin(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('platform', { schema: PlatformName }) platform: Platform,
    @CurrentCaller() caller: Caller | null,
  ): Promise<Authorization> {
    return this.connection.begin(holderOf(organisationId, caller), platform);
  }

  @Get('callback')
  @Operation({
    id: 'finishSocialConnection',
    summary: 'Finish to connect: what there is to choose, or the account where there is but one',
    description:
      'By the same person, in the same session, once. A GET because the browser comes with a query; it uses the `state` ' +
      'up, and may connect an account.',
    access: organisationRole('manager'),
    // It writes, although the browser comes by GET: the state is used up, and an account or a choice comes of it.
    recordsReads: true,
    answers: Connection,
    refusals: [
      ...[ConnectStateInvalid, ConnectRefused, ConnectCodeRefused, ScopesMissing, NoPages, NoInstagramAccount],
      ...fromMeta,
    ],
  })
  finish(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @CurrentCaller() caller: Caller | null,
    @Query({ schema: ConnectAnswer }) answer: ConnectAnswer,
  ): Promise<Connection> {
    return this.connection.finish(holderOf(organisationId, caller), answer);
  }

  @Get('pending/:pendingId')
  @Operation({
    id: 'getPendingSocialConnection',
    summary: 'What there is to choose: for the person who began, in the same session, for a quarter of an hour',
    access: organisationRole('manager'),
    answers: PendingConnection,
  })
  get(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('pendingId', { schema: Uuid }) pendingId: string,
    @CurrentCaller() caller: Caller | null,
  ): Promise<PendingConnection> {
    return this.pending.get(holderOf(organisationId, caller), pendingId);
  }

  @Post('pending/:pendingId')
  @Operation({
    id: 'chooseSocialAccounts',
    summary: 'Connect what was chosen',
    description: 'All of them or none. When Meta does not answer, the choice can be made again.',
    access: organisationRole('manager'),
    answers: ConnectedAccounts,
    refusals: [ChoiceInvalid, ...fromMeta],
  })
  async choose(
    @Param('organisationId', { schema: Uuid }) organisationId: string,
    @Param('pendingId', { schema: Uuid }) pendingId: string,
    @CurrentCaller() caller: Caller | null,
    @Body({ schema: ConnectChoice }) { choices }: ConnectChoice,
  ): Promise<ConnectedAccounts> {
    return { data: await this.pending.choose(holderOf(organisationId, caller), pendingId, choices) };
  }
}

function holderOf(organisationId: string, caller: Caller | null): ChoiceHolder {
  if (!caller) throw new Unauthenticated();
  return { organisationId, userId: caller.userId, sessionId: caller.sessionId };
}
