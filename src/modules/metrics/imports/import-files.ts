import { randomUUID } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import type { SpooledFile } from './reading/spooled-file.js';

const pieceBytes = 262_144;

/**
 * Files on their way, in pieces in the database, so that any worker can take an import up and a crash loses nothing.
 * Only the service reaches them. No connection is held between two pieces.
 */
@Injectable()
export class ImportFiles {
  constructor(
    private readonly database: Database,
    private readonly transactions: Transactions,
  ) {}

  /** Stores what comes, as it comes. What an earlier attempt has left is replaced. */
  async store(clinicId: string, importId: string, content: AsyncIterable<Buffer>): Promise<void> {
    await this.remove(clinicId, importId);
    let number = 0;
    for await (const piece of pieces(content)) {
      await this.asService(() => this.database.query(insertPiece, [clinicId, importId, number, piece]));
      number += 1;
    }
  }

  async remove(clinicId: string, importId: string): Promise<void> {
    await this.asService(() => this.database.query(deletePieces, [clinicId, importId]));
  }

  /**
   * Runs work on the file as one on disk, which readers of zip files need. It has no name there: however the process
   * ends, nothing stays behind.
   */
  async spooled<T>(clinicId: string, importId: string, work: (file: SpooledFile) => Promise<T>): Promise<T> {
    const path = join(tmpdir(), `polyclinic-import-${randomUUID()}`);
    const handle = await open(path, 'wx+', 0o600);
    try {
      await unlink(path);
      let size = 0;
      for (let number = 0; ; number += 1) {
        const piece = await this.piece(clinicId, importId, number);
        if (!piece) break;
        await handle.write(piece, 0, piece.length, size);
        size += piece.length;
      }
      return await work({ handle, size });
    } finally {
      await handle.close();
    }
  }

  private async piece(clinicId: string, importId: string, number: number): Promise<Buffer | undefined> {
    const row = await this.asService(() =>
      this.database.first<{ bytes: Buffer }>(selectPiece, [clinicId, importId, number]),
    );
    return row?.bytes;
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'run imports' }, work);
  }
}

/** Cuts what comes into pieces of one size; the last is shorter. */
async function* pieces(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let length = 0;
  for await (const chunk of content) {
    waiting.push(chunk);
    length += chunk.length;
    if (length < pieceBytes) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(waiting);
}

const insertPiece = 'INSERT INTO public.import_files (clinic_id, import_id, number, bytes) VALUES ($1, $2, $3, $4)';
const deletePieces = 'DELETE FROM public.import_files WHERE clinic_id = $1 AND import_id = $2';
const selectPiece = 'SELECT bytes FROM public.import_files WHERE clinic_id = $1 AND import_id = $2 AND number = $3';
