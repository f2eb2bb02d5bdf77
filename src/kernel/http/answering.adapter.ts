import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AnswerWithStatus } from './answer.js';

type Reply = FastifyAdapter['reply'];

/** Lets an answer carry its own status: Nest knows one per route and sets that whatever the answer is. */
export class AnsweringAdapter extends FastifyAdapter {
  override reply(response: Parameters<Reply>[0], body: unknown, status?: number): ReturnType<Reply> {
    if (body instanceof AnswerWithStatus) return super.reply(response, body.body, body.status);
    return super.reply(response, body, status);
  }
}
