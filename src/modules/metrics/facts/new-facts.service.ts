import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { camelName } from '../../../kernel/database/column-names.js';
import type { DomainError } from '../../../kernel/errors/domain-error.js';
import { type AnswerWithStatus, withStatus } from '../../../kernel/http/answer.js';
import { NotFound, PayloadTooLarge } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { type BatchQuery, batchLimit, type Warning } from './fact-fields.js';
import type { FactKind } from './fact-kinds.js';
import { assertDateIsKept, assertSaysSomething, refusalOf } from './fact-refusals.js';
import { FactWarnings } from './fact-warnings.js';
import type { Fact } from './facts.service.js';

interface NewFact {
  date: string;
}

interface Outcome<Row> {
  index: number;
  status: number;
  fact: Row | null;
  problem: { code: string; detail: string; errors: DomainError['errors'] } | null;
}

/** Facts that are entered by hand or by a program, alone or by the thousand. */
@Injectable()
export class NewFactsService {
  constructor(
    private readonly database: Database,
    private readonly warnings: FactWarnings,
  ) {}

  async create<Row extends Fact>(
    kind: FactKind,
    clinicId: string,
    fact: NewFact,
  ): Promise<Row & { warnings: Warning[] }> {
    try {
      const [row] = await this.insert<Row>(kind, clinicId, [fact]);
      if (!row) throw new NotFound();
      return { ...row, warnings: await this.warnings.about(kind, clinicId, [row.date]) };
    } catch (error) {
      throw refusalOf(error);
    }
  }

  /** In one statement. Only when that is refused are the items tried one by one, to say which it was. */
  async createAll<Row extends Fact>(
    kind: FactKind,
    clinicId: string,
    facts: readonly NewFact[],
    { mode }: BatchQuery,
  ): Promise<{ data: Row[]; warnings: Warning[] } | AnswerWithStatus> {
    if (facts.length > batchLimit) throw new PayloadTooLarge(`A batch has at most ${batchLimit} items.`);
    const outcomes = await this.outcomesOf<Row>(kind, clinicId, facts, mode);
    const data = outcomes.flatMap(({ fact }) => (fact ? [fact] : []));
    const days = outcomes.map(({ fact }) => fact?.date);
    const warnings = await this.warnings.about(kind, clinicId, days, 'items.');
    return mode === 'partial' ? withStatus(207, { data: outcomes, warnings }) : { data, warnings };
  }

  private async outcomesOf<Row extends Fact>(
    kind: FactKind,
    clinicId: string,
    facts: readonly NewFact[],
    mode: BatchQuery['mode'],
  ): Promise<Outcome<Row>[]> {
    try {
      const rows = await this.database.attempt(() => this.insert<Row>(kind, clinicId, facts));
      return rows.map((fact, index) => ({ index, status: 201, fact, problem: null }));
    } catch (error) {
      refusalOf(error);
      return this.oneByOne<Row>(kind, clinicId, facts, mode);
    }
  }

  private async oneByOne<Row extends Fact>(
    kind: FactKind,
    clinicId: string,
    facts: readonly NewFact[],
    mode: BatchQuery['mode'],
  ): Promise<Outcome<Row>[]> {
    const outcomes: Outcome<Row>[] = [];
    for (const [index, fact] of facts.entries()) {
      try {
        const [row] = await this.database.attempt(() => this.insert<Row>(kind, clinicId, [fact]));
        outcomes.push({ index, status: 201, fact: row ?? null, problem: null });
      } catch (error) {
        const refusal = refusalOf(error, mode === 'partial' ? '' : `items.${index}.`);
        const { code, status } = refusal.definition;
        // Who may not enter one may enter none.
        if (mode === 'all' || status === 403) throw refusal;
        const problem = { code, detail: refusal.message, errors: refusal.errors ?? [] };
        outcomes.push({ index, status, fact: null, problem });
      }
    }
    return outcomes;
  }

  /** The rows in the order of the facts. */
  private async insert<Row extends Fact>(kind: FactKind, clinicId: string, facts: readonly NewFact[]): Promise<Row[]> {
    const named = facts.map((fact) => ({ id: uuidv7(), fact }));
    for (const fact of facts) {
      assertDateIsKept(fact);
      assertSaysSomething(kind, fact);
    }
    const records = named.map(({ id, fact }) => recordOf(kind, id, fact));
    const rows = await this.database.query<Row>(kind.statements.insert, [clinicId, JSON.stringify(records)]);
    const byId = new Map(rows.map((row) => [row.id, row]));
    return named.flatMap(({ id }) => byId.get(id) ?? []);
  }
}

function recordOf({ columns }: FactKind, id: string, fact: NewFact): Record<string, unknown> {
  const written = ['date', ...Object.keys(columns), 'source_reference'];
  return { id, ...Object.fromEntries(written.map((column) => [column, fieldOf(fact, camelName(column))])) };
}

function fieldOf(fact: object, field: string): unknown {
  return (fact as Record<string, unknown>)[field];
}
