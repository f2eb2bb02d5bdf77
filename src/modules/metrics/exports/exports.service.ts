import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { CsvPage } from './csv-page.js';
import { type ExportQuery, exportFormats } from './exports.schemas.js';
import { followed, type KeyedPage, nextSize } from './pages.js';
import { workbookOf } from './workbook.js';

const ends = { first: '1990-01-01', last: '9999-12-31' };
const byteOrderMark = Buffer.from('\uFEFF');

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
    if (query.format === 'csv') return this.database.stream(this.csv(clinicId, query), { objectMode: false });
    const text = query.format === 'json' ? this.array(clinicId, query) : this.lines(clinicId, query);
    return this.database.stream(text, { objectMode: false });
  }

  private async *csv(clinicId: string, query: ExportQuery): AsyncGenerator<Buffer> {
    if (query.bom === 'true') yield byteOrderMark;
    const pages = followed<Buffer>((previous) => this.copyPage(clinicId, query, previous));
    for await (const { content } of pages) if (content.length > 0) yield content;
  }

  private async *lines(clinicId: string, query: ExportQuery): AsyncGenerator<string> {
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

  private pages(clinicId: string, query: ExportQuery): AsyncGenerator<KeyedPage<string>> {
    return followed<string>((previous) => this.formatPage(clinicId, query, previous));
  }

  private formatPage(
    clinicId: string,
    { table, format, from, to }: ExportQuery,
    previous?: KeyedPage<string>,
  ): Promise<KeyedPage<string>> {
    const size = nextSize(previous);
    const after = previous ? JSON.stringify(previous.lastKey) : null;
    return this.database.separately(async () => {
      const values = [table, clinicId, format, from ?? ends.first, to ?? ends.last, after, size];
      const page = await this.database.first<Omit<KeyedPage<string>, 'size'>>(formatPage, values);
      if (!page) throw new NotFound();
      return { ...page, size };
    });
  }

  private copyPage(
    clinicId: string,
    { table, from, to }: ExportQuery,
    previous?: KeyedPage<Buffer>,
  ): Promise<KeyedPage<Buffer>> {
    const size = nextSize(previous);
    const after = JSON.stringify(previous?.lastKey ?? {});
    return this.database.separately(async () => {
      await this.database.query(describePage, [clinicId, from ?? ends.first, to ?? ends.last, after, String(size)]);
      const page = new CsvPage();
      await this.database.copyTo(copyPage(table), (row) => page.add(row));
      return { ...page.closed(previous === undefined), size };
    });
  }
}

const getClinic = `
  SELECT name, (now() AT TIME ZONE time_zone)::date::text AS today FROM public.clinics WHERE id = $1`;

const formatPage = `
  SELECT page.content, page.row_count, page.last_key
    FROM public.format_export_data($1, $2, $3, $4, $5, $6::jsonb, $7) AS page`;

/** COPY takes no parameters: its view reads these settings, which end with the transaction. */
const describePage = `
  SELECT set_config('app.export_clinic', $1, true), set_config('app.export_from', $2, true),
         set_config('app.export_to', $3, true), set_config('app.export_after', $4, true),
         set_config('app.export_limit', $5, true), set_config('datestyle', 'ISO', true)`;

const copyPage = (table: ExportQuery['table']): string =>
  `COPY (SELECT * FROM app.csv_${table}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')`;
