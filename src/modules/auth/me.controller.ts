import { Body, Controller, Get, Patch } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../kernel/http/operation.decorator.js';
import { signedIn } from '../../kernel/tenancy/access.js';
import { NotYourClinic } from './auth.errors.js';
import { Me, ProfileChanges } from './auth.schemas.js';
import { MeService } from './me.service.js';

@ApiTags('auth')
@Controller('auth/me')
export class MeController {
  constructor(private readonly me: MeService) {}

  @Get()
  @Operation({
    id: 'getMe',
    summary: 'Read the own profile, clinics and organisations',
    access: signedIn,
    answers: Me,
    allowsUnverified: true,
  })
  read(): Promise<Me> {
    return this.me.read();
  }

  @Patch()
  @Operation({
    id: 'updateMe',
    summary: 'Change the own profile',
    access: signedIn,
    answers: Me,
    refusals: [NotYourClinic],
  })
  change(@Body({ schema: ProfileChanges }) body: ProfileChanges): Promise<Me> {
    return this.me.change(body);
  }
}
