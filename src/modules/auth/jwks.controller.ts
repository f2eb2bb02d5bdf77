import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Operation } from '../../kernel/http/operation.decorator.js';
import { anybody } from '../../kernel/tenancy/access.js';
import { AccessTokens } from '../../kernel/tenancy/access-tokens.js';
import { JwkSet } from './auth.schemas.js';

@ApiTags('auth')
@Controller('.well-known/jwks.json')
export class JwksController {
  constructor(private readonly tokens: AccessTokens) {}

  @Get()
  @Operation({
    id: 'getJwks',
    summary: 'The public keys of access tokens (RFC 7517)',
    access: anybody,
    answers: JwkSet,
  })
  async keys(): Promise<JwkSet> {
    return { keys: (await this.tokens.jwks()) as JwkSet['keys'] };
  }
}
