import type { Meta } from './meta.js';
import { GraphClientOfTests } from './meta-graph.js';

/** What connecting a page and its Instagram account for messages asks for. */
const messagingScopes = [
  ...['pages_show_list', 'pages_manage_metadata', 'pages_messaging', 'pages_read_engagement', 'business_management'],
  ...['instagram_basic', 'instagram_manage_messages', 'instagram_manage_comments'],
];

type Answer = Promise<{ status: number; body: { error?: { code: number; error_subcode?: number } } }>;

/** Code and subcode of a refusal; undefined for what was not refused. */
export const refusal = async (answer: Answer) => {
  const { error } = (await answer).body;
  return error && [error.code, error.error_subcode];
};

/** A page with an Instagram account, and the token with which it is answered there. */
export class Practice {
  private constructor(
    private readonly meta: Meta,
    readonly graph: GraphClientOfTests,
    readonly personId: string,
    readonly id: string,
    readonly instagramId: string,
    public token: string,
  ) {}

  static async open(meta: Meta): Promise<Practice> {
    const personId = await meta.person('Ada Lovelace');
    const { id, instagramId } = await meta.page({ personId, name: 'Practice', instagram: { username: 'practice' } });
    const practice = new Practice(meta, new GraphClientOfTests(meta), personId, id, instagramId ?? '', '');
    await practice.consent();
    return practice;
  }

  /** Everything is allowed, again where it was taken back. */
  async consent(): Promise<void> {
    this.token = await this.graph.pageToken(await this.userToken(), this.id);
  }

  userToken(): Promise<string> {
    return this.meta.userToken(this.personId, { scopes: messagingScopes, pageIds: [this.id] });
  }

  send(recipient: object, message: object, more: Record<string, string> = {}, by = this.token) {
    const params = { recipient: JSON.stringify(recipient), message: JSON.stringify(message), ...more };
    return this.graph.post(`${this.id}/messages`, by, params);
  }

  reply(id: string, text = 'Good morning') {
    return this.send({ id }, { text });
  }

  subscribe(fields: string, id = this.id) {
    return this.graph.post(`${id}/subscribed_apps`, this.token, { subscribed_fields: fields });
  }

  /** @returns who wrote */
  async hear(from: string, pageId = this.id): Promise<string> {
    return (await this.meta.write({ pageId, from, text: 'Hello' })).participantId;
  }
}
