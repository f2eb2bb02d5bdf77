import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { NewVideo, Video, VideoChanges, Videos, VideosQuery } from './videos.schemas.js';

const purpose = 'social videos';
const columns = `id, organisation_id, prompt, mode, status, video_url, thumbnail_url, posted_to_social, post_count,
  created_by, created_at, updated_at`;

@Injectable()
export class VideosService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  async list(organisationId: string, { posted, status, limit, cursor }: VideosQuery): Promise<Videos> {
    const [afterId] = cursor ? this.cursors.decode(cursor, purpose) : [null];
    const isPosted = posted === undefined ? null : posted === 'true';
    const values = [organisationId, isPosted, status ?? null, afterId, limit + 1];
    const rows = await this.database.query<Video & { id: string }>(listVideos, values);
    return toPage(rows, limit, ({ id }) => this.cursors.encode([id], purpose));
  }

  async get(organisationId: string, videoId: string): Promise<Video> {
    const row = await this.database.first<Video>(getVideo, [organisationId, videoId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** One that has an address is ready unless somebody says otherwise. */
  async create(organisationId: string, video: NewVideo): Promise<Video> {
    const { prompt, mode = 'upload', videoUrl = null, thumbnailUrl = null } = video;
    const status = video.status ?? (videoUrl ? 'ready' : 'draft');
    const values = [organisationId, prompt, mode, status, videoUrl, thumbnailUrl];
    const [row] = await this.database.query<Video>(insertVideo, values);
    if (!row) throw new NotFound();
    return row;
  }

  async change(organisationId: string, videoId: string, changes: VideoChanges, ifMatch?: string): Promise<Video> {
    const present = await this.database.first<Video>(`${getVideo} FOR UPDATE`, [organisationId, videoId]);
    if (!present) throw new NotFound();
    assertIfMatch(ifMatch, etagOf(present.updatedAt as Date));
    const update = partialUpdate({
      table: 'public.social_media_videos',
      where: { organisation_id: organisationId, id: videoId },
      changes,
      columns: changeable,
      returning: columns,
    });
    if (!update) return present;
    const [row] = await this.database.query<Video>(update.text, update.values);
    if (!row) throw new NotFound();
    return row;
  }

  /** Posts that show it keep its address. */
  async remove(organisationId: string, videoId: string): Promise<void> {
    const [removed] = await this.database.query(deleteVideo, [organisationId, videoId]);
    if (!removed) throw new NotFound();
  }
}

const listVideos = `
  SELECT ${columns} FROM public.social_media_videos
   WHERE organisation_id = $1
     AND ($2::boolean IS NULL OR posted_to_social = $2)
     AND ($3::text IS NULL OR status = $3)
     AND ($4::uuid IS NULL OR id < $4)
   ORDER BY id DESC LIMIT $5`;

const getVideo = `SELECT ${columns} FROM public.social_media_videos WHERE organisation_id = $1 AND id = $2`;

const insertVideo = `
  INSERT INTO public.social_media_videos (organisation_id, prompt, mode, status, video_url, thumbnail_url, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, app.user_id())
  RETURNING ${columns}`;

const deleteVideo = 'DELETE FROM public.social_media_videos WHERE organisation_id = $1 AND id = $2 RETURNING id';

const changeable = {
  prompt: 'prompt',
  mode: 'mode',
  status: 'status',
  videoUrl: 'video_url',
  thumbnailUrl: 'thumbnail_url',
};
