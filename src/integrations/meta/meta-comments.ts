import { z } from 'zod';
import { type GraphClient, graphPath } from './graph-client.js';

export interface CommentReply {
  id: string;
  text: string | null;
  /** Of whoever wrote it; null where Meta does not say. */
  username: string | null;
  createdAt: Date | null;
}

const Made = z.object({ id: z.string().min(1) });
const Listed = z.object({
  id: z.string().min(1),
  text: z.string().nullish(),
  username: z.string().nullish(),
  timestamp: z.coerce.date().nullish(),
});

/**
 * Comments below an Instagram account's media, with the token of its page:
 * https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-comment/replies
 */
export class MetaComments {
  constructor(private readonly graph: GraphClient) {}

  /**
   * Answers below the comment, for all to see. Sent once, whatever happens: Meta takes it as often as it comes.
   *
   * A reply to a reply stands below the first comment; hidden comments and those of live videos take none. How long it
   * may be is not documented.
   */
  reply(pageToken: string, commentId: string, message: string): Promise<{ id: string }> {
    const path = graphPath(commentId, 'replies');
    return this.graph.write({ path, family: 'instagram', token: pageToken, parameters: { message } }, Made);
  }

  /** What stands below a comment: whether a reply that got no answer is there. */
  async replies(pageToken: string, commentId: string): Promise<CommentReply[]> {
    const parameters = { fields: 'id,text,username,timestamp', limit: '50' };
    const call = { path: graphPath(commentId, 'replies'), family: 'instagram', token: pageToken, parameters } as const;
    const replies = await this.graph.list(call, Listed);
    return replies.map(({ id, text, username, timestamp }) => ({
      ...{ id, text: text ?? null, username: username ?? null, createdAt: timestamp ?? null },
    }));
  }
}
