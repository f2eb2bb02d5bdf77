import { Body, Controller, Delete, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { MetaNotConfigured, MetaRateLimited, MetaUnavailable } from '../../../integrations/meta/meta.errors.js';
import { NotFound, TooManyRequests } from '../../../kernel/http/http.errors.js';
import { Operation } from '../../../kernel/http/operation.decorator.js';
import { signedIn } from '../../../kernel/tenancy/access.js';
import { CurrentCaller } from '../../../kernel/tenancy/current-caller.decorator.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import { AlreadyLinked, FacebookCodeInvalid, FacebookTokenRefused, IdentityTaken, LastLogin } from '../auth.errors.js';
import { FacebookProof } from './facebook.schemas.js';
import { FacebookLinksService } from './facebook-links.service.js';

@ApiTags('auth')
@Controller('auth/facebook/link')
export class FacebookLinksController {
  constructor(private readonly links: FacebookLinksService) {}

  @Post()
  @Operation({
    id: 'linkFacebook',
    summary: 'Link the own account with a person of Facebook',
    description:
      'By the code of a log-in that this browser began, or by a token of the SDK. The app begins with a `codeChallenge`, ' +
      'and sends the verifier along: without one a code links only the account that has the address which Facebook told.',
    access: signedIn,
    refusals: [
      FacebookCodeInvalid,
      FacebookTokenRefused,
      IdentityTaken,
      AlreadyLinked,
      TooManyRequests,
      MetaNotConfigured,
      MetaUnavailable,
      MetaRateLimited,
    ],
  })
  link(@Body({ schema: FacebookProof }) body: FacebookProof, @CurrentCaller() caller: Caller): Promise<void> {
    return this.links.link(body, caller);
  }

  @Delete()
  @Operation({
    id: 'unlinkFacebook',
    summary: 'Unlink the own account from Facebook, unless it is the only way in',
    access: signedIn,
    refusals: [NotFound, LastLogin],
  })
  unlink(): Promise<void> {
    return this.links.unlink();
  }
}
