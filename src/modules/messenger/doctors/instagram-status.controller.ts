import { Body, Controller, Get, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { signedInAs } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { DoctorSettings, Pause, versionOf } from './doctor-settings.schemas.js';
import { DoctorSettingsService } from './doctor-settings.service.js';
import { InstagramStatus } from './instagram-status.schemas.js';
import { InstagramStatusService } from './instagram-status.service.js';

@ApiTags('messenger')
@Controller('settings/instagram')
export class InstagramStatusController {
  constructor(
    private readonly statuses: InstagramStatusService,
    private readonly settings: DoctorSettingsService,
  ) {}

  @Get('status')
  @Operation({
    id: 'getInstagramStatus',
    summary: 'Read how the own Instagram account is',
    description:
      'Meta is asked once within five minutes. When it does not answer within three seconds, or not at all, the level ' +
      'is `unknown`; what is known to be broken stays `error`.',
    access: signedInAs('provider'),
    answers: InstagramStatus,
  })
  read(@CurrentCaller() { userId }: Caller): Promise<InstagramStatus> {
    return this.statuses.read(userId);
  }

  @Post('pause')
  @Operation({
    id: 'pauseInstagram',
    summary: 'Answer nothing by itself on Instagram, for now',
    description: 'People go on writing and being answered by people. Also before anything is connected.',
    access: signedInAs('provider'),
    answers: DoctorSettings,
    etag: versionOf,
  })
  pause(@CurrentCaller() { userId }: Caller, @Body({ schema: Pause }) { message }: Pause): Promise<DoctorSettings> {
    return this.settings.change(userId, {
      instagramReceptionistPaused: true,
      ...(message !== undefined && { instagramReceptionistPauseMessage: message }),
    });
  }

  @Post('resume')
  @Operation({
    id: 'resumeInstagram',
    summary: 'Answer by itself on Instagram again',
    description: 'The message of the pause is kept for the next one.',
    access: signedInAs('provider'),
    answers: DoctorSettings,
    etag: versionOf,
  })
  resume(@CurrentCaller() { userId }: Caller): Promise<DoctorSettings> {
    return this.settings.change(userId, { instagramReceptionistPaused: false });
  }
}
