import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { InstagramConnection } from './instagram.schemas.js';
import { Leaving, type Left } from './leaving.js';

/** The one Instagram account of a doctor. */
@Injectable()
export class InstagramAccounts {
  constructor(
    private readonly database: Database,
    private readonly leaving: Leaving,
  ) {}

  async get(doctorId: string): Promise<InstagramConnection> {
    const account = await this.database.first<InstagramConnection>(readAccount, [doctorId]);
    if (!account) throw new NotFound();
    return account;
  }

  /** The row is gone at once, and its token with it; a job tells Meta. Nothing happens where there is none. */
  async disconnect(doctorId: string): Promise<void> {
    const left = await this.database.first<Left>(deleteAccount, [doctorId]);
    if (left) await this.leaving.later(left);
  }
}

const readAccount = `
  SELECT instagram_page_id AS account_id, instagram_username AS username, facebook_page_id AS page_id,
         facebook_page_name AS page_name, clinic_id, connected_at
    FROM public.doctor_instagram WHERE doctor_id = $1`;

const deleteAccount = `
  DELETE FROM public.doctor_instagram WHERE doctor_id = $1
  RETURNING facebook_page_id AS page_id, instagram_page_id AS account_id, facebook_user_id, doctor_id AS owner_id`;
