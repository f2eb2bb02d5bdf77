import type { MigrationInterface, QueryRunner } from 'typeorm';
import { declareAccess, everyRow } from '../support/declare-access.js';

/**
 * The inbox of what Meta delivers: one row for each event, written before Meta is answered, and the queue of the worker.
 *
 * What an event says rests sealed, and only until it is processed. The row stays for a while after that, so that a
 * second delivery is known for one.
 */
export class CreateWebhookEvents1795219205200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(events);
    const told = [
      ...['id', 'object', 'page_id', 'received_at', 'state', 'attempts', 'next_attempt_at', 'error_code'],
      'processed_at',
    ];
    await declareAccess(queryRunner, {
      table: 'public.webhook_events',
      access: {
        super_admin: {
          select: { rows: everyRow, columns: told },
          update: { rows: everyRow, columns: ['state', 'attempts', 'next_attempt_at', 'error_code'] },
        },
        service_role: {
          select: { rows: everyRow },
          insert: { rows: everyRow },
          update: {
            rows: everyRow,
            columns: ['payload_sealed', 'state', 'attempts', 'next_attempt_at', 'error_code', 'processed_at'],
          },
          delete: { rows: everyRow },
        },
      },
      // It is a record itself; what an admin does to it is recorded as every access of an admin is.
      audit: false,
    });
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE public.webhook_events');
  }
}

const events = `
  CREATE TABLE public.webhook_events (
    id uuid PRIMARY KEY DEFAULT app.uuid_v7(),
    object text NOT NULL,
    page_id text NOT NULL,
    lane integer NOT NULL,
    shard integer NOT NULL GENERATED ALWAYS AS (lane & 3) STORED,
    event_key text NOT NULL,
    payload_sealed text,
    received_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'received',
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    error_code text,
    processed_at timestamptz,
    CONSTRAINT webhook_events_event_key_key UNIQUE (event_key),
    CONSTRAINT webhook_events_object_check CHECK (object IN ('page', 'instagram')),
    CONSTRAINT webhook_events_lane_check CHECK (lane >= 0),
    CONSTRAINT webhook_events_state_check
      CHECK (state IN ('received', 'processed', 'unresolved', 'failed', 'discarded')),
    CONSTRAINT webhook_events_payload_sealed_check
      CHECK ((payload_sealed IS NULL) = (state IN ('processed', 'discarded')))
  );
  COMMENT ON TABLE public.webhook_events IS
    'What Meta delivered, one event each: kept before Meta is answered, worked off in the order of each conversation';
  COMMENT ON COLUMN public.webhook_events.page_id IS
    'As the entry names it: a page, an Instagram account, or the page that the account is linked with';
  COMMENT ON COLUMN public.webhook_events.lane IS
    'A number made of the participant: events of one conversation have the same, and are processed in order';
  COMMENT ON COLUMN public.webhook_events.shard IS
    'Which of the four parts of the inbox: each is worked off by one worker at a time. A column of its own, since under '
    'row-level security the planner does not see that an index of an expression has its rows in order';
  COMMENT ON COLUMN public.webhook_events.event_key IS
    'Made of the message''s id, or of the event''s bytes: a second delivery has the same';
  COMMENT ON COLUMN public.webhook_events.payload_sealed IS 'The event as JSON; nothing once it is processed';
  COMMENT ON COLUMN public.webhook_events.state IS
    'unresolved: nobody has connected that page; failed: given up, until an admin lets it run again';
  -- What a worker takes: the oldest of one of four parts, unless one of their lane has failed and waits.
  CREATE INDEX webhook_events_received_idx ON public.webhook_events (shard, received_at, id)
    WHERE state = 'received';
  CREATE INDEX webhook_events_lane_idx ON public.webhook_events (lane, next_attempt_at)
    WHERE state = 'received' AND attempts > 0;
  CREATE INDEX webhook_events_page_id_idx ON public.webhook_events (page_id) WHERE state = 'unresolved';
  CREATE INDEX webhook_events_state_idx ON public.webhook_events (state, id) WHERE state IN ('failed', 'unresolved');
`;
