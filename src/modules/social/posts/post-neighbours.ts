import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Warning } from './scheduling.schemas.js';

interface Neighbour {
  id: string;
  scheduledFor: Date;
  isSame: boolean;
  isClose: boolean;
}

/** What else goes to the same account around the same time: people want to know of loops and doubles before the page does. */
@Injectable()
export class PostNeighbours {
  constructor(private readonly database: Database) {}

  /** At most one warning of each kind, naming the post that is nearest. */
  async warnings(organisationId: string, postId: string, at: Date): Promise<Warning[]> {
    const rows = await this.database.query<Neighbour>(findNeighbours, [organisationId, postId, at]);
    const same = rows.find(({ isSame }) => isSame);
    const close = rows.find(({ isClose, id }) => isClose && id !== same?.id);
    return [
      ...(same ? [warning('same-content-within-a-day', 'The same content goes to this account', same)] : []),
      ...(close ? [warning('close-to-another-post', 'Another post goes to this account', close)] : []),
    ];
  }
}

function warning(code: Warning['code'], words: string, { id, scheduledFor }: Neighbour): Warning {
  return { code, message: `${words} at ${scheduledFor.toISOString()}.`, postId: id };
}

/**
 * The same address, video or carousel is the same content, and of words alone the same words. One of unknown outcome may
 * stand on the page: nobody is to be led by a copy around the question whether it does. The time is a parameter
 * although the post has it: computed from a row it would not go below the policies, and all posts of the account would be
 * read instead of two days in its index.
 */
export const findNeighbours = `
  SELECT o.id, o.scheduled_for, same.is_same, close.is_close
    FROM public.social_media_posts p
    JOIN public.social_media_posts o
      ON o.social_account_id = p.social_account_id AND o.id <> p.id AND o.organisation_id = p.organisation_id
     AND o.scheduled_for BETWEEN $3::timestamptz - interval '1 day' AND $3::timestamptz + interval '1 day'
     AND (o.status IN ('queued', 'processing', 'published') OR o.error_code = 'outcome-unknown' AND o.status = 'failed')
   CROSS JOIN LATERAL (SELECT CASE
           WHEN cardinality(p.children) > 0 THEN o.children = p.children
           WHEN p.content_id IS NOT NULL AND o.content_id = p.content_id THEN true
           WHEN p.content_url IS NOT NULL THEN o.content_url IS NOT DISTINCT FROM p.content_url
           ELSE o.content_url IS NULL AND cardinality(o.children) = 0 AND o.caption = p.caption END AS is_same) same
   CROSS JOIN LATERAL (SELECT o.scheduled_for BETWEEN $3::timestamptz - interval '1 hour'
                                                  AND $3::timestamptz + interval '1 hour' AS is_close) close
   WHERE p.organisation_id = $1 AND p.id = $2 AND (same.is_same OR close.is_close)
   ORDER BY abs(extract(epoch FROM o.scheduled_for - $3::timestamptz)), o.id`;
