import type { MigrationInterface, QueryRunner } from 'typeorm';
import { declareAccess, everyRow, relatedOrganisationRows } from '../support/declare-access.js';

/** How the counts of a published post grew: one row for each time that Meta was asked. */
export class CreateSocialAnalytics1795219204300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(snapshots);
    await declareAccess(queryRunner, {
      table: 'public.social_media_analytics_snapshots',
      access: {
        authenticated: { select: { rows: relatedOrganisationRows('organisation_id') } },
        super_admin: { select: { rows: everyRow } },
        service_role: { select: { rows: everyRow }, insert: { rows: everyRow } },
      },
      // A snapshot is a record itself.
      audit: false,
    });
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE public.social_media_analytics_snapshots');
  }
}

const snapshots = `
  CREATE TABLE public.social_media_analytics_snapshots (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    organisation_id uuid NOT NULL,
    post_id uuid NOT NULL,
    likes_count bigint NOT NULL,
    comments_count bigint NOT NULL,
    shares_count bigint NOT NULL,
    saves_count bigint NOT NULL,
    reach bigint NOT NULL,
    impressions bigint NOT NULL,
    plays_count bigint NOT NULL,
    engagement_rate numeric(24, 2) NOT NULL,
    snapshot_at timestamptz NOT NULL DEFAULT now(),
    hours_since_published numeric(10, 2) NOT NULL,
    CONSTRAINT social_media_analytics_snapshots_post_id_fkey FOREIGN KEY (organisation_id, post_id)
      REFERENCES public.social_media_posts (organisation_id, id) ON DELETE CASCADE,
    CONSTRAINT social_media_analytics_snapshots_snapshot_at_key UNIQUE (post_id, snapshot_at)
  );
  COMMENT ON TABLE public.social_media_analytics_snapshots IS 'What Meta counted of a post, each time it was asked';
  CREATE INDEX social_media_analytics_snapshots_organisation_id_idx
    ON public.social_media_analytics_snapshots (organisation_id, snapshot_at);
`;
