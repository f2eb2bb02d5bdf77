import { Injectable } from '@nestjs/common';
import { Cursors } from '../../../kernel/http/cursor.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Calendar, CalendarPost, CalendarQuery, UpcomingPosts, UpcomingQuery } from './posts.schemas.js';

const purpose = 'upcoming social posts';
const mostInCalendar = 5_000;

/** What is planned, by its time. */
@Injectable()
export class PostCalendarService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async calendar(organisationId: string, { from, to, timeZone }: CalendarQuery): Promise<Calendar> {
    const values = [organisationId, from, to, timeZone, mostInCalendar + 1];
    const rows = await this.database.query<CalendarPost>(listCalendar, values);
    return { data: rows.slice(0, mostInCalendar), isComplete: rows.length <= mostInCalendar };
  }

  async upcoming(organisationId: string, { limit, cursor }: UpcomingQuery): Promise<UpcomingPosts> {
    const [afterTime, afterId] = cursor ? this.cursors.decode(cursor, purpose) : [null, null];
    const values = [organisationId, afterTime, afterId, limit + 1];
    const rows = await this.database.query<CalendarPost & { position: string }>(listUpcoming, values);
    return toPage(rows, limit, ({ position, id }) => this.cursors.encode([position, id], purpose));
  }
}

const columns = `id, social_account_id, platform, content_type, content_url, thumbnail_url, caption, post_type, status,
  scheduled_for, published_at, platform_url, waiting_reason, error_code`;

/** One walk of the index by time; days are those of the zone. */
const listCalendar = `
  SELECT ${columns} FROM public.social_media_posts
   WHERE organisation_id = $1 AND status <> 'deleted' AND scheduled_for IS NOT NULL
     AND scheduled_for >= $2::date::timestamp AT TIME ZONE $4
     AND scheduled_for < ($3::date + 1)::timestamp AT TIME ZONE $4
   ORDER BY scheduled_for, id LIMIT $5`;

/** What waits is upcoming, also when its time has passed: `waitingReason` tells why. */
const listUpcoming = `
  SELECT ${columns}, scheduled_for::text AS position FROM public.social_media_posts
   WHERE organisation_id = $1 AND status IN ('queued', 'processing')
     AND ($2::timestamptz IS NULL OR (scheduled_for, id) > ($2, $3::uuid))
   ORDER BY scheduled_for, id LIMIT $4`;
