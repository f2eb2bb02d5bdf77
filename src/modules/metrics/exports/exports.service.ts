import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { type ExportQuery, exportFormats } from './exports.schemas.js';
import { type Page, workbookOf } from './workbook.js';

/** A page of some MiB: what one download holds in memory, twice when the next is fetched while this one is read. */
const pageRows = 10_000;
const ends = { first: '1990-01-01', last: '9999-12-31' };
const byteOrderMark = '\uFEFF';

interface StoredPage extends Page {
  lastKey: unknown;
}

/** Tables as files. Each page is a transaction of its own: a client that reads slowly holds no connection. */
@Injectable()
export class ExportsService {
  constructor(private readonly database: Database) {}

  async export(clinicId: string, query: ExportQuery): Promise<StreamedAnswer> {
    const clinic = await this.database.first<{ name: string; today: string }>(getClinic, [clinicId]);
    if (!clinic) throw new NotFound();
    const name = [clinic.name, query.table, ...(query.from ? [query.from] : []), query.to ?? clinic.today].join(' ');
    return {
      stream: await this.streamOf(clinicId, query),
      contentType: exportFormats[query.format],
      fileName: `${name}.${query.format}`,
    };
  }

  private async streamOf(clinicId: string, query: ExportQuery): Promise<Readable> {
    if (query.format === 'xlsx') return workbookOf(this.database.stream(this.pages(clinicId, query)), query.table);
    const text = query.format === 'json' ? this.array(clinicId, query) : this.lines(clinicId, query);
    return this.database.stream(text, { objectMode: false });
  }

  private async *lines(clinicId: string, query: ExportQuery): AsyncGenerator<string> {
    if (query.format === 'csv' && query.bom === 'true') yield byteOrderMark;
    for await (const { content } of this.pages(clinicId, query)) if (content) yield content;
  }

  private async *array(clinicId: string, query: ExportQuery): AsyncGenerator<string> {
    let before = '[\n';
    for await (const { content } of this.pages(clinicId, query)) {
      if (!content) continue;
      yield before + content;
      before = ',\n';
    }
    yield before === '[\n' ? '[]\n' : '\n]\n';
  }

  /** While one page is read the next is fetched, and no more than that. */
  private async *pages(clinicId: string, query: ExportQuery): AsyncGenerator<Page> {
    let next: Promise<StoredPage> | undefined = this.fetch(clinicId, query, null);
    while (next) {
      const page: StoredPage = await next;
      next = page.rowCount < pageRows ? undefined : this.fetch(clinicId, query, page.lastKey);
      // A failure is thrown where the page is awaited; until then it is nobody's.
      next?.catch(() => undefined);
      yield page;
    }
  }

  private fetch(clinicId: string, { table, format, from, to }: ExportQuery, after: unknown): Promise<StoredPage> {
    const range = [from ?? ends.first, to ?? ends.last];
    const values = [table, clinicId, format, ...range, after === null ? null : JSON.stringify(after), pageRows];
    return this.database.separately(async () => {
      const page = await this.database.first<StoredPage>(formatPage, values);
      if (!page) throw new NotFound();
      return page;
    });
  }
}

const getClinic = `
  SELECT name, (now() AT TIME ZONE time_zone)::date::text AS today FROM public.clinics WHERE id = $1`;

const formatPage = `
  SELECT page.content, page.row_count, page.last_key
    FROM public.format_export_data($1, $2, $3, $4, $5, $6::jsonb, $7) AS page`;
