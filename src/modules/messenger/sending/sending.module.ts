import { Module } from '@nestjs/common';
import { AutomaticAnswers } from './automatic-answers.js';
import { Echoes } from './echoes.js';
import { OutgoingMessages } from './outgoing-messages.js';

/** The one door through which messages leave. */
@Module({
  providers: [AutomaticAnswers, Echoes, OutgoingMessages],
  exports: [AutomaticAnswers, Echoes, OutgoingMessages],
})
export class SendingModule {}
