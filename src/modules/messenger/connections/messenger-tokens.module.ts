import { Module } from '@nestjs/common';
import { MessengerTokens } from './messenger-tokens.js';

/** The tokens at rest: for those who connect, and for those who look whether they still count. */
@Module({ providers: [MessengerTokens], exports: [MessengerTokens] })
export class MessengerTokensModule {}
