import { Body, Controller, Get, Headers, Patch } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { PreconditionFailed } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { signedInAs } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { DoctorSettings, DoctorSettingsChanges, versionOf } from './doctor-settings.schemas.js';
import { DoctorSettingsService } from './doctor-settings.service.js';

@ApiTags('messenger')
@Controller('settings/doctor')
export class DoctorSettingsController {
  constructor(private readonly settings: DoctorSettingsService) {}

  @Get()
  @Operation({
    id: 'getDoctorSettings',
    summary: 'Read the own settings',
    description: 'The defaults until something was changed: `updatedAt` is null then.',
    access: signedInAs('provider'),
    answers: DoctorSettings,
    etag: versionOf,
  })
  get(@CurrentCaller() { userId }: Caller): Promise<DoctorSettings> {
    return this.settings.get(userId);
  }

  @Patch()
  @Operation({
    id: 'updateDoctorSettings',
    summary: 'Change the own settings',
    access: signedInAs('provider'),
    answers: DoctorSettings,
    etag: versionOf,
    refusals: [PreconditionFailed],
  })
  change(
    @CurrentCaller() { userId }: Caller,
    @Body({ schema: DoctorSettingsChanges }) body: DoctorSettingsChanges,
    @Headers('if-match') ifMatch?: string,
  ): Promise<DoctorSettings> {
    return this.settings.change(userId, body, ifMatch);
  }
}
