import { Injectable } from '@nestjs/common';
import { camelName } from '../../../kernel/database/column-names.js';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { Forbidden, NotFound } from '../../../kernel/http/http.errors.js';
import { type Page, toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import type { Warning } from './fact-fields.js';
import type { FactKind } from './fact-kinds.js';
import { assertDateIsKept, assertSaysSomething, refusalOf } from './fact-refusals.js';
import { FactWarnings } from './fact-warnings.js';

/** What facts of every kind have. */
export interface Fact {
  id: string;
  date: string;
  updatedAt: unknown;
}

interface FactsQuery {
  limit: number;
  cursor?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

/** Days that are before and after all others. */
const ends = { first: '1990-01-01', last: '9999-12-31', lastId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

/** Facts of any kind, one at a time. Who may is the database's to say: rights differ by kind and by who entered it. */
@Injectable()
export class FactsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly warnings: FactWarnings,
  ) {}

  async list<Row extends Fact>(kind: FactKind, clinicId: string, query: FactsQuery): Promise<Page<Row>> {
    const { limit, cursor, from = ends.first, to = ends.last, ...others } = query;
    const [date, id] = cursor ? this.cursors.decode(cursor, kind.table) : [ends.last, ends.lastId];
    const filters = Object.keys(kind.filters).map((name) => (others as Record<string, unknown>)[name] ?? null);
    const rows = await this.database.query<Row>(kind.statements.list, [
      clinicId,
      from,
      to,
      date,
      id,
      limit + 1,
      ...filters,
    ]);
    return toPage(rows, limit, (last) => this.cursors.encode([last.date, last.id], kind.table));
  }

  async get<Row extends Fact>(kind: FactKind, clinicId: string, factId: string): Promise<Row> {
    const row = await this.database.first<Row>(kind.statements.get, [clinicId, factId]);
    if (!row) throw new NotFound();
    return row;
  }

  async change<Row extends Fact>(
    kind: FactKind,
    clinicId: string,
    factId: string,
    changes: { date?: string | undefined },
    ifMatch?: string,
  ): Promise<Row & { warnings: Warning[] }> {
    const present = await this.lock<Row>(kind, clinicId, factId);
    assertIfMatch(ifMatch, etagOf(present.updatedAt as Date));
    assertDateIsKept(changes);
    assertSaysSomething(kind, { ...present, ...changes });
    const row = await this.update(kind, clinicId, present, changes);
    return { ...row, warnings: await this.warnings.about(kind, clinicId, [row.date]) };
  }

  async remove(kind: FactKind, clinicId: string, factId: string): Promise<void> {
    const [removed] = await this.database.query(kind.statements.remove, [clinicId, factId]);
    if (!removed) throw new NotFound();
  }

  /** Whoever may change a row may lock it; what can be read and not be locked is not theirs to change. */
  private async lock<Row extends Fact>(kind: FactKind, clinicId: string, factId: string): Promise<Row> {
    const locked = await this.database.first<Row>(`${kind.statements.get} FOR UPDATE`, [clinicId, factId]);
    if (locked) return locked;
    await this.get(kind, clinicId, factId);
    throw new Forbidden('A provider changes own entries only.');
  }

  private async update<Row extends Fact>(
    kind: FactKind,
    clinicId: string,
    present: Row,
    changes: object,
  ): Promise<Row> {
    const update = partialUpdate({
      table: `public.${kind.table}`,
      where: { clinic_id: clinicId, date: present.date, id: present.id },
      changes: { ...changes },
      columns: changeable(kind),
      returning: kind.statements.answered,
    });
    if (!update) return present;
    try {
      const [row] = await this.database.query<Row>(update.text, update.values);
      if (!row) throw new NotFound();
      return row;
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

function changeable({ columns }: FactKind): Record<string, string> {
  return Object.fromEntries(
    ['date', 'source_reference', ...Object.keys(columns)].map((column) => [camelName(column), column]),
  );
}
